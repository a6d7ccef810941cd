"""Random bytes are handed out once each, in any portion, to any thread."""

import itertools
from concurrent.futures import ThreadPoolExecutor

from smsgw.kit.randomness import RandomPool


def numbered() -> RandomPool:
    """A source whose bytes are the digits of a counter of four bytes, so that none comes twice."""
    counter = itertools.count()

    def buy(count: int) -> bytes:
        return b"".join(next(counter).to_bytes(4) for _ in range(-(-count // 4)))[:count]

    return RandomPool(buy)


def test_portions_are_what_was_asked_for() -> None:
    pool = numbered()
    assert [len(pool.take(count)) for count in (0, 1, 12, 8192, 10_000)] == [0, 1, 12, 8192, 10_000]


def test_nothing_is_handed_out_twice() -> None:
    pool = numbered()
    with ThreadPoolExecutor(8) as threads:
        portions = list(threads.map(lambda _: pool.take(4), range(50_000)))
    assert len(set(portions)) == len(portions)


def test_a_portion_is_never_cut_short_at_the_end_of_a_block() -> None:
    pool = numbered()
    pool.take(8190)
    assert len(pool.take(12)) == 12
