"""What the settings say of a submit_sm beyond its text: the values that may stand there, and what does not fit."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from smsgw.settings import words

if TYPE_CHECKING:
    from smsgw.settings import LinkSettings, ServiceSettings

Tag = Annotated[int, Meta(ge=0, le=0xFFFF)]
Unset = -1
"""Stands for what is left to the link, or to the message that is answered."""
OptionalTon = Annotated[int, Meta(ge=Unset, le=6)]
OptionalNpi = Annotated[int, Meta(ge=Unset, le=18)]
ProtocolId = Annotated[int, Meta(ge=Unset, le=255)]  # TS 23.040 §9.2.3.9
Priority = Annotated[int, Meta(ge=0, le=3)]  # SMPP 3.4 §5.2.14
ServiceType = Annotated[str, Meta(max_length=5)]  # §5.2.11, without NUL
SourceAddress = Annotated[str, Meta(max_length=20)]  # §5.2.8, without NUL
Coding: TypeAlias = Literal["default", "ascii", "latin1", "iso8859-5", "iso8859-8", "ucs2"]
Codings = Annotated[list[Coding], Meta(min_length=1)]
TlvType: TypeAlias = Literal["int8", "int16", "int32", "text", "cstring", "hex"]

_BITS: Final[dict[str, int]] = {"int8": 8, "int16": 16, "int32": 32}
_LONGEST_VALUE: Final = 255  # octets that are sent; real vendors' values are shorter
_LONGEST_NAME: Final = 11  # characters of an alphanumeric sender: TS 23.040 §9.1.2.5
# What this program writes by itself, SMPP 3.4 §5.3.2: sar_msg_ref_num, sar_total_segments, sar_segment_seqnum,
# message_payload.
_OURS: Final = frozenset({0x020C, 0x020E, 0x020F, 0x0424})


class Tlv(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vendor's optional parameter."""

    tag: Tag
    type: TlvType  # text: its octets; cstring: with a NUL behind them; hex: any octets
    value: int | str

    def octets(self) -> bytes:
        """Return the value as it is sent.

        Raises:
            ValueError: it is not of its type.
        """
        if isinstance(self.value, int):
            if self.type not in _BITS:
                raise ValueError("a text in quotes")
            bits = _BITS[self.type]
            if not 0 <= self.value < 1 << bits:
                raise ValueError(f"whole numbers from 0 to {(1 << bits) - 1}")
            return self.value.to_bytes(bits // 8, "big")
        if self.type in _BITS:
            raise ValueError("a whole number without quotes")
        if self.type == "hex":
            try:
                return bytes.fromhex(self.value)
            except ValueError:
                raise ValueError("pairs of hexadecimal digits") from None
        if "\0" in self.value:
            raise ValueError("texts without NUL")
        return self.value.encode() + (b"\0" if self.type == "cstring" else b"")


def link_problems(link: "LinkSettings") -> Iterator[str]:
    """Yield what is wrong with a link's settings of this kind: "setting: sentence"."""
    yield from _common_problems(link)
    yield from _twice("codings", list(link.codings))
    yield from _twice("echo_tlvs", [f"0x{tag:04x}" for tag in link.echo_tlvs])
    yield from (f"echo_tlvs: {_ours(tag)}" for tag in link.echo_tlvs if tag in _OURS)
    if (link.receipts_of != "all" or link.receipts_intermediate) and not link.receipts:
        field = "receipts_of" if link.receipts_of != "all" else "receipts_intermediate"
        yield f"{field}: says nothing while receipts = false; set receipts = true"
    if link.interface_version == "3.3":
        yield from _too_new(link)


def service_problems(service: "ServiceSettings") -> Iterator[str]:
    """Yield what is wrong with a service's settings of this kind."""
    yield from _common_problems(service)


def _too_new(link: "LinkSettings") -> Iterator[str]:
    """SMPP 3.3 has no optional parameters."""
    if link.long_messages in {"sar", "payload"}:
        yield f'long_messages: "{link.long_messages}" needs optional parameters; SMPP 3.3 allows "udh8" and "udh16"'
    for field in ("tlvs", "echo_tlvs"):
        if getattr(link, field):
            yield f"{field}: SMPP 3.3 has no optional parameters; leave them out, or set interface_version"


def _common_problems(settings: "LinkSettings | ServiceSettings") -> Iterator[str]:
    yield from text_problems("service_type", settings.service_type)
    yield from address_problems("source_addr", settings.source_addr)
    yield from tlv_problems(settings.tlvs)


def text_problems(field: str, value: str) -> Iterator[str]:
    """Yield what is wrong with a C-octet string (SMPP 3.4 §3.1)."""
    if not (value.isascii() and value.isprintable()):
        yield f"{field}: {words.shown(value)} is not allowed; allowed are the visible characters of ASCII and spaces"


def address_problems(field: str, address: str) -> Iterator[str]:
    """Yield what is wrong with an address that messages come from."""
    yield from text_problems(field, address)
    if len(address) > _LONGEST_NAME and not address.lstrip("+").isdigit():
        shown = words.shown(address)
        yield f"{field}: {shown} has {len(address)} characters; with letters {_LONGEST_NAME} are allowed"


def tlv_problems(tlvs: Sequence[Tlv]) -> Iterator[str]:
    """Yield what is wrong with a vendor's optional parameters."""
    tags = [f"0x{one.tag:04x}" for one in tlvs]
    yield from _twice("tlvs", tags)
    for one, tag in zip(tlvs, tags, strict=True):
        if one.tag in _OURS:
            yield f"tlvs: {_ours(one.tag)}"
        try:
            octets = one.octets()
        except ValueError as error:
            yield f"tlvs: {tag}: {words.shown(one.value)} is no {one.type}; allowed are {error}"
        else:
            if len(octets) > _LONGEST_VALUE:
                yield f"tlvs: {tag}: {len(octets)} octets are not allowed; allowed are up to {_LONGEST_VALUE}"


def _ours(tag: int) -> str:
    return f"0x{tag:04x} is not allowed: long_messages decides about it"


def _twice(field: str, values: list[str]) -> Iterator[str]:
    yield from (f'{field}: "{value}" stands there twice' for value in sorted(set(values)) if values.count(value) > 1)
