"""What a session does because time has passed: timeouts, late answers, questions to a silent peer."""

from collections.abc import Callable

import pytest

from smsgw.smpp import pdus
from smsgw.smpp.codec import encode
from smsgw.smpp.events import Answered, Ended, Event, Late, Received, TimedOut, Unsolicited
from smsgw.smpp.pdus import Pdu
from smsgw.smpp.session import Session, SessionSettings
from smsgw.smpp.states import State

Bind = Callable[..., Session]
Written = Callable[[Session], list[Pdu]]
SETTINGS = SessionSettings(response_timeout_ms=1_000, enquire_link_interval_ms=300, window=2)
QUIET = SessionSettings(response_timeout_ms=1_000, enquire_link_interval_ms=0, window=2)


# Requests of ours that nobody answers


def test_a_request_times_out_and_frees_its_place(bind: Bind) -> None:
    session = bind(QUIET)
    request = pdus.SubmitSm()
    number = session.request(request, 50)
    assert session.deadline_ms() == 1_050
    assert session.tick(1_049) == []
    assert session.free == 1
    assert session.tick(1_050) == [TimedOut(request=request, sequence_number=number, sent_ms=50)]
    assert (session.free, session.deadline_ms()) == (2, None)
    assert session.tick(9_999) == []


def test_requests_time_out_in_their_order(bind: Bind) -> None:
    session = bind(QUIET)
    session.request(pdus.SubmitSm(), 10)
    session.request(pdus.QuerySm(), 20)
    events = session.tick(5_000)
    assert [event.sent_ms for event in events if isinstance(event, TimedOut)] == [10, 20]


def test_a_late_response_is_told_apart_and_is_late_once(bind: Bind) -> None:
    session = bind(QUIET)
    request = pdus.SubmitSm()
    number = session.request(request, 0)
    session.tick(1_000)
    response = pdus.SubmitSmResp(sequence_number=number, message_id="a")
    events = session.receive(encode(response, number) * 2, 2_000)
    assert events == [Late(request=request, response=response, sent_ms=0), Unsolicited(response=response)]
    assert session.free == 2


def test_a_late_response_proves_as_well_as_any(bind: Bind) -> None:
    session = bind(QUIET)
    _take_one(session)
    number = session.request(pdus.SubmitSm(), 0)
    session.tick(1_000)
    session.receive(encode(pdus.SubmitSmResp(), number), 2_000)
    assert session.proven == 1


def test_an_unanswered_bind_ends_the_session() -> None:
    session = Session(SETTINGS, now_ms=0)
    assert session.deadline_ms() is None
    session.request(pdus.BindTransceiver(), 100)
    assert session.deadline_ms() == 1_100
    assert session.tick(1_100) == [Ended(reason="bind_unanswered")]


def test_an_unanswered_unbind_ends_the_session(bind: Bind) -> None:
    session = bind(SETTINGS)
    session.unbind(100)
    assert session.deadline_ms() == 1_100
    assert session.tick(1_100) == [Ended(reason="unbind_unanswered")]


def test_what_follows_an_unanswered_unbind_is_lost_not_timed_out(bind: Bind) -> None:
    session = bind(SETTINGS)
    session.request(pdus.SubmitSm(), 100)
    session.unbind(100)
    events = session.tick(1_100)
    assert [type(event) for event in events] == [TimedOut, Ended]
    assert session.connection_lost(1_100) == []


def test_an_smsc_does_not_wait_for_a_bind_for_ever() -> None:
    session = Session(SessionSettings(role="smsc", response_timeout_ms=1_000), now_ms=5)
    assert session.deadline_ms() == 1_005
    assert session.tick(1_004) == []
    assert session.tick(1_005) == [Ended(reason="no_bind")]


def test_an_smsc_that_was_asked_to_bind_waits_for_its_owner() -> None:
    session = Session(SessionSettings(role="smsc", response_timeout_ms=1_000), now_ms=5)
    [event] = session.receive(encode(pdus.BindReceiver(), 1), 6)
    assert isinstance(event, Received)
    assert session.deadline_ms() is None
    assert session.tick(5_000) == []


# Questions to a silent peer


