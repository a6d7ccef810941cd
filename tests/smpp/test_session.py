"""What a session does with requests and responses of either side: answers, windows, proofs, endings."""

from collections.abc import Callable

import pytest

from smsgw.errors import PduError, SessionError
from smsgw.smpp import pdus, status
from smsgw.smpp.codec import encode
from smsgw.smpp.events import (
    Answered,
    BindRefused,
    Ended,
    Event,
    Lost,
    Received,
    Unsolicited,
    Violation,
)
from smsgw.smpp.pdus import Pdu
from smsgw.smpp.session import LEAVE_MS, MOST_OUTPUT_BYTES, PATIENCE_MS, Session, SessionSettings
from smsgw.smpp.states import State
from smsgw.smpp.tlvs import (
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    SC_INTERFACE_VERSION,
)

Bind = Callable[..., Session]
Written = Callable[[Session], list[Pdu]]
SMSC = SessionSettings(role="smsc")


def _deliver(session: Session, number: int, source_addr: str = "") -> Pdu:
    """Let the peer deliver a message, and return it as received."""
    [event] = session.receive(encode(pdus.DeliverSm(source_addr=source_addr), number), 0)
    assert isinstance(event, Received)
    return event.request


# Binding


@pytest.mark.parametrize(("how", "state"), [("tx", "bound_tx"), ("rx", "bound_rx"), ("trx", "bound_trx")])
@pytest.mark.parametrize("settings", [SessionSettings(), SMSC])
def test_a_bind_leads_to_the_state_that_it_asked_for(
    bind: Bind, settings: SessionSettings, how: str, state: str
) -> None:
    assert bind(settings, how).state is State(state)


def test_the_bind_is_written_with_number_1(written: Written) -> None:
    session = Session(SessionSettings(), now_ms=0)
    assert session.request(pdus.BindTransceiver(system_id="smsgw", password="secret"), 0) == 1
    assert session.state is State.BINDING
    assert written(session) == [pdus.BindTransceiver(sequence_number=1, system_id="smsgw", password="secret")]


@pytest.mark.parametrize("answer", [pdus.BindTransceiverResp(command_status=status.ESME_RINVPASWD), pdus.GenericNack()])
def test_a_refused_bind_may_be_tried_again(answer: Pdu) -> None:
    session = Session(SessionSettings(), now_ms=0)
    number = session.request(pdus.BindTransceiver(), 0)
    [event] = session.receive(encode(answer, number), 0)
    assert isinstance(event, BindRefused)
    assert event.response.command_status == answer.command_status
    assert session.state is State.OPEN
    assert session.request(pdus.BindTransceiver(), 0) == 2


def test_an_smsc_may_refuse_and_hear_another_bind(written: Written) -> None:
    session = Session(SMSC, now_ms=0)
    for number, told in ((1, status.ESME_RINVPASWD), (2, status.ESME_ROK)):
        [event] = session.receive(encode(pdus.BindReceiver(), number), 0)
        assert isinstance(event, Received)
        assert session.state is State.BINDING
        assert session.respond(event.request, pdus.BindReceiverResp(command_status=told), 0) == 0
        assert written(session) == [pdus.BindReceiverResp(sequence_number=number, command_status=told)]
    assert session.state is State.BOUND_RX


def test_messages_may_come_in_the_same_chunk_as_the_bind_response() -> None:
    session = Session(SessionSettings(), now_ms=0)
    number = session.request(pdus.BindTransceiver(), 0)
    events = session.receive(encode(pdus.BindTransceiverResp(), number) + encode(pdus.DeliverSm(), 1), 0)
    assert [type(event).__name__ for event in events] == ["Bound", "Received"]


def test_a_bind_response_without_body_binds() -> None:
    session = Session(SessionSettings(), now_ms=0)
    session.request(pdus.BindTransmitter(), 0)
    session.receive(bytes.fromhex("00000010 80000002 00000000 00000001"), 0)
    assert session.state is State.BOUND_TX


# Requests of ours


def test_a_response_comes_back_with_its_request(bind: Bind, written: Written) -> None:
    session = bind()
    request = pdus.SubmitSm(destination_addr="3805", short_message=b"hi")
    number = session.request(request, 40)
    assert written(session) == [pdus.SubmitSm(sequence_number=number, destination_addr="3805", short_message=b"hi")]
    [event] = session.receive(encode(pdus.SubmitSmResp(message_id="a1"), number), 50)
    assert event == Answered(
        request=request, response=pdus.SubmitSmResp(sequence_number=number, message_id="a1"), sent_ms=40
    )
    assert isinstance(event, Answered)
    assert event.request is request


