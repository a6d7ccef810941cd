"""One compiled encode and one compiled decode function for each PDU: values in, octets out, and back.

Walking a table for every PDU costs 90 µs; a function generated from the same table once, at import, costs 2 to 4 µs.

What is read more kindly than the specification says, because SMSCs exist that write it:

- a response may have no body at all; its fields are then empty. An error response whose body cannot be read counts as
  one without a body: a definite refusal must not be lost over it;
- the last C-octet string of a PDU may lack its NUL at the very end of the frame;
- C-octet strings may be longer than specified, up to ``LONGEST_TEXT`` octets;
- optional parameters may stand in any PDU; up to three NUL octets after the last of them are padding.

What is written is never kinder than the specification: what does not fit is refused by name, and never cut.
"""

import struct
from collections.abc import Callable
from typing import Any, Final, NoReturn

from smsgw.errors import PduError
from smsgw.smpp import pdus, status
from smsgw.smpp.fields import FIELDS, Field
from smsgw.smpp.pdus import Pdu
from smsgw.smpp.tlvs import read_tlvs, write_tlvs

HEADER: Final = struct.Struct(">IIII")  # command_length, command_id, command_status, sequence_number (§3.2)
HEADER_BYTES: Final = HEADER.size
LONGEST_TEXT: Final = 255  # octets of a C-octet string that are read, without NUL; real message ids exceed their 64

# The status that names the field best (§5.1.3); elsewhere ESME_RINVPARLEN.
_FIELD_STATUS: Final = {
    "system_id": status.ESME_RINVSYSID,
    "password": status.ESME_RINVPASWD,
    "system_type": status.ESME_RINVSYSTYP,
    "service_type": status.ESME_RINVSERTYP,
    "source_addr": status.ESME_RINVSRCADR,
    "destination_addr": status.ESME_RINVDSTADR,
    "message_id": status.ESME_RINVMSGID,
    "schedule_delivery_time": status.ESME_RINVSCHED,
    "validity_period": status.ESME_RINVEXPIRY,
    "short_message": status.ESME_RINVMSGLEN,
}

# §4.1.2 and §4.4.2: these have no body when they tell of an error.
_BODILESS_ERRORS: Final[tuple[type[Pdu], ...]] = (
    pdus.BindTransmitterResp,
    pdus.BindReceiverResp,
    pdus.BindTransceiverResp,
    pdus.SubmitSmResp,
)

_Reader = Callable[[bytes, int, int], Pdu]
_Writer = Callable[[Any, int], bytes]


def decode(frame: bytes) -> Pdu:
    """Read one complete PDU, header included (§3.2).

    Raises:
        PduError: with the command_status to answer, and the sequence number where there is one.
    """
    if len(frame) < HEADER_BYTES:
        raise PduError("a PDU of less than 16 octets", command_status=status.ESME_RINVCMDLEN)
    length, command_id, command_status, sequence_number = HEADER.unpack_from(frame)
    reader = _READERS.get(command_id, _unknown) if length == len(frame) else _misframed
    try:
        return reader(frame, command_status, sequence_number)
    except IndexError:
        error = PduError(
            f"{pdus.BY_ID[command_id].name} ends too early",
            command_status=status.ESME_RINVCMDLEN,
            command_id=command_id,
            sequence_number=sequence_number,
        )
    except PduError as raised:
        error = raised
        error.command_id = command_id
        error.sequence_number = sequence_number
    if command_status and command_id & pdus.RESPONSE_BIT and command_id in pdus.BY_ID:
        return decode_header(frame)
    raise error


def decode_header(frame: bytes) -> Pdu:
    """Read the header alone, of a frame whose command_id is known; all else is empty."""
    _, command_id, command_status, sequence_number = HEADER.unpack_from(frame)
    return pdus.BY_ID[command_id](sequence_number=sequence_number, command_status=command_status)


def encode(pdu: Pdu, sequence_number: int) -> bytes:
    """Write one PDU under the sequence number given (its own is not looked at).

    Raises:
        PduError: a field does not fit; names the field and its limit.
    """
    return _WRITERS[type(pdu)](pdu, sequence_number)


