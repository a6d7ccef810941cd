"""What one session brings in: messages, acknowledged when they are on disk, and the proof that the SMSC read that."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Final

from smsgw.errors import RepeatUndecided, SmsgwError, StoreBroken, StoreError, StoreUnavailable
from smsgw.flows.drafts import Arrival
from smsgw.flows.ports import Ports
from smsgw.flows.receive import Alerted, Receiver, SessionEnded, SessionProven, SessionStarted
from smsgw.kit.logs import get_logger
from smsgw.settings import LinkSettings
from smsgw.smpp import pdus, status, tlvs
from smsgw.smpp.session import Session
from smsgw.store.operations import AlertRow
from smsgw.store.sessions import SessionRow

log = get_logger(__name__)

Message = pdus.DeliverSm | pdus.DataSm

_STORE_AGAIN_S: Final = 0.5
_MOST_MARKS: Final = 4096  # even
_TELL_NOT_STORED_S: Final = 1.0  # between two lines about messages that the store has not taken
_MOST_ALERTS: Final = 500  # that wait for the store: the rest of its room is for messages, which are paid for
_MOST_AVAILABILITY: Final = 0xFF  # one octet (SMPP 3.4 §5.3.2.30)
_TELL_PROOF_S: Final = 0.1  # how long a proof waits for an arrival that carries it to the store


class Arrivals:
    """The inward half of a connection.

    Args:
        ports: the world.
        link: the link's name.
        settings: its settings.
        receiver: stores what arrives.
        session: answers it.
        written: called when there is an answer to be written.

    Attributes:
        id: of the session in the store; "" before it has begun.
    """

    def __init__(
        self,
        ports: Ports,
        link: str,
        settings: LinkSettings,
        receiver: Receiver,
        *,
        session: Session,
        written: Callable[[], None],
    ) -> None:
        self.id = ""
        self._ports = ports
        self._link = link
        self._settings = settings
        self._receiver = receiver
        self._session = session
        self._written = written
        self._unanswered: dict[str, str] = {}  # {message: the one that came before it}, in order of arrival
        self._newest = ""
        # (ordinal of an answer, message): with that answer, everything up to this message was answered
        self._answered: deque[tuple[int, str]] = deque()
        self._proven = ""
        self._stored_proof = ""  # the latest that is on its way to the store
        self._proof_timer: asyncio.TimerHandle | None = None
        self._alerts = 0  # that wait for the store
        self._not_stored = 0  # since the last line about them
        self._not_stored_timer: asyncio.TimerHandle | None = None
        self._stores = False

    # The session in the store: begun before the first message can come, ended before the next one begins

    async def begin(self, *, stores: bool) -> None:
        """Begin the session.

        Args:
            stores: whether messages may come; a transmitter's session is nobody's business.

        Raises:
            StoreError: it cannot be recorded.
        """
        ports = self._ports
        self.id = ports.ids.new("ses")
        self._proven = self._stored_proof = self._newest = ports.ids.new("mo")
        self._stores = stores
        if stores:
            row = SessionRow(
                id=self.id, link=self._link, node=ports.node, bound_ms=ports.clock.now_ms(), proven=self._proven
            )
            try:
                await self._receiver.submit(SessionStarted(row=row))
            except asyncio.QueueFull:
                raise StoreUnavailable("too much waits to be stored") from None

    async def end(self) -> None:
        """Record what was proven; wait for the store if need be: the next session must not begin before."""
        while self._stores and self.id:
            item = SessionEnded(session=self.id, link=self._link, proven=self._proven)
            try:
                await asyncio.shield(self._receiver.submit(item))
            except StoreBroken:
                raise
            except (StoreError, asyncio.QueueFull):
                await asyncio.sleep(_STORE_AGAIN_S)
            else:
                return

    def close(self) -> None:
        """Hear that the connection is gone."""
        if self._proof_timer is not None:
            self._proof_timer.cancel()

    # What comes

    def take(self, request: Message) -> None:
        """Have a message stored, and acknowledge it then."""
        ports = self._ports
        if self._proven == self._newest:  # what the session may leave in doubt begins here, not at its last message
            self._proven = self._newest = ports.ids.new("mo")
        mo = ports.ids.new("mo")
        arrival = Arrival(
            id=mo,
            link=self._link,
            session=self.id,
            received_ms=ports.clock.now_ms(),
            arrived_ms=ports.clock.monotonic_ms(),
            proven=self._proven,
            pdu=request,
        )
        try:
            future = self._receiver.submit(arrival)
        except asyncio.QueueFull:
            self.put_off(request)
        else:
            self._stored_proof = self._proven
            self._unanswered[mo] = self._newest
            self._newest = mo
            future.add_done_callback(partial(self._on_stored, request, mo))

    def take_alert(self, alert: pdus.AlertNotification) -> None:
        """Have it recorded; it has no answer, so that what cannot be stored now is lost."""
        if self._alerts >= _MOST_ALERTS:
            return
        ports = self._ports
        availability = tlvs.integer(alert.tlvs, tlvs.MS_AVAILABILITY_STATUS)
        row = AlertRow(
            id=ports.ids.new("al"),
            link=self._link,
            received_ms=ports.clock.now_ms(),
            source=alert.source_addr,
            esme=alert.esme_addr,
            ms_availability=availability if availability is None or availability <= _MOST_AVAILABILITY else None,
        )
        log.info("link.alert", link=row.link, alert=row.id, ms_availability=row.ms_availability)
        with contextlib.suppress(asyncio.QueueFull):
            self._receiver.submit(Alerted(row=row)).add_done_callback(self._on_alert_stored)
            self._alerts += 1

    def _on_alert_stored(self, stored: asyncio.Future[None]) -> None:
        self._alerts -= 1
        look_at(stored)

    def put_off(self, request: Message) -> None:
        """Ask for a message again later."""
        self._answer(request, "", self._settings.temporary_error)

    def _on_stored(self, request: Message, mo: str, stored: asyncio.Future[None]) -> None:
        """Acknowledge what is on disk; ask for another try of what is not."""
        error = None if stored.cancelled() else stored.exception()
        if error is None and not stored.cancelled():
            self._answer(request, mo, status.ESME_ROK)
            return
        if isinstance(error, StoreBroken):
            return  # the daemon stops; an answer now could be the last lie
        if isinstance(error, RepeatUndecided):
            log.warning("mo.undecided", mo=mo, link=self._link)
            self._answer(request, mo, self._settings.temporary_error)
            return
        self._tell_not_stored(mo, error)
        self._answer(request, mo, self._settings.temporary_error)

    def _tell_not_stored(self, mo: str, error: BaseException | None) -> None:
        """Log what was not stored: each that is our mistake; when the store is away the first, then their number."""
        if not isinstance(error, SmsgwError):
            log.error("mo.not_stored", mo=mo, link=self._link, exc_info=error)
        elif self._not_stored_timer is not None:
            self._not_stored += 1
        else:
            log.error("mo.not_stored", mo=mo, link=self._link, error=str(error))
            loop = asyncio.get_running_loop()
            self._not_stored_timer = loop.call_later(_TELL_NOT_STORED_S, self._tell_number, str(error))

    def _tell_number(self, error: str) -> None:
        self._not_stored_timer = None
        if self._not_stored:
            log.error("mo.not_stored", link=self._link, count=self._not_stored, error=error)
            self._not_stored = 0

    def _answer(self, request: Message, mo: str, command_status: int) -> None:
        response = pdus.RESPONSE_TO[type(request)](command_status=command_status)
        ordinal = self._session.respond(request, response, self._ports.clock.monotonic_ms())
        if ordinal and mo:
            self._mark(ordinal, mo)
        self._written()

    # What is proven

    def _mark(self, ordinal: int, mo: str) -> None:
        """Note up to which message everything is answered: what came first is not always stored first."""
        del self._unanswered[mo]
        settled = next(iter(self._unanswered.values()), self._newest)
        answered = self._answered
        if answered and answered[-1][1] == settled:
            return
        answered.append((ordinal, settled))
        if len(answered) == _MOST_MARKS:  # an SMSC that never proves anything: coarser marks do as well
            self._answered = deque(islice(answered, 1, None, 2))

    def move_proof(self) -> None:
        """Look what the session has proven."""
        proven = self._session.proven
        answered = self._answered
        while answered and answered[0][0] <= proven:
            self._proven = answered.popleft()[1]
        if self._proven != self._stored_proof and self._proof_timer is None and self._stores:
            self._proof_timer = asyncio.get_running_loop().call_later(_TELL_PROOF_S, self._tell_proof)

    def _tell_proof(self) -> None:
        """Have it stored when nothing else comes: after a crash, the same text is a purchase, not a redelivery."""
        self._proof_timer = None
        if self._proven == self._stored_proof or self._session.closed:
            return
        self._stored_proof = self._proven
        with contextlib.suppress(asyncio.QueueFull):  # then there are arrivals enough to carry it
            told = self._receiver.submit(SessionProven(session=self.id, proven=self._proven))
            told.add_done_callback(look_at)


def look_at(future: asyncio.Future[None]) -> None:
    """See to it that asyncio does not complain of an exception that nobody waits for any more."""
    if not future.cancelled():
        future.exception()