def test_a_silent_peer_is_asked_and_answers(bind: Bind, written: Written) -> None:
    session = bind(SETTINGS)
    assert session.deadline_ms() == 300
    assert session.tick(299) == []
    assert written(session) == []
    assert session.tick(300) == []
    assert written(session) == [pdus.EnquireLink(sequence_number=2)]
    assert session.deadline_ms() == 600
    assert session.tick(500) == []
    assert written(session) == []  # one question at a time
    assert session.receive(encode(pdus.EnquireLinkResp(), 2), 500) == []
    assert session.deadline_ms() == 800


def test_whatever_is_heard_breaks_the_silence(bind: Bind) -> None:
    session = bind(SETTINGS)
    session.receive(encode(pdus.EnquireLink(), 9), 200)
    assert session.deadline_ms() == 500


def test_half_a_pdu_does_not_break_the_silence(bind: Bind) -> None:
    session = bind(SETTINGS)
    session.receive(encode(pdus.EnquireLink(), 9)[:12], 200)
    assert session.deadline_ms() == 300
    session.tick(300)
    assert session.tick(1_300) == [Ended(reason="enquire_link_unanswered")]


def test_the_question_takes_no_place_in_the_window(bind: Bind, written: Written) -> None:
    session = bind(SETTINGS)
    for _ in range(2):
        session.request(pdus.SubmitSm(), 0)
    session.take_output()
    session.tick(300)
    assert written(session) == [pdus.EnquireLink(sequence_number=4)]


def test_a_peer_that_does_not_answer_and_says_nothing_is_gone(bind: Bind) -> None:
    session = bind(SETTINGS)
    session.tick(300)
    assert session.tick(1_300) == [Ended(reason="enquire_link_unanswered")]


def test_a_peer_that_forgets_the_answer_but_talks_is_asked_again(bind: Bind, written: Written) -> None:
    session = bind(SETTINGS)
    session.tick(300)
    session.receive(encode(pdus.DeliverSm(), 9), 400)
    session.take_output()
    assert session.tick(600) == []
    assert session.tick(700) == []
    assert written(session) == [pdus.EnquireLink(sequence_number=3)]
    assert session.receive(encode(pdus.EnquireLinkResp(), 2), 750) == []  # late, to the first
    assert session.deadline_ms() == 1_000  # the second still waits for its own
    assert session.tick(1_000) == []  # that was a sign of life too
    assert session.tick(1_050) == []
    assert written(session) == [pdus.EnquireLink(sequence_number=4)]
    assert session.tick(1_350) == [Ended(reason="enquire_link_unanswered")]


@pytest.mark.parametrize("asked_of", ["nothing", "messages"])
def test_a_dead_peer_is_noticed_within_two_intervals_however_long_answers_may_take(bind: Bind, asked_of: str) -> None:
    session = bind(SessionSettings(response_timeout_ms=60_000, enquire_link_interval_ms=10_000))
    if asked_of == "messages":
        session.request(pdus.SubmitSm(), 0)
    now_ms, events = 0, list[Event]()
    while not session.closed:
        deadline_ms = session.deadline_ms()
        assert deadline_ms is not None
        now_ms = deadline_ms
        events = session.tick(now_ms)
    assert (now_ms, events) == (20_000, [Ended(reason="enquire_link_unanswered")])


# A bind that nobody uses


def test_a_session_without_messages_is_ended(bind: Bind, written: Written) -> None:
    session = bind(SessionSettings(enquire_link_interval_ms=300, inactivity_ms=1_000))
    for now_ms in (300, 600, 900):
        session.tick(now_ms)
        [question] = written(session)
        session.receive(encode(pdus.EnquireLinkResp(), question.sequence_number), now_ms)
    assert session.deadline_ms() == 1_000
    assert session.tick(1_000) == []
    [unbind] = written(session)
    assert isinstance(unbind, pdus.Unbind)
    answer = encode(pdus.UnbindResp(), unbind.sequence_number)
    assert session.receive(answer, 1_001) == [Ended(reason="inactive")]


