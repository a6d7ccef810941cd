"""Whose turn it is: a subscriber's messages one after the other, in their order, whatever becomes of each of them."""

import random

from msgspec import structs

from smsgw.flows.lanes import Lane
from smsgw.flows.outgoing import Outgoing
from tests.links.doubles import outgoing


def lane() -> Lane:
    return Lane(lambda not_before_ms, now_ms: max(0, not_before_ms - now_ms))


def message(name: str, to: str, not_before_ms: int = 0) -> Outgoing:
    one = outgoing(name)
    return structs.replace(one, row=structs.replace(one.row, destination=to, not_before_ms=not_before_ms))


def put_off(one: Outgoing, until_ms: int) -> Outgoing:
    return structs.replace(one, row=structs.replace(one.row, not_before_ms=until_ms))


def take_all(one: Lane, now_ms: int = 0) -> list[Outgoing]:
    taken = []
    while (found := one.take(now_ms)) is not None:
        taken.append(found)
    return taken


def names(messages: list[Outgoing]) -> str:
    return " ".join(one.row.id for one in messages)


def test_of_one_subscriber_one_message_is_out_at_a_time() -> None:
    one = lane()
    for name, to in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("c1", "c")):
        one.put(message(name, to), 0)
    out = take_all(one)
    assert names(out) == "a1 b1 c1"
    for expected in ("a2", "a3", ""):
        one.done(out[0], 0)
        out = take_all(one)
        assert names(out) == expected


def test_what_is_put_off_holds_up_its_subscriber_and_nobody_else() -> None:
    one = lane()
    for name, to in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b")):
        one.put(message(name, to), 0)
    first, other = take_all(one)
    one.again(put_off(first, 1_000))
    one.done(other, 0)
    assert names(take_all(one, 999)) == "b2"
    assert one.wait_ms(999) == 1
    one.put(message("a3", "a"), 999)
    [again] = take_all(one, 1_000)
    assert again.row.id == "a1"
    one.done(again, 1_000)
    assert names(take_all(one, 1_000)) == "a2"


def test_what_comes_with_a_pause_goes_before_what_came_after_it() -> None:
    """So it is after a restart: what was put off before is read back before what follows it."""
    one = lane()
    one.put(message("a1", "a", 1_000), 0)
    one.put(message("a2", "a", 500), 0)
    one.put(message("a3", "a"), 0)
    assert take_all(one) == []
    order = []
    for now_ms in (500, 1_000, 1_000, 1_000):
        out = take_all(one, now_ms)
        order.append(names(out))
        for taken in out:
            one.done(taken, now_ms)
    assert order == ["", "a1", "a2", "a3"]


def test_a_pause_of_the_next_in_turn_is_kept() -> None:
    one = lane()
    one.put(message("a1", "a", 100), 0)
    one.put(message("a2", "a", 5_000), 0)
    [first] = take_all(one, 100)
    one.done(first, 100)
    assert (take_all(one, 4_999), one.wait_ms(4_999)) == ([], 1)
    assert names(take_all(one, 5_000)) == "a2"


def test_however_they_are_refused_each_subscriber_gets_them_in_order_and_none_is_lost() -> None:
    """A window of ten, one in four refused with a pause, thirty subscribers with ten messages each: many times."""
    for seed in range(50):
        chance = random.Random(seed)
        one, now_ms = lane(), 0
        for number in range(300):
            one.put(message(f"{number:03}", str(chance.randrange(30))), now_ms)
        window: list[Outgoing] = []
        arrived: list[Outgoing] = []
        while len(arrived) < 300:
            while len(window) < 10 and (taken := one.take(now_ms)) is not None:
                window.append(taken)
            now_ms += 10
            if window:
                answered = window.pop(chance.randrange(len(window)))
                if chance.random() < 0.25:
                    one.again(put_off(answered, now_ms + chance.randrange(1, 500)))
                else:
                    one.done(answered, now_ms)
                    arrived.append(answered)
        for to in {sent.row.destination for sent in arrived}:
            mine = [sent.row.id for sent in arrived if sent.row.destination == to]
            assert mine == sorted(mine)
        assert (one._first, one._behind, one._later, len(one._ready)) == ({}, {}, [], 0), "nothing is left behind"
