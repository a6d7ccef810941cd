"""How an MT is submitted, as far as it is not the link's: what the message that it answers and the service say.

What somebody says goes before what was said earlier: the link's addresses, then what is echoed from the message, then
the service; a tariff would come last. Whatever nobody has said is the link's, and is looked up when the MT is sent.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from smsgw.settings import LinkSettings, ServiceSettings
from smsgw.settings.submission import Unset

_ALPHANUMERIC: Final = 5  # type of number, SMPP 3.4 §5.2.5
_UNKNOWN: Final = 0  # numbering plan, §5.2.6


class Manner(Struct, frozen=True, kw_only=True):
    """What differs from the message that is answered, turned round, and from the link's settings."""

    source: str | None = None  # None: the address that was written to
    source_ton: int | None = None
    source_npi: int | None = None
    dest_ton: int | None = None
    dest_npi: int | None = None
    service_type: str = ""  # "": the link's
    priority: int = 0  # higher ones are sent first; on the wire the greater of this and the link's, up to 3
    protocol_id: int | None = None
    tlvs: dict[int, bytes] = {}


PLAIN: Final = Manner()


def of_service(settings: ServiceSettings) -> Manner:
    """Return what a service's settings say."""
    ton, npi = _source_kind(settings)
    manner = Manner(
        source=settings.source_addr or None,
        source_ton=ton,
        source_npi=npi,
        service_type=settings.service_type,
        priority=settings.priority,
        protocol_id=_set(settings.protocol_id),
        tlvs={one.tag: one.octets() for one in settings.tlvs},
    )
    return PLAIN if manner == PLAIN else manner


def of_message(settings: LinkSettings, received: Mapping[int, bytes]) -> Manner:
    """Return what a link's settings say of the addresses, and the TLVs that an answer has from its message."""
    ton, npi = _source_kind(settings)
    return Manner(
        source=settings.source_addr or None,
        source_ton=ton,
        source_npi=npi,
        dest_ton=_set(settings.dest_ton),
        dest_npi=_set(settings.dest_npi),
        tlvs={tag: received[tag] for tag in settings.echo_tlvs if tag in received} if settings.echo_tlvs else {},
    )


def over(first: Manner, then: Manner) -> Manner:
    """Return what is said by both, where the second goes before the first; the greater priority."""
    if then is PLAIN:
        return first
    own_source = then.source is not None  # then its kind of number belongs to it, not to the one that it replaces
    return Manner(
        source=then.source if own_source else first.source,
        source_ton=then.source_ton if own_source or then.source_ton is not None else first.source_ton,
        source_npi=then.source_npi if own_source or then.source_npi is not None else first.source_npi,
        dest_ton=first.dest_ton if then.dest_ton is None else then.dest_ton,
        dest_npi=first.dest_npi if then.dest_npi is None else then.dest_npi,
        service_type=then.service_type or first.service_type,
        priority=max(first.priority, then.priority),
        protocol_id=first.protocol_id if then.protocol_id is None else then.protocol_id,
        tlvs={**first.tlvs, **then.tlvs},
    )


def _source_kind(settings: LinkSettings | ServiceSettings) -> tuple[int | None, int | None]:
    """Return type of number and numbering plan of the source; a name has its own unless the settings say otherwise."""
    name = bool(settings.source_addr) and not settings.source_addr.lstrip("+").isdigit()
    ton, npi = _set(settings.source_ton), _set(settings.source_npi)
    return (_ALPHANUMERIC if name and ton is None else ton), (_UNKNOWN if name and npi is None else npi)


def _set(value: int) -> int | None:
    return None if value == Unset else value