def _unknown(frame: bytes, command_status: int, sequence_number: int) -> NoReturn:  # noqa: ARG001 - reads like a reader
    raise PduError("unknown command_id", command_status=status.ESME_RINVCMDID)


def _misframed(frame: bytes, command_status: int, sequence_number: int) -> NoReturn:  # noqa: ARG001 - as above
    raise PduError("command_length is not the PDU's length", command_status=status.ESME_RINVCMDLEN)


def _refuse(pdu: Pdu, sequence_number: int) -> NoReturn:
    """Find what could not be written. Apart from the hot path, which only notices that something could not."""
    for field in FIELDS[type(pdu)]:
        problem = _problem(field, getattr(pdu, field.name))
        if problem:
            raise PduError(
                f"{pdu.name}: {field.name} {problem}",
                command_status=_FIELD_STATUS.get(field.name, status.ESME_RINVPARLEN),
                command_id=pdu.command_id,
                sequence_number=sequence_number,
            )
    raise PduError(
        f"{pdu.name}: a number in the header is not between 0 and 4294967295",
        command_status=status.ESME_RSYSERR,
        command_id=pdu.command_id,
    )


def _problem(field: Field, value: object) -> str:
    if field.kind == "integer":
        fits = isinstance(value, int) and 0 <= value <= field.limit
        return "" if fits else f"must be a number from 0 to {field.limit}"
    if field.kind == "octets":
        fits = isinstance(value, bytes) and len(value) <= field.limit
        return "" if fits else f"must be at most {field.limit} octets"
    if not isinstance(value, str) or len(value) > field.limit:
        return f"must be a text of at most {field.limit} characters"
    fits = "\0" not in value and all(ord(character) <= 0xFF for character in value)  # noqa: PLR2004 - latin-1's end
    return "" if fits else "must be latin-1 without NUL"


def _unterminated(name: str, field: str, at: int, end: int) -> NoReturn:
    """A C-octet string has no NUL: either the PDU ends in it, or it is longer than anybody's."""
    if end - at <= LONGEST_TEXT:
        raise IndexError
    raise PduError(
        f"{name}: {field} is longer than {LONGEST_TEXT} octets",
        command_status=_FIELD_STATUS.get(field, status.ESME_RINVPARLEN),
    )


def _overrun(name: str, field: str) -> NoReturn:
    raise PduError(
        f"{name}: {field} is longer than the PDU",
        command_status=_FIELD_STATUS.get(field, status.ESME_RINVPARLEN),
    )


def _reader_source(pdu: type[Pdu], fields: tuple[Field, ...]) -> str:
    """Python source of ``read(frame, command_status, sequence_number)``.

    The frame is read as latin-1 text once, in which every octet is one character: C-octet strings are then mere slices.
    """
    lines = ["def read(frame, command_status, sequence_number):", " end = len(frame)"]
    if pdu.command_id & pdus.RESPONSE_BIT and fields:
        lines += [
            f" if end == {HEADER_BYTES}:",
            "  return pdu(sequence_number=sequence_number, command_status=command_status)",
        ]
    if any(field.kind == "text" for field in fields):
        lines.append(" text = frame.decode('latin-1')")
    base, offset = str(HEADER_BYTES), 0  # where the next field starts: a variable or number, plus a number
    for field in fields:
        at = f"{base} + {offset}"
        if field.kind == "integer":
            lines.append(f" {field.name} = frame[{at}]")
            offset += 1
        elif field.kind == "text":
            lines += _text_source(pdu, field, at, last=field is fields[-1])
            base, offset = "stop", 1
        else:
            lines += _octets_source(pdu, field, at)
            base, offset = "stop", 0
    lines += [
        f" start = {base} + {offset}",
        " return pdu(",
        "  sequence_number=sequence_number, command_status=command_status,",
        "  tlvs=read_tlvs(frame, start) if start < end else {},",
        *(f"  {field.name}={field.name}," for field in fields),
        " )",
    ]
    return "\n".join(lines)


