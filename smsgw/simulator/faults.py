"""Everything that an SMSC does wrong in the field, as data: what goes wrong, and how often.

A fault with ``times`` happens that often, None means until ``Smsc.behave``. Faults of one kind are used up in order.
"""

from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

from smsgw.kit.limits import TokenBucket
from smsgw.smpp import status
from smsgw.smpp.codec import HEADER, encode
from smsgw.smpp.pdus import DeliverSm, SubmitSmResp


class RefuseBinds(msgspec.Struct, frozen=True, kw_only=True):
    """Binds are answered with this status, whatever their credentials."""

    status: int = status.ESME_RINVPASWD
    times: int | None = 1


class NoAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """A submit_sm is taken, and gets no response."""

    times: int | None = 1


class ErrorAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """A submit_sm is not taken, and answered with this status."""

    status: int = status.ESME_RTHROTTLED
    times: int | None = 1
    form: Literal["bare", "full", "nack"] = "bare"  # without a body, with one and a TLV, as a generic_nack


class Throttling(msgspec.Struct, frozen=True, kw_only=True):
    """What is submitted faster than this is not taken, and answered with this status."""

    per_second: int
    status: int = status.ESME_RTHROTTLED
    times: int | None = None


class ShuffledAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """So many submit_sm are taken and answered together, the last first."""

    together: int = 2
    times: int | None = 1


class SlowAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """A submit_sm is taken, and answered late."""

    delay_ms: int
    times: int | None = 1


class RepeatedAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """A submit_sm is taken, and answered twice."""

    times: int | None = 1


class Duplicates(msgspec.Struct, frozen=True, kw_only=True):
    """A message is delivered twice at once: equal content, two sequence numbers."""

    times: int | None = 1


class Redeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the gateway has acknowledged is delivered again all the same, a moment later."""

    times: int | None = 1


class Drops(msgspec.Struct, frozen=True, kw_only=True):
    """The connection breaks instead of taking the next PDU, after ``after_pdus`` others on all connections together."""

    after_pdus: int = 0
    times: int | None = 1


class Octets(msgspec.Struct, frozen=True, kw_only=True):
    """These octets are written at once on every connection that is bound, or else on the next one that binds."""

    octets: bytes
    hang: bool = False  # afterwards nothing on these connections is read or answered any more


Fault: TypeAlias = (
    RefuseBinds
    | NoAnswers
    | ErrorAnswers
    | Throttling
    | ShuffledAnswers
    | SlowAnswers
    | RepeatedAnswers
    | Duplicates
    | Redeliveries
    | Drops
    | Octets
)

_DELIVER: Final = encode(DeliverSm(source_addr="359880000000", destination_addr="1234", short_message=b"half"), 77)

HANG: Final = Octets(octets=b"", hang=True)
HALF_A_PDU: Final = Octets(octets=_DELIVER[: len(_DELIVER) // 2], hang=True)
LENGTH_3: Final = Octets(octets=HEADER.pack(3, DeliverSm.command_id, 0, 77))
LENGTH_4_GB: Final = Octets(octets=HEADER.pack(0xFFFFFFFF, DeliverSm.command_id, 0, 77))
UNKNOWN_COMMAND: Final = Octets(octets=HEADER.pack(16, 0x00010203, 0, 77))
STRAY_RESPONSE: Final = Octets(octets=encode(SubmitSmResp(message_id="f00"), 0x7FFFFF00))

FaultT = TypeVar("FaultT", bound=Fault)


class Mischief:
    """The faults that are still to happen."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._planned: list[tuple[Fault, int | None]] = []  # fault, times left; None: for ever
        self._spared = 0  # PDUs since the first Drops began to count
        self._bucket: TokenBucket | None = None  # of the Throttling that holds
        self.plan(*faults)

    def plan(self, *faults: Fault) -> None:
        """Let these happen too."""
        self._planned += [(fault, 1 if isinstance(fault, Octets) else fault.times) for fault in faults]

    def clear(self) -> None:
        """Let nothing more happen."""
        self._planned.clear()
        self._spared = 0
        self._bucket = None

    def throttles(self, now_ms: int) -> int | None:
        """Return the status for a submit_sm that comes too fast now, None for one that does not."""
        throttling = self.current(Throttling)
        if throttling is None:
            return None
        if self._bucket is None:
            self._bucket = TokenBucket(throttling.per_second, throttling.per_second)
        if self._bucket.take(1, now_ms):
            return None
        self.take(Throttling)
        return throttling.status

    def current(self, kind: type[FaultT]) -> FaultT | None:
        """Return the first fault of this kind, as it will be taken."""
        return next((fault for fault, _ in self._planned if isinstance(fault, kind)), None)

    def take(self, kind: type[FaultT]) -> FaultT | None:
        """Return the first fault of this kind and count that it happens; None when there is none."""
        for index, (fault, left) in enumerate(self._planned):
            if isinstance(fault, kind):
                if left is not None:
                    self._planned[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None

    def drops(self) -> bool:
        """Whether the connection breaks now; call it once for each PDU that comes in."""
        waiting = self.current(Drops)
        if waiting is None:
            return False
        if self._spared < waiting.after_pdus:
            self._spared += 1
            return False
        self._spared = 0
        return self.take(Drops) is not None