def test_numbers_are_not_used_again_when_they_are_free(bind: Bind) -> None:
    session, numbers = bind(), []
    for _ in range(3):
        numbers.append(session.request(pdus.SubmitSm(), 0))
        session.receive(encode(pdus.SubmitSmResp(), numbers[-1]), 0)
    assert numbers == [2, 3, 4]


@pytest.mark.parametrize(
    "answer", [pdus.SubmitSmResp(command_status=status.ESME_RTHROTTLED), pdus.GenericNack(command_status=8)]
)
def test_a_refusal_is_an_answer(bind: Bind, answer: Pdu) -> None:
    session = bind()
    number = session.request(pdus.SubmitSm(), 0)
    [event] = session.receive(encode(answer, number), 0)
    assert isinstance(event, Answered)
    assert event.response.command_status == answer.command_status


def test_the_window_fills_and_empties(bind: Bind) -> None:
    session = bind(SessionSettings(window=2))
    assert (session.free, session.unanswered) == (2, 0)
    first = session.request(pdus.SubmitSm(), 0)
    session.request(pdus.SubmitSm(), 0)
    assert (session.free, session.unanswered) == (0, 2)
    session.take_output()
    with pytest.raises(SessionError, match="window"):
        session.request(pdus.SubmitSm(), 0)
    assert session.take_output() == b""
    session.receive(encode(pdus.SubmitSmResp(), first), 0)
    assert session.free == 1
    session.request(pdus.SubmitSm(), 0)


def test_there_is_no_free_place_where_nothing_may_be_sent(bind: Bind) -> None:
    assert Session(SessionSettings(), now_ms=0).free == 0
    assert bind(how="rx").free == 0
    assert bind(how="tx").free == 10
    assert bind(SMSC, "rx").free == 10
    session = bind()
    session.unbind(0)
    assert session.free == 0


def test_a_request_that_cannot_be_written_changes_nothing(bind: Bind) -> None:
    session = bind()
    with pytest.raises(PduError, match="source_addr"):
        session.request(pdus.SubmitSm(source_addr="1" * 30), 0)
    assert session.take_output() == b""
    assert (session.free, session.request(pdus.SubmitSm(), 0)) == (10, 2)


def test_alert_notification_takes_no_place_and_waits_for_nothing(bind: Bind) -> None:
    session = bind(SMSC)
    session.request(pdus.AlertNotification(), 0)
    assert session.unanswered == 0
    assert session.connection_lost(0) == [Ended(reason="connection_lost")]


@pytest.mark.parametrize(
    "answer",
    [
        (pdus.SubmitSmResp(), 99),  # never asked
        (pdus.QuerySmResp(), 2),  # another command
        (pdus.GenericNack(command_status=status.ESME_RINVCMDLEN), 0),
    ],
)
def test_a_response_nobody_asked_for(bind: Bind, answer: tuple[Pdu, int]) -> None:
    session = bind()
    assert session.request(pdus.SubmitSm(), 0) == 2
    session.take_output()
    [event] = session.receive(encode(*answer), 0)
    assert isinstance(event, Unsolicited)
    assert (session.unanswered, session.take_output()) == (1, b"")


def test_a_second_response_is_nobodys(bind: Bind) -> None:
    session = bind()
    response = encode(pdus.SubmitSmResp(), session.request(pdus.SubmitSm(), 0))
    events = session.receive(response + response, 0)
    assert [type(event) for event in events] == [Answered, Unsolicited]
    assert session.unanswered == 0


# Requests of the peer


def test_a_message_is_answered_by_the_owner_under_its_number(bind: Bind, written: Written) -> None:
    session = bind()
    request = _deliver(session, 0xFFFFFFFF, source_addr="3805")
    assert request == pdus.DeliverSm(sequence_number=0xFFFFFFFF, source_addr="3805")
    assert written(session) == []
    assert session.respond(request, pdus.DeliverSmResp(), 0) == 1
    assert written(session) == [pdus.DeliverSmResp(sequence_number=0xFFFFFFFF)]


