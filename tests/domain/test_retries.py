"""When a merchant is tried again: the pauses of Standard Webhooks 1.0, never shorter, a tenth longer at most."""

from smsgw.domain.retries import PAUSES_MS, pause_ms


def test_the_pauses_are_those_of_the_specification() -> None:
    hours = [pause / 3_600_000 for pause in PAUSES_MS]
    assert hours == [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]


def test_chance_makes_them_longer_only() -> None:
    assert (pause_ms(1, 10, 0.0), pause_ms(1, 10, 0.999999)) == (5_000, 5_500)


def test_after_the_last_try_there_is_no_pause() -> None:
    assert [pause_ms(tries, 3, 0.0) for tries in (1, 2, 3, 4)] == [5_000, 300_000, None, None]
    assert pause_ms(9, 10, 0.0) == 86_400_000
    assert pause_ms(10, 99, 0.0) is None
