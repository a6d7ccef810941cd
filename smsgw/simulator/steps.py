"""The steps of a scenario, one type for each thing that an SMSC can do or that can be expected of a gateway.

A step is a table with ``do`` and what that needs. ``note`` is said when it is played, ``after_s`` waits before it.
Statuses are the specification's names (ESME_RTHROTTLED) or numbers, octets are pairs of hexadecimal digits.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from smsgw.simulator.operations import Operation
from smsgw.simulator.receipts import Dialect

Seconds = Annotated[float, Meta(ge=0, le=3600)]
Times = Annotated[int, Meta(ge=1, le=100_000)]
Octet = Annotated[int, Meta(ge=0, le=255)]
StatusName: TypeAlias = str | int
Kind = Literal["transceiver", "transmitter", "receiver"]


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """What every step has."""

    note: str = ""
    after_s: Seconds = 0.0


# What is expected of the gateway


class Expectation(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that the gateway must do in time."""

    within_s: Seconds = 10.0


class ExpectBound(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expect bound"):
    """Binds of these kinds stand; more may. A gateway may pause for half a minute between two attempts."""

    within_s: Seconds = 60.0
    kinds: tuple[Kind, ...] = ("transceiver",)


class ExpectGone(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expect gone"):
    """No bind stands any more."""


class ExpectTried(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expect tried"):
    """The gateway has asked to bind so many times since the last step of this kind, with or without success."""

    times: Times = 1


class ExpectAnswer(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expect answer"):
    """The gateway's last word about a message that was delivered."""

    message: str = ""  # its name; default: the last one
    status: StatusName = 0


class ExpectReply(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expect reply"):
    """Messages to a subscriber that the SMSC took, whole."""

    to: str = ""  # default: the subscriber of the last message; "*": anybody
    text: str = ""  # that each of them holds
    times: Times = 1


class ExpectPdu(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expect pdu"):
    """PDUs of the gateway, taken or not, that no step of this kind has counted before."""

    pdu: str
    times: Times = 1
    fields: dict[str, str | int] = {}  # that each of them has


class ExpectQuiet(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expect quiet"):
    """No message that no step has counted is, or will soon be, submitted."""

    for_s: Seconds = 0.5


# What a subscriber does


class Deliver(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="deliver", rename={"source": "from"}):
    """A message to the gateway, in as many parts as it takes."""

    name: str = ""  # for a step that asks about it
    source: str = "{subscriber}"
    to: str = "{short_code}"
    text: str = "{keyword}"
    octets: str | None = None  # instead of the text
    data_coding: Octet | None = None  # default: 0 where that carries the text, otherwise 8
    form: Literal["short_message", "message_payload", "data_sm"] = "short_message"
    header: Literal["udh8", "udh16", "sar"] = "udh8"  # how parts are numbered
    cut: Annotated[int, Meta(ge=0, le=240)] = 0  # octets of a part; default: as many as the radio carries
    reference: Annotated[int, Meta(ge=0, le=65_535)] | None = None  # default: the next one
    total: Octet | None = None  # of parts, as the header says it; default: the truth
    send: tuple[
        Octet, ...
    ] = ()  # which parts, in which order; default: each once; what is not there has the last's text
    tlvs: dict[str, str] = {}  # {"0x1400": "0a0b"}
    esm_class: Octet = 0
    service_type: Annotated[str, Meta(max_length=5)] = ""
    times: Times = 1
    apart: bool = False  # each time from another subscriber: the numbers follow each other


class Alert(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="alert"):
    """alert_notification: a subscriber can be reached again."""

    source: str = "{subscriber}"


# How the SMSC behaves from now on


class Receipts(Dialect, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="receipts"):
    """How receipts are written; what is not named is as most SMSCs have it."""

    note: str = ""
    after_s: Seconds = 0.0


class Offer(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="offer"):
    """Which questions about messages are answered."""

    operations: tuple[Operation, ...] = ()


class Fault(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something goes wrong so many times; 0: until "behave"."""

    times: Annotated[int, Meta(ge=0, le=100_000)] = 1


class RefuseBinds(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="refuse binds"):
    """Binds are refused, whatever their credentials."""

    status: StatusName = "ESME_RINVPASWD"


class NoAnswers(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="no answers"):
    """Messages are taken, and not answered."""


class ErrorAnswers(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="error answers"):
    """Messages are not taken."""

    status: StatusName = "ESME_RTHROTTLED"
    form: Literal["bare", "full", "nack"] = "bare"  # without a body, with one and a TLV, as a generic_nack


class Throttle(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="throttle"):
    """Messages that come faster than this are refused, until "behave"."""

    per_second: Times
    status: StatusName = "ESME_RTHROTTLED"


class SlowAnswers(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="slow answers"):
    """Messages are taken, and answered late."""

    delay_s: Seconds


class DoubleAnswers(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="double answers"):
    """Messages are taken, and answered twice."""


class ShuffledAnswers(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="shuffled answers"):
    """So many messages are taken and answered together, the last first."""

    together: Annotated[int, Meta(ge=2, le=1000)] = 2


class Duplicates(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="duplicates"):
    """The next message is delivered twice at once, on one healthy connection."""


class Redeliveries(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="redeliveries"):
    """A message that the gateway acknowledged is delivered again all the same."""


class LoseAnswers(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="lose answers"):
    """The connection breaks instead of taking the gateway's next PDU, as its answer to a message."""

    after_pdus: Annotated[int, Meta(ge=0, le=100_000)] = 0


class Behave(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="behave"):
    """Everything that was to go wrong, and has not yet, is forgotten."""


# What is done once


class Drop(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="drop"):
    """Every connection breaks."""


class Close(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="close"):
    """Every connection breaks, and nobody listens until "open"."""


class Open(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="open"):
    """Listen again."""


class Unbind(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="unbind"):
    """Ask every gateway to end its session."""


class Hang(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hang"):
    """The connections that are bound stay open, and nothing on them is read or answered any more."""


class Write(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="write"):
    """These octets are written on every connection that is bound."""

    octets: str


class Outbind(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="outbind"):
    """Connect to the gateway (--gateway), as soon as it listens there, and ask it to bind."""

    system_id: str = "simulator"
    password: str = "secret"  # noqa: S105 - a simulator's, told to everybody


class Wait(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="wait"):
    """Do nothing."""

    seconds: Seconds


AnyStep: TypeAlias = (
    ExpectBound
    | ExpectGone
    | ExpectTried
    | ExpectAnswer
    | ExpectReply
    | ExpectPdu
    | ExpectQuiet
    | Deliver
    | Alert
    | Receipts
    | Offer
    | RefuseBinds
    | NoAnswers
    | ErrorAnswers
    | Throttle
    | SlowAnswers
    | DoubleAnswers
    | ShuffledAnswers
    | Duplicates
    | Redeliveries
    | LoseAnswers
    | Behave
    | Drop
    | Close
    | Open
    | Unbind
    | Hang
    | Write
    | Outbind
    | Wait
)


def word(step: type[Struct] | Struct) -> str:
    """Return what ``do`` says for a step."""
    tag = step.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


BY_WORD: Final[dict[str, type[AnyStep]]] = {word(kind): kind for kind in AnyStep.__args__}
FIELDS: Final = {
    kind: {field.encode_name: field for field in msgspec.structs.fields(kind)} for kind in BY_WORD.values()
}