def test_a_message_is_answered_once(bind: Bind) -> None:
    session = bind()
    request = _deliver(session, 5)
    session.respond(request, pdus.DeliverSmResp(), 0)
    session.take_output()
    with pytest.raises(SessionError, match="does not wait"):
        session.respond(request, pdus.DeliverSmResp(), 0)
    assert (session.take_output(), session.answered) == (b"", 1)


def test_two_messages_under_one_number_are_answered_twice(bind: Bind, written: Written) -> None:
    session = bind()
    first, second = _deliver(session, 5), _deliver(session, 5)
    assert [session.respond(each, pdus.DeliverSmResp(), 0) for each in (first, second)] == [1, 2]
    assert written(session) == [pdus.DeliverSmResp(sequence_number=5)] * 2
    assert session.unanswered_in == 0


def test_a_response_must_be_the_requests(bind: Bind, written: Written) -> None:
    session = bind()
    request = _deliver(session, 5)
    for wrong in (pdus.SubmitSmResp(), pdus.DeliverSm()):
        with pytest.raises(SessionError, match="does not answer deliver_sm"):
            session.respond(request, wrong, 0)
    with pytest.raises(PduError, match="message_id"):
        session.respond(request, pdus.DeliverSmResp(message_id="1" * 65), 0)
    assert session.unanswered_in == 1
    session.respond(request, pdus.GenericNack(command_status=status.ESME_RSYSERR), 0)
    assert written(session) == [pdus.GenericNack(sequence_number=5, command_status=status.ESME_RSYSERR)]


def test_alert_notification_has_no_answer(bind: Bind) -> None:
    session = bind()
    [event] = session.receive(encode(pdus.AlertNotification(), 5), 0)
    assert isinstance(event, Received)
    assert session.unanswered_in == 0
    with pytest.raises(SessionError, match="does not answer"):
        session.respond(event.request, pdus.DeliverSmResp(), 0)


def test_enquire_link_is_answered_at_once_while_the_owner_is_slow(bind: Bind, written: Written) -> None:
    session = bind(SessionSettings(max_unanswered_in=1))
    _deliver(session, 5)
    assert session.receive(encode(pdus.EnquireLink(), 6), 0) == []
    assert written(session) == [pdus.EnquireLinkResp(sequence_number=6)]


def test_too_many_unanswered_requests_stop_the_reading(bind: Bind) -> None:
    session = bind(SessionSettings(max_unanswered_in=2))
    first = _deliver(session, 5)
    wants = [session.wants_reading]
    _deliver(session, 6)
    wants.append(session.wants_reading)
    session.respond(first, pdus.DeliverSmResp(), 0)
    wants.append(session.wants_reading)
    assert wants == [True, False, True]


def test_output_that_nobody_takes_stops_the_reading(bind: Bind) -> None:
    session = bind()
    while session.wants_reading:
        session.receive(encode(pdus.EnquireLink(), 6) * 100, 0)
    assert MOST_OUTPUT_BYTES <= len(session.take_output()) < MOST_OUTPUT_BYTES + 1600
    assert session.wants_reading


# Which answers have certainly arrived


def test_an_answer_to_a_later_request_proves_what_was_answered_before(bind: Bind) -> None:
    session = bind()
    messages = [_deliver(session, number) for number in (1, 2, 3)]
    session.respond(messages[0], pdus.DeliverSmResp(), 0)
    session.respond(messages[1], pdus.DeliverSmResp(command_status=status.ESME_RX_T_APPN), 0)
    number = session.request(pdus.SubmitSm(), 0)
    session.respond(messages[2], pdus.DeliverSmResp(), 0)
    assert (session.answered, session.proven) == (3, 0)
    session.receive(encode(pdus.SubmitSmResp(), number), 0)
    assert (session.answered, session.proven) == (3, 2)


def test_answers_out_of_order_prove_the_highest(bind: Bind) -> None:
    session = bind()
    early = session.request(pdus.SubmitSm(), 0)
    session.respond(_deliver(session, 1), pdus.DeliverSmResp(), 0)
    late = session.request(pdus.SubmitSm(), 0)
    session.receive(encode(pdus.SubmitSmResp(), late), 0)
    assert session.proven == 1
    session.receive(encode(pdus.SubmitSmResp(), early), 0)
    assert session.proven == 1


def test_an_answer_to_unbind_proves_everything(bind: Bind) -> None:
    session = bind()
    session.respond(_deliver(session, 1), pdus.DeliverSmResp(), 0)
    session.unbind(0)
    session.receive(encode(pdus.UnbindResp(), 2), 0)
    assert session.proven == 1


