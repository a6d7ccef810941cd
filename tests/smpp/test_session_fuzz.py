"""No octets crash a session, make it grow, or mean something else because the network cut them differently."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings, strategies as st

from smsgw.smpp import pdus
from smsgw.smpp.codec import encode
from smsgw.smpp.events import Ended, Event, Received
from smsgw.smpp.outstanding import MOST_REMEMBERED
from smsgw.smpp.pdus import Pdu
from smsgw.smpp.session import MOST_OUTPUT_BYTES, Session, SessionSettings
from smsgw.smpp.states import State

Bind = Callable[..., Session]
SETTINGS = SessionSettings(window=4, max_unanswered_in=8, max_pdu_bytes=300, response_timeout_ms=1_000)
CHUNK = 200

# Every kind of thing that a peer can say, in one stream
CONVERSATION = b"".join(
    [
        encode(pdus.DeliverSm(source_addr="3805", short_message=b"GOLD 1", tlvs={0x1400: b"x"}), 1),
        encode(pdus.EnquireLink(), 2),
        bytes.fromhex("00000010 00000099 00000000 00000003"),
        bytes.fromhex("00000011 00000005 00000000 00000004 00"),
        encode(pdus.SubmitSmResp(message_id="a"), 2),
        encode(pdus.SubmitSmResp(command_status=8), 3),
        encode(pdus.GenericNack(command_status=8), 99),
        encode(pdus.AlertNotification(), 5),
        encode(pdus.SubmitSm(), 6),
        encode(pdus.Unbind(), 7),
    ]
)

frames = st.builds(
    lambda pdu, number, garbage: encode(pdu(), number) if garbage is None else _garbled(pdu, number, garbage),
    st.sampled_from(pdus.ALL),
    st.integers(0, 12),
    st.none() | st.binary(max_size=60),
)
chunks = st.lists(st.binary(max_size=CHUNK) | frames | st.just(CONVERSATION[:CHUNK]), max_size=30)


def _garbled(pdu: type[Pdu], number: int, body: bytes) -> bytes:
    header = (16 + len(body), pdu.command_id, 0, number)
    return b"".join(each.to_bytes(4, "big") for each in header) + body


def _busy(bind: Bind) -> Session:
    session = bind(SETTINGS)
    session.request(pdus.SubmitSm(), 0)
    session.request(pdus.SubmitSm(), 0)
    session.take_output()
    return session


def test_every_cut_of_a_conversation_means_the_same(bind: Bind) -> None:
    session = _busy(bind)
    events, output = session.receive(CONVERSATION, 0), session.take_output()
    assert session.state is State.LEAVING, "the first message waits for its answer"
    for cut in range(len(CONVERSATION) + 1):
        session = _busy(bind)
        assert session.receive(CONVERSATION[:cut], 0) + session.receive(CONVERSATION[cut:], 0) == events
        assert session.take_output() == output
    session, heard = _busy(bind), list[Event]()
    for octet in CONVERSATION:
        heard += session.receive(bytes([octet]), 0)
    assert (heard, session.take_output()) == (events, output)


def test_a_conversation_may_stop_anywhere(bind: Bind) -> None:
    for stop in range(len(CONVERSATION)):
        session = _busy(bind)
        session.receive(CONVERSATION[:stop], 0)
        assert not session.closed
        assert session.connection_lost(0)[-1] == Ended(reason="connection_lost")


def _held(session: Session) -> dict[str, int]:
    return {
        "framer": session._framer.held,
        "owed": session.unanswered_in,
        "owed numbers": len(session._owed),
        "waiting": len(session._outstanding._waiting),
        "expired": len(session._outstanding._expired),
        "output": session._out_bytes,
    }


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(chunks, st.sampled_from(["esme", "smsc"]))
def test_no_octets_crash_a_session_or_make_it_grow(bind: Bind, said: list[bytes], role: str) -> None:
    session = bind(SETTINGS) if role == "esme" else bind(SessionSettings(role="smsc", max_unanswered_in=8))
    for number, chunk in enumerate(said):
        if session.wants_reading:
            session.receive(chunk, number)
        if not session.closed and session.free:
            session.request(pdus.SubmitSm() if role == "esme" else pdus.DeliverSm(), number)
        session.take_output()
        held = _held(session)
        assert held["framer"] < 65_536
        assert held["owed numbers"] <= held["owed"] < 8 + CHUNK // 16
        assert held["waiting"] <= session.settings.window + 2
        assert held["expired"] <= MOST_REMEMBERED
    session.tick(10**7)
    session.connection_lost(10**7)
    assert set(_held(session).values()) <= {0, session._out_bytes}


def test_a_flood_of_messages_is_held_back(bind: Bind) -> None:
    session, messages = bind(SETTINGS), 0
    while session.wants_reading:
        messages += sum(isinstance(event, Received) for event in session.receive(encode(pdus.DeliverSm(), 1) * 3, 0))
    assert messages == session.unanswered_in == 9
    assert len(session._owed) == 1


def test_a_flood_of_nonsense_is_held_back(bind: Bind) -> None:
    session = bind(SETTINGS)
    while session.wants_reading:
        session.receive(bytes.fromhex("00000010 00000099 00000000 00000003"), 0)
    assert session._out_bytes == MOST_OUTPUT_BYTES
