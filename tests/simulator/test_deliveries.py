"""At least once: whatever happens on the way, each message has exactly one end, and no part is forgotten."""

from hypothesis import given, strategies as st

from smsgw.simulator.deliveries import TEMPORARY, Deliveries, Delivery
from smsgw.smpp import status
from smsgw.smpp.pdus import DeliverSm

PAUSE_MS = 1_000


def said(delivery: Delivery) -> bytes:
    assert isinstance(delivery.pdu, DeliverSm)
    return delivery.pdu.short_message


def make(limit: int = 100, max_attempts: int = 3) -> Deliveries:
    return Deliveries(limit=limit, max_attempts=max_attempts, redeliver_after_ms=PAUSE_MS)


def pdu(text: str = "CODE") -> DeliverSm:
    return DeliverSm(source_addr="359881", short_message=text.encode())


def taken(deliveries: Deliveries, now_ms: int) -> list[Delivery]:
    return list(iter(lambda: deliveries.take(now_ms), None))


def test_what_is_acknowledged_is_done() -> None:
    deliveries, ends = make(), list[int]()
    assert deliveries.add([pdu()], ends.append)
    [delivery] = taken(deliveries, 0)
    assert (delivery.pdu, delivery.attempts, ends, deliveries.held) == (pdu(), 1, [], 1)
    deliveries.answered(delivery, status.ESME_ROK, 10)
    assert (ends, deliveries.held, taken(deliveries, 10**9)) == ([0], 0, [])


def test_a_message_is_done_when_its_last_part_is_with_the_first_status_that_is_not_ok() -> None:
    deliveries, ends = make(), list[int]()
    deliveries.add([pdu("a"), pdu("b"), pdu("c")], ends.append)
    a, b, c = taken(deliveries, 0)
    deliveries.answered(b, status.ESME_RX_R_APPN, 0)
    deliveries.answered(a, status.ESME_RX_P_APPN, 0)
    assert ends == []
    deliveries.answered(c, status.ESME_ROK, 0)
    assert ends == [status.ESME_RX_R_APPN]


def test_a_message_is_acknowledged_once_when_each_part_was_however_often_they_are() -> None:
    deliveries = make()
    deliveries.add([pdu("a"), pdu("b")], list[int]().append)
    a, b = taken(deliveries, 0)
    assert [deliveries.acknowledged(one) for one in (a, a, b, b, a)] == [False, False, True, False, False]


def test_a_temporary_error_brings_it_again_after_a_pause() -> None:
    for temporary in TEMPORARY:
        deliveries, ends = make(), list[int]()
        deliveries.add([pdu()], ends.append)
        [delivery] = taken(deliveries, 0)
        deliveries.answered(delivery, temporary, 50)
        assert deliveries.due_ms() == 50 + PAUSE_MS
        assert taken(deliveries, 49 + PAUSE_MS) == []
        assert taken(deliveries, 50 + PAUSE_MS) == [delivery]
        assert ends == []


def test_any_other_error_is_final() -> None:
    deliveries, ends = make(), list[int]()
    deliveries.add([pdu()], ends.append)
    deliveries.answered(taken(deliveries, 0)[0], status.ESME_RX_R_APPN, 0)
    assert ends == [status.ESME_RX_R_APPN]


def test_no_answer_brings_it_again_after_a_pause_until_there_were_too_many() -> None:
    deliveries, ends = make(max_attempts=2), list[int]()
    deliveries.add([pdu()], ends.append)
    deliveries.unanswered(taken(deliveries, 0)[0], 0)
    assert taken(deliveries, PAUSE_MS - 1) == []
    deliveries.unanswered(taken(deliveries, PAUSE_MS)[0], PAUSE_MS)
    assert ends == [status.ESME_RDELIVERYFAILURE]
    assert deliveries.due_ms() is None


def test_what_was_lost_with_a_session_goes_out_first_and_in_order() -> None:
    deliveries = make()
    for text in ("a", "b", "c", "d"):
        deliveries.add([pdu(text)], lambda _: None)
    a, b = deliveries.take(0), deliveries.take(0)
    assert a is not None
    assert b is not None
    deliveries.lost([a, b])
    assert [said(one) for one in taken(deliveries, 0)] == [b"a", b"b", b"c", b"d"]


def test_what_was_lost_too_often_is_given_up() -> None:
    deliveries, ends = make(max_attempts=1), list[int]()
    deliveries.add([pdu()], ends.append)
    deliveries.lost(taken(deliveries, 0))
    assert ends == [status.ESME_RDELIVERYFAILURE]


def test_a_message_waits_for_its_time() -> None:
    deliveries = make()
    deliveries.add([pdu("later")], lambda _: None, due_ms=500)
    deliveries.add([pdu("now")], lambda _: None)
    assert [said(one) for one in taken(deliveries, 499)] == [b"now"]
    assert [said(one) for one in taken(deliveries, 500)] == [b"later"]


def test_there_is_room_for_so_many_parts_and_no_more() -> None:
    deliveries, ends = make(limit=3), list[int]()
    assert deliveries.add([pdu(), pdu()], ends.append)
    assert not deliveries.add([pdu(), pdu()], ends.append)
    assert deliveries.add([pdu()], ends.append)
    for delivery in taken(deliveries, 0):
        deliveries.answered(delivery, 0, 0)
    assert deliveries.add([pdu(), pdu(), pdu()], ends.append)
    assert ends == [0, 0]


FATES = st.sampled_from(["ok", "temporary", "final", "silence", "lost"])


@given(sizes=st.lists(st.integers(1, 4), max_size=6), fates=st.lists(FATES, max_size=60))
def test_whatever_happens_each_message_has_one_end_and_nothing_stays(sizes: list[int], fates: list[str]) -> None:
    deliveries, ends, now_ms = make(), dict[int, list[int]](), 0
    for number, size in enumerate(sizes):
        ends[number] = []
        assert deliveries.add([pdu(f"{number}/{part}") for part in range(size)], ends[number].append)
    coming = iter(fates)
    while held := deliveries.held:
        for delivery in taken(deliveries, now_ms):
            match next(coming, "ok"):
                case "ok":
                    deliveries.answered(delivery, 0, now_ms)
                case "temporary":
                    deliveries.answered(delivery, status.ESME_RX_T_APPN, now_ms)
                case "final":
                    deliveries.answered(delivery, status.ESME_RX_P_APPN, now_ms)
                case "silence":
                    deliveries.unanswered(delivery, now_ms)
                case _:
                    deliveries.lost([delivery])
        assert deliveries.held <= held
        now_ms = deliveries.due_ms() or now_ms
    assert all(len(one) == 1 for one in ends.values())