def test_only_messages_are_counted(bind: Bind) -> None:
    session = bind(SMSC)
    assert session.answered == 0  # the bind was answered, and is no message
    [query, submit] = session.receive(encode(pdus.QuerySm(), 5) + encode(pdus.SubmitSm(), 6), 0)
    assert isinstance(query, Received)
    assert isinstance(submit, Received)
    assert session.respond(query.request, pdus.QuerySmResp(), 0) == 0
    assert session.respond(submit.request, pdus.SubmitSmResp(), 0) == 1


# Bad PDUs


@pytest.mark.parametrize(
    ("frame", "told", "answer"),
    [
        ("00000010 00000099 00000000 00000009", 3, pdus.GenericNack(sequence_number=9, command_status=3)),
        ("00000010 00000005 00000000 00000009", 2, pdus.DeliverSmResp(sequence_number=9, command_status=2)),
        ("00000014 00000015 00000000 00000009 0427ffff", 0xC2, pdus.EnquireLinkResp(
            sequence_number=9, command_status=0xC2
        )),
        ("00000010 00000102 00000000 00000009", 2, None),
        ("00000010 80000021 00000000 00000009", 3, None),
        ("00000011 80000015 00000000 00000009 01", 0xC0, None),
    ],
)  # fmt: skip
def test_a_bad_pdu_is_answered_and_told(
    bind: Bind, written: Written, frame: str, told: int, answer: Pdu | None
) -> None:
    session = bind()
    violation, *_ = session.receive(bytes.fromhex(frame), 0)
    assert isinstance(violation, Violation)
    assert violation.command_status == told
    assert violation.command_id == int(frame[9:17], 16)
    assert written(session) == ([answer] if answer else [])
    assert session.bound


def test_an_unreadable_positive_response_still_counts(bind: Bind) -> None:
    session = bind()
    number = session.request(pdus.SubmitSm(), 0)
    frame = bytes.fromhex("00000016 80000004 00000000") + number.to_bytes(4, "big") + bytes.fromhex("3100 0427ffff")
    violation, answered = session.receive(frame, 0)
    assert isinstance(violation, Violation)
    assert isinstance(answered, Answered)
    assert answered.response == pdus.SubmitSmResp(sequence_number=number)


@pytest.mark.parametrize("length", [3, 0xFFFFFFFF])
def test_a_stream_that_cannot_be_cut_ends_the_session(bind: Bind, written: Written, length: int) -> None:
    session = bind()
    events = session.receive(encode(pdus.DeliverSm(), 5) + length.to_bytes(4, "big"), 0)
    assert [type(event) for event in events] == [Received, Violation, Ended]
    assert events[-1] == Ended(reason="framing")
    assert written(session) == [pdus.GenericNack(command_status=status.ESME_RINVCMDLEN)]
    assert session.closed


# The end


def test_unbinding_is_asked_and_answered(bind: Bind, written: Written) -> None:
    session = bind()
    session.unbind(0)
    assert session.state is State.UNBINDING
    assert written(session) == [pdus.Unbind(sequence_number=2)]
    assert session.receive(encode(pdus.UnbindResp(), 2), 0) == [Ended(reason="unbound")]
    assert session.closed


def test_a_session_that_unbinds_still_finishes_what_it_began(bind: Bind, written: Written) -> None:
    session = bind()
    message = _deliver(session, 5)
    number = session.request(pdus.SubmitSm(), 0)
    session.unbind(0)
    session.take_output()
    [answered] = session.receive(encode(pdus.SubmitSmResp(), number), 0)
    assert isinstance(answered, Answered)
    assert session.respond(message, pdus.DeliverSmResp(), 0) == 1
    assert written(session) == [pdus.DeliverSmResp(sequence_number=5)]


def test_a_message_that_crosses_our_unbind_may_come_again_later(bind: Bind, written: Written) -> None:
    session = bind()
    session.unbind(0)
    session.take_output()
    assert session.receive(encode(pdus.DeliverSm(), 5) + encode(pdus.DataSm(), 6), 100) == []
    assert written(session) == [], "nothing is written to a peer that may answer the unbind and close"
    assert session.deadline_ms() == 100 + PATIENCE_MS
    session.receive(encode(pdus.DeliverSm(), 7), 200)
    session.tick(100 + PATIENCE_MS)
    assert written(session) == [
        pdus.DeliverSmResp(sequence_number=5, command_status=status.ESME_RX_T_APPN),
        pdus.DataSmResp(sequence_number=6, command_status=status.ESME_RX_T_APPN),
        pdus.DeliverSmResp(sequence_number=7, command_status=status.ESME_RX_T_APPN),
    ]


