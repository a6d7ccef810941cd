"""Watchers see the last state of everything, whatever they missed, and nothing piles up for those who do not look."""

import asyncio

from smsgw.demo.feed import Feed


def test_who_comes_late_sees_everything_that_is_kept() -> None:
    feed: Feed[str] = Feed(3)
    for number in range(5):
        feed.put(number, f"message {number}")
    assert feed.since(0) == (["message 2", "message 3", "message 4"], 5)


def test_who_asks_again_sees_what_is_new() -> None:
    feed: Feed[str] = Feed(3)
    feed.put(1, "one")
    _, seen = feed.since(0)
    assert feed.since(seen) == ([], seen)
    feed.put(2, "two")
    feed.put(1, "one, delivered")
    assert feed.since(seen) == (["one, delivered", "two"], 3)


def test_a_value_is_replaced_in_its_place_but_does_not_come_back() -> None:
    feed: Feed[str] = Feed(2)
    for number in (1, 2):
        feed.put(number, str(number))
    feed.replace(1, "one")
    assert feed.since(0)[0] == ["one", "2"]
    feed.put(3, "3")
    feed.replace(1, "back")
    assert feed.since(0)[0] == ["2", "3"]


def test_watchers_are_woken_while_they_watch() -> None:
    feed: Feed[str] = Feed(2)
    first, second = asyncio.Event(), asyncio.Event()
    with feed.watched_by(first):
        with feed.watched_by(second):
            assert feed.watchers == 2
            feed.put(1, "one")
            assert first.is_set()
            assert second.is_set()
        first.clear()
        second.clear()
        feed.ring()
        assert first.is_set()
        assert not second.is_set()
    assert not feed.watched
