"""A bound session for the tests that do not care how it was bound, in either role."""

from collections.abc import Callable

import pytest

from smsgw.smpp import pdus
from smsgw.smpp.codec import decode, encode
from smsgw.smpp.events import Bound
from smsgw.smpp.framing import Framer
from smsgw.smpp.pdus import Pdu
from smsgw.smpp.session import Session, SessionSettings

Bind = type[pdus.BindTransmitter | pdus.BindReceiver | pdus.BindTransceiver]
BINDS: dict[str, tuple[Bind, type[Pdu]]] = {
    "tx": (pdus.BindTransmitter, pdus.BindTransmitterResp),
    "rx": (pdus.BindReceiver, pdus.BindReceiverResp),
    "trx": (pdus.BindTransceiver, pdus.BindTransceiverResp),
}


@pytest.fixture
def written() -> Callable[[Session], list[Pdu]]:
    """Take a session's output, and return it as PDUs."""

    def read(session: Session) -> list[Pdu]:
        return [decode(frame) for frame in Framer(1 << 20).feed(session.take_output())]

    return read


@pytest.fixture
def bind() -> Callable[..., Session]:
    """Return a bound session whose clock stands at 0."""

    def bound(settings: SessionSettings | None = None, how: str = "trx") -> Session:
        settings = settings or SessionSettings()
        session = Session(settings, now_ms=0)
        request, response = BINDS[how]
        if settings.role == "esme":
            number = session.request(request(system_id="smsgw", password="secret"), 0)
            session.take_output()
            assert session.receive(encode(response(), number), 0) == [Bound(response=response(sequence_number=number))]
        else:
            [event] = session.receive(encode(request(system_id="smsgw"), 1), 0)
            session.respond(event.request, response(), 0)  # type: ignore[union-attr] # it is Received, or this raises
            session.take_output()
        assert session.bound
        return session

    return bound
