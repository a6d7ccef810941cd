"""The tap shows the last PDUs with their times, responses beside their requests, and never any content."""

from smsgw.demo import tap as module
from smsgw.demo.tap import Tap, TapBind
from smsgw.kit.clock import ManualClock


class Stopwatch:
    """Counts microseconds."""

    def __init__(self) -> None:
        self.us = 0

    def __call__(self) -> int:
        return self.us


def make() -> tuple[Tap, Stopwatch]:
    watch = Stopwatch()
    return Tap(now_ms=ManualClock().now_ms, now_us=watch), watch


def test_a_response_tells_how_long_it_took() -> None:
    tap, watch = make()
    tap.record(1, "operator", "deliver_sm", 7, 0)
    watch.us = 1_250
    tap.record(1, "gateway", "deliver_sm_resp", 7, 0x64)
    request, response = tap.pdus.since(0)[0]
    assert (request.sender, request.name, request.sequence, request.status, request.took_ms) == (
        "operator",
        "deliver_sm",
        7,
        0,
        None,
    )
    assert (response.sender, response.name, response.status, response.took_ms) == (
        "gateway",
        "deliver_sm_resp",
        0x64,
        1.25,
    )


def test_equal_numbers_of_the_other_side_or_session_are_not_mixed_up() -> None:
    tap, watch = make()
    tap.record(1, "operator", "deliver_sm", 1, 0)
    tap.record(1, "gateway", "submit_sm", 1, 0)
    watch.us = 1_000
    tap.record(2, "gateway", "deliver_sm_resp", 1, 0)
    tap.record(1, "gateway", "deliver_sm_resp", 1, 0)
    watch.us = 2_000
    tap.record(1, "operator", "submit_sm_resp", 1, 0)
    tap.record(1, "operator", "submit_sm_resp", 1, 0)
    assert [pdu.took_ms for pdu in tap.pdus.since(0)[0]] == [None, None, None, 1.0, 2.0, None]


def test_only_the_last_pdus_are_kept_and_open_requests_are_bounded() -> None:
    tap, _ = make()
    for number in range(module.OPEN_LIMIT + 5):
        tap.record(1, "operator", "deliver_sm", number, 0)
    assert len(tap.pdus.since(0)[0]) == module.PDUS_LIMIT
    assert len(tap._asked_us) == module.OPEN_LIMIT


def test_binds_are_shown_as_they_stand() -> None:
    tap, _ = make()
    assert tap.binds.since(0)[0] == [()]
    bind = TapBind(kind="transceiver", system_id="smsgw")
    tap.bound((bind,))
    assert tap.binds.since(0)[0] == [(bind,)]