def test_every_message_in_either_direction_keeps_it(bind: Bind) -> None:
    session = bind(SessionSettings(enquire_link_interval_ms=0, inactivity_ms=1_000))
    _take_one(session, 900)
    assert session.deadline_ms() == 1_900
    number = session.request(pdus.SubmitSm(), 1_800)
    session.tick(5_000)
    assert session.state is State.BOUND_TRX, "it waits for an answer"
    session.receive(encode(pdus.SubmitSmResp(), number), 6_000)
    assert session.deadline_ms() == 7_000


def test_it_may_stand_unused_for_ever(bind: Bind) -> None:
    session = bind(QUIET)
    session.tick(10**9)
    assert session.state is State.BOUND_TRX


def test_a_nack_is_an_answer(bind: Bind) -> None:
    session = bind(SETTINGS)
    session.tick(300)
    assert session.receive(encode(pdus.GenericNack(command_status=3), 2), 400) == []
    assert session.deadline_ms() == 700


def test_nobody_is_asked_when_the_interval_is_0(bind: Bind) -> None:
    session = bind(QUIET)
    assert session.deadline_ms() is None
    session.tick(10**9)
    assert session.take_output() == b""


@pytest.mark.parametrize("state", [State.OPEN, State.UNBINDING])
def test_only_a_bound_peer_is_asked(bind: Bind, state: State) -> None:
    session = Session(SETTINGS, now_ms=0) if state is State.OPEN else bind(SETTINGS)
    if state is State.UNBINDING:
        session.unbind(0)
    session.take_output()
    session.tick(900)
    assert (session.state, session.take_output()) == (state, b"")


# Questions for the sake of proof


def _take_one(session: Session, now_ms: int = 0) -> None:
    [event] = session.receive(encode(pdus.DeliverSm(), 9), now_ms)
    assert isinstance(event, Received)
    session.respond(event.request, pdus.DeliverSmResp(), now_ms)
    session.take_output()


def test_a_busy_peer_is_asked_so_that_our_answers_are_proven(bind: Bind, written: Written) -> None:
    session = bind(SETTINGS)
    for now_ms in range(100, 400, 50):
        _take_one(session, now_ms)
    assert session.deadline_ms() == 400
    session.tick(400)
    assert written(session) == [pdus.EnquireLink(sequence_number=2)]
    assert session.proven == 0
    session.receive(encode(pdus.EnquireLinkResp(), 2), 410)
    assert (session.answered, session.proven) == (6, 6)


def test_answers_are_proven_soon_however_long_silence_may_last(bind: Bind, written: Written) -> None:
    """What is not proven when the session ends swallows the next equal message: that must be a moment's messages."""
    session = bind(SessionSettings(response_timeout_ms=30_000, enquire_link_interval_ms=30_000))
    _take_one(session, 100)
    assert session.deadline_ms() == 1_100
    session.tick(1_100)
    [question] = written(session)
    session.receive(encode(pdus.EnquireLinkResp(), question.sequence_number), 1_200)
    assert session.proven == 1
    assert session.deadline_ms() == 1_200 + 30_000


def test_what_was_heard_before_the_question_is_no_sign_of_life(bind: Bind) -> None:
    session = bind(SETTINGS)
    _take_one(session, 100)
    session.receive(encode(pdus.DeliverSm(), 1), 400)
    session.tick(400)
    assert session.tick(1_400) == [Ended(reason="enquire_link_unanswered")]


def test_a_request_of_ours_makes_the_question_needless(bind: Bind) -> None:
    session = bind(SETTINGS)
    _take_one(session, 100)
    number = session.request(pdus.SubmitSm(), 200)
    [answered] = session.receive(encode(pdus.SubmitSmResp(), number), 390)
    assert isinstance(answered, Answered)
    assert session.proven == 1
    assert session.deadline_ms() == 690


def test_what_a_lost_request_would_have_proven_is_asked_again(bind: Bind, written: Written) -> None:
    session = bind(SETTINGS)
    _take_one(session, 0)
    session.request(pdus.SubmitSm(), 0)
    session.receive(encode(pdus.EnquireLink(), 1), 990)
    session.take_output()
    session.tick(1_000)
    session.receive(encode(pdus.EnquireLink(), 1), 1_200)
    session.take_output()
    assert session.deadline_ms() == 1_300
    session.tick(1_300)
    assert written(session) == [pdus.EnquireLink(sequence_number=3)]