def _text_source(pdu: type[Pdu], field: Field, at: str, *, last: bool) -> list[str]:
    """Lines that read a C-octet string at ``at``, and leave ``stop`` on its NUL."""
    complain = f"unterminated({pdu.name!r}, {field.name!r}, start, end)"
    return [
        f" start = {at}",
        f" stop = text.find('\\0', start, start + {LONGEST_TEXT + 1})",
        " if stop < 0:",
        *([f"  if end - start > {LONGEST_TEXT}: {complain}", "  stop = end"] if last else [f"  {complain}"]),
        f" {field.name} = text[start:stop]",
    ]


def _octets_source(pdu: type[Pdu], field: Field, at: str) -> list[str]:
    """Lines that read a length octet at ``at`` and as many octets as it says, and leave ``stop`` after them."""
    return [
        f" start = {at} + 1",
        " stop = start + frame[start - 1]",
        f" if stop > end: overrun({pdu.name!r}, {field.name!r})",
        f" {field.name} = frame[start:stop]",
    ]


def _writer_source(pdu: type[Pdu], fields: tuple[Field, ...]) -> str:
    """Python source of ``write(pdu, sequence_number)``.

    All fields go through one format string: "%c" writes an integer, and latin-1 then refuses what is over 255.
    """
    formats = {"integer": "%c", "text": "%s\\0", "octets": "%c"}
    checks = []
    for field in fields:
        if field.kind == "text":
            checks.append(f"len({field.name}) > {field.limit} or '\\0' in {field.name}")
        elif field.kind == "octets":
            checks.append(f"len({field.name}) > {field.limit}")
    values = [f"len({field.name})" if field.kind == "octets" else field.name for field in fields]
    octets = [field.name for field in fields if field.kind == "octets"]
    lines = [
        "def write(pdu, sequence_number):",
        " tlvs = write_tlvs(pdu) if pdu.tlvs else b''",
        " try:",
        *(f"  {field.name} = pdu.{field.name}" for field in fields),
    ]
    if checks:
        lines += [f"  if {' or '.join(checks)}:", "   refuse(pdu, sequence_number)"]
    body = f"('{''.join(formats[field.kind] for field in fields)}' % ({', '.join(values)},)).encode('latin-1')"
    lines += [
        f"  body = {' + '.join([body, *octets, 'tlvs']) if fields else 'tlvs'}",
        *_bodiless_source(pdu, fields),
        f"  return pack({HEADER_BYTES} + len(body), {pdu.command_id}, pdu.command_status, sequence_number) + body",
        " except (TypeError, ValueError, OverflowError, error):",
        "  refuse(pdu, sequence_number)",
    ]
    return "\n".join(lines)


def _bodiless_source(pdu: type[Pdu], fields: tuple[Field, ...]) -> list[str]:
    if pdu not in _BODILESS_ERRORS:
        return []
    empty = " and ".join(f"not {field.name}" for field in fields)
    return [f"  if pdu.command_status and {empty} and not tlvs:", "   body = b''"]


def _compile(source: str, name: str, pdu: type[Pdu]) -> Any:
    scope: dict[str, Any] = {
        "pdu": pdu,
        "read_tlvs": read_tlvs,
        "write_tlvs": write_tlvs,
        "refuse": _refuse,
        "unterminated": _unterminated,
        "overrun": _overrun,
        "pack": HEADER.pack,
        "error": struct.error,
    }
    exec(compile(source, f"<{name} {pdu.name}>", "exec"), scope)  # noqa: S102 - our own source, made from tables at import
    return scope[name]


_READERS: Final[dict[int, _Reader]] = {
    pdu.command_id: _compile(_reader_source(pdu, fields), "read", pdu) for pdu, fields in FIELDS.items()
}
_WRITERS: Final[dict[type[Pdu], _Writer]] = {
    pdu: _compile(_writer_source(pdu, fields), "write", pdu) for pdu, fields in FIELDS.items()
}