def test_a_flood_that_crosses_our_unbind_does_not_make_the_session_grow(bind: Bind, written: Written) -> None:
    session = bind(SessionSettings(max_unanswered_in=3))
    session.unbind(0)
    session.take_output()
    for number in range(10):
        session.receive(encode(pdus.DeliverSm(), number + 5), 0)
    session.tick(PATIENCE_MS)
    assert [pdu.sequence_number for pdu in written(session)] == [5, 6, 7]


def test_the_peer_unbinds_while_messages_are_on_their_way(bind: Bind, written: Written) -> None:
    session = bind()
    request = pdus.SubmitSm()
    session.request(request, 7)
    session.take_output()
    assert session.receive(encode(pdus.Unbind(), 5) + encode(pdus.DeliverSm(), 6), 9) == []
    assert written(session) == [pdus.DeliverSmResp(sequence_number=6, command_status=status.ESME_RX_T_APPN)]
    assert (session.state, session.free) == (State.LEAVING, 0)
    response = pdus.SubmitSmResp(sequence_number=2, message_id="a")
    answered, ended = session.receive(encode(response, 2), 10)
    assert answered == Answered(request=request, response=response, sent_ms=7)
    assert ended == Ended(reason="peer_unbound")
    assert written(session) == [pdus.UnbindResp(sequence_number=5)]


def test_the_peer_unbinds_while_we_owe_it_an_answer(bind: Bind, written: Written) -> None:
    session = bind()
    [received] = session.receive(encode(pdus.DeliverSm(), 4) + encode(pdus.Unbind(), 5), 9)
    assert isinstance(received, Received)
    assert written(session) == []
    session.respond(received.request, pdus.DeliverSmResp(), 20)
    assert session.deadline_ms() == 20
    assert session.tick(20) == [Ended(reason="peer_unbound")]
    assert written(session) == [pdus.DeliverSmResp(sequence_number=4), pdus.UnbindResp(sequence_number=5)]


def test_a_peer_that_unbinds_does_not_wait_for_ever(bind: Bind, written: Written) -> None:
    session = bind()
    request = pdus.SubmitSm()
    session.request(request, 7)
    session.take_output()
    session.receive(encode(pdus.Unbind(), 5), 9)
    assert session.deadline_ms() == 9 + LEAVE_MS
    assert session.tick(9 + LEAVE_MS) == [Ended(reason="peer_unbound")]
    assert written(session) == [pdus.UnbindResp(sequence_number=5)]
    lost = Lost(request=request, sequence_number=2, sent_ms=7, written=True)
    assert session.connection_lost(9 + LEAVE_MS) == [lost]


# More than we can take


def test_beyond_the_limit_messages_are_put_off_and_all_else_is_answered(bind: Bind, written: Written) -> None:
    """Not to read would leave the SMSC's enquire_link without an answer, and it would think us dead."""
    session = bind(SessionSettings(max_unanswered_in=2, busy_status=status.ESME_RX_T_APPN))
    flood = b"".join(encode(pdus.DeliverSm(), number) for number in range(1, 5))
    events = session.receive(flood + encode(pdus.EnquireLink(), 5), 0)
    assert [event.request.sequence_number for event in events if isinstance(event, Received)] == [1, 2]
    assert written(session) == [
        pdus.DeliverSmResp(sequence_number=3, command_status=status.ESME_RX_T_APPN),
        pdus.DeliverSmResp(sequence_number=4, command_status=status.ESME_RX_T_APPN),
        pdus.EnquireLinkResp(sequence_number=5),
    ]
    assert session.wants_reading
    assert session.unanswered_in == 2


# Versions


