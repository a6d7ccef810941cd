"""Sequence numbers are not used twice while an answer may come, and what is remembered of the past is bounded."""

from smsgw.smpp import pdus
from smsgw.smpp.outstanding import LAST_SEQUENCE_NUMBER, MOST_REMEMBERED, Outstanding, Sent
from smsgw.smpp.pdus import Pdu


def _send(outstanding: Outstanding, request: Pdu | None = None, sent_ms: int = 0) -> int:
    number = outstanding.next_number()
    outstanding.use(number)
    request = request or pdus.SubmitSm()
    outstanding.add(Sent(request=request, sequence_number=number, sent_ms=sent_ms, answered=0, flush=0))
    return number


def test_numbers_run_from_1_to_the_last_and_again() -> None:
    outstanding = Outstanding()
    assert [_send(outstanding), _send(outstanding)] == [1, 2]
    outstanding.use(LAST_SEQUENCE_NUMBER - 1)
    assert _send(outstanding) == LAST_SEQUENCE_NUMBER
    assert _send(outstanding) == 3  # 1 and 2 still wait


def test_numbers_of_requests_that_timed_out_are_skipped_too() -> None:
    outstanding = Outstanding()
    assert _send(outstanding, sent_ms=5) == 1
    assert outstanding.expire(5) is not None
    outstanding.use(LAST_SEQUENCE_NUMBER)
    assert outstanding.next_number() == 2


def test_a_number_that_was_not_used_comes_again() -> None:
    outstanding = Outstanding()
    assert outstanding.next_number() == outstanding.next_number() == 1


def test_the_window_counts_messages_and_questions_about_them() -> None:
    outstanding = Outstanding()
    _send(outstanding)
    _send(outstanding, pdus.QuerySm())
    number = _send(outstanding, pdus.EnquireLink())
    assert outstanding.in_window == 2
    outstanding.answer(pdus.EnquireLinkResp(sequence_number=number))
    assert outstanding.in_window == 2
    outstanding.answer(pdus.SubmitSmResp(sequence_number=1))
    assert outstanding.in_window == 1


def test_the_oldest_expires_first_and_only_when_due() -> None:
    assert Outstanding().oldest_ms is None
    assert Outstanding().expire(100) is None
    outstanding = Outstanding()
    _send(outstanding, sent_ms=10)
    _send(outstanding, sent_ms=20)
    assert outstanding.oldest_ms == 10
    assert outstanding.expire(9) is None
    expired = outstanding.expire(10)
    assert expired is not None
    assert (expired.sequence_number, outstanding.in_window, outstanding.oldest_ms) == (1, 1, 20)


def test_a_response_answers_once_in_time_or_late() -> None:
    outstanding = Outstanding()
    _send(outstanding, sent_ms=0)
    _send(outstanding, sent_ms=1)
    outstanding.expire(0)
    for number, late in ((1, True), (2, False)):
        sent, was_late = outstanding.answer(pdus.SubmitSmResp(sequence_number=number))
        assert sent is not None
        assert (sent.sequence_number, was_late) == (number, late)
        assert outstanding.answer(pdus.SubmitSmResp(sequence_number=number)) == (None, False)
    assert outstanding.in_window == 0


def test_a_response_of_another_command_answers_nothing() -> None:
    outstanding = Outstanding()
    _send(outstanding)
    assert outstanding.answer(pdus.QuerySmResp(sequence_number=1)) == (None, False)
    sent, _ = outstanding.answer(pdus.GenericNack(sequence_number=1))
    assert sent is not None


def test_only_so_many_are_remembered() -> None:
    outstanding = Outstanding()
    for _ in range(MOST_REMEMBERED + 1):
        _send(outstanding)
        outstanding.expire(0)
    assert outstanding.answer(pdus.SubmitSmResp(sequence_number=1)) == (None, False)
    sent, late = outstanding.answer(pdus.SubmitSmResp(sequence_number=2))
    assert sent is not None
    assert late


def test_what_is_abandoned_waits_no_more() -> None:
    outstanding = Outstanding()
    _send(outstanding)
    _send(outstanding, pdus.Unbind())
    assert [sent.sequence_number for sent in outstanding.abandon()] == [1, 2]
    assert outstanding.in_window == 0
    assert outstanding.abandon() == []