@pytest.mark.parametrize(
    ("ours", "told", "spoken"),
    [
        (0x34, b"", 0x34),  # says nothing: as it was set
        (0x34, b"\x34", 0x34),
        (0x34, b"\x50", 0x34),
        (0x50, b"\x34", 0x34),
        (0x50, b"\x50", 0x50),
        (0x34, b"\x33", 0x33),
        (0x34, b"\0", 0),
        (0x34, b"\0\x34", 0x34),  # an integer of odd length
        (0x33, b"\x34", 0x33),
    ],
)
def test_the_older_version_of_the_two_is_spoken(ours: int, told: bytes, spoken: int) -> None:
    session = Session(SessionSettings(interface_version=ours), now_ms=0)
    number = session.request(pdus.BindTransmitter(interface_version=ours), 0)
    tlvs = {SC_INTERFACE_VERSION: told} if told else {}
    session.receive(encode(pdus.BindTransmitterResp(tlvs=tlvs), number), 0)
    assert session.interface_version == spoken


@pytest.fixture
def old(written: Written) -> Session:
    """A session with an SMSC that turned out to be of version 3.3."""
    session = Session(SessionSettings(), now_ms=0)
    number = session.request(pdus.BindTransceiver(), 0)
    session.receive(encode(pdus.BindTransceiverResp(tlvs={SC_INTERFACE_VERSION: b"\x33"}), number), 0)
    written(session)
    return session


def test_an_old_smsc_gets_no_optional_parameters(old: Session, written: Written) -> None:
    number = old.request(pdus.SubmitSm(short_message=b"x", tlvs={0x1400: b"1"}), 0)
    assert written(old) == [pdus.SubmitSm(sequence_number=number, short_message=b"x")]


@pytest.mark.parametrize("tag", [MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM])
def test_what_means_nothing_without_them_is_not_sent(old: Session, written: Written, tag: int) -> None:
    with pytest.raises(PduError, match="optional parameters") as caught:
        old.request(pdus.SubmitSm(tlvs={tag: b"1"}), 0)
    assert caught.value.command_status == status.ESME_ROPTPARNOTALLWD
    assert written(old) == []


def test_an_old_smsc_gets_no_data_sm(old: Session, written: Written) -> None:
    with pytest.raises(SessionError, match="data_sm is not possible below"):
        old.request(pdus.DataSm(), 0)
    assert written(old) == []


def test_an_old_esme_binds_no_transceiver() -> None:
    session = Session(SessionSettings(interface_version=0x33), now_ms=0)
    with pytest.raises(SessionError, match="bind_transceiver is not possible below"):
        session.request(pdus.BindTransceiver(interface_version=0x33), 0)
    assert session.state is State.OPEN


def test_unbinds_that_cross_end_the_session(bind: Bind) -> None:
    session = bind()
    session.unbind(0)
    assert session.receive(encode(pdus.Unbind(), 5), 0) == [Ended(reason="peer_unbound")]


def test_a_lost_connection_ends_every_request_once(bind: Bind) -> None:
    session = bind()
    first, second = pdus.SubmitSm(source_addr="1"), pdus.SubmitSm(source_addr="2")
    session.request(first, 1)
    session.take_output()
    session.request(second, 2)
    expected: list[Event] = [
        Lost(request=first, sequence_number=2, sent_ms=1, written=True),
        Lost(request=second, sequence_number=3, sent_ms=2, written=False),
        Ended(reason="connection_lost"),
    ]
    assert session.connection_lost(3) == expected
    assert session.connection_lost(4) == []
    assert (session.closed, session.unanswered, session.unanswered_in) == (True, 0, 0)


def test_a_bind_is_lost_like_any_request_but_questions_of_the_session_are_its_own(bind: Bind) -> None:
    session = Session(SessionSettings(), now_ms=0)
    session.request(pdus.BindTransceiver(), 0)
    assert [type(event) for event in session.connection_lost(0)] == [Lost, Ended]
    session = bind()
    session.unbind(0)
    assert session.connection_lost(0) == [Ended(reason="connection_lost")]


def test_nothing_happens_after_the_end(bind: Bind) -> None:
    session = bind()
    message = _deliver(session, 5)
    session.connection_lost(0)
    assert session.receive(encode(pdus.EnquireLink(), 6), 0) == []
    assert session.respond(message, pdus.DeliverSmResp(), 0) == 0
    assert session.tick(10**9) == []
    assert session.deadline_ms() is None
    assert (session.take_output(), session.answered) == (b"", 0)
    with pytest.raises(SessionError, match="closed"):
        session.request(pdus.SubmitSm(), 0)
    with pytest.raises(SessionError, match="closed"):
        session.unbind(0)
