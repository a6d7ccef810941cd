"""A rehearsal tells of each step what was expected and seen, in time, and goes on to its end whatever was seen."""

from typing import Any

import msgspec

from smsgw.simulator.rehearsal import Outcome, Place, Rehearsal, settings_of
from smsgw.simulator.scenario import Scenario
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.steps import AnyStep
from tests.simulator.gateway import Gateway
from tests.simulator.virtual_loop import LoopClock, run


def play(steps: list[dict[str, Any]], *, bound: bool = True, answering: bool = True) -> list[Outcome]:
    """Play steps with a small gateway that answers each message "one" with "two"."""
    outcomes: list[Outcome] = []

    async def test() -> None:
        scenario = Scenario(description="", steps=msgspec.convert(steps, tuple[AnyStep, ...]))
        smsc = Smsc(settings_of(scenario, SmscSettings()), clock=LoopClock())
        port = await smsc.start()
        try:
            gateway = Gateway()
            gateway.on_delivered = lambda pdu: gateway.submit(pdu.source_addr, b"two")
            gateway.answer = lambda _: 0 if answering else None
            if bound:
                await gateway.connect(port)
            await Rehearsal(scenario, smsc, Place(), outcomes.append).play()
        finally:
            await smsc.stop()

    run(test())
    return outcomes


def test_everything_is_as_it_should_be() -> None:
    outcomes = play(
        [
            {"do": "expect bound"},
            {"do": "deliver", "note": "hello", "after_s": 2.0},
            {"do": "expect answer"},
            {"do": "expect reply", "text": "tw"},
            {"do": "expect pdu", "pdu": "submit_sm", "fields": {"source_addr": "1234"}},
            {"do": "expect quiet"},
        ]
    )
    assert [(one.number, one.met) for one in outcomes] == [
        (1, True),
        (2, None),
        (3, True),
        (4, True),
        (5, True),
        (6, True),
    ]
    assert outcomes[1].note == "hello"
    assert 2.0 <= outcomes[1].at_s < 2.5
    assert [one.said for one in outcomes][1:5] == [
        "359888123456 to 1234: short_message, 1 part(s), data_coding 0",
        "the gateway has answered ESME_ROK",
        "1234 to 359888123456: two",
        "the gateway has sent submit_sm once",
    ]


def test_what_is_not_seen_is_said_and_the_rest_is_played() -> None:
    outcomes = play(
        [
            {"do": "expect answer"},
            {"do": "deliver"},
            {"do": "expect answer", "within_s": 3.0, "status": "ESME_RX_T_APPN"},
            {"do": "expect reply", "text": "three", "within_s": 1.0},
            {"do": "expect pdu", "pdu": "query_sm", "within_s": 1.0},
            {"do": "expect quiet"},
            {"do": "expect gone", "within_s": 1.0},
            {"do": "expect tried", "times": 4, "within_s": 1.0},
        ]
    )
    assert [one.said for one in outcomes if one.met is False] == [
        "expected an answer, but no message was delivered before",
        "expected an answer of ESME_RX_T_APPN; seen: ESME_ROK",
        'expected within 1 s 1 message(s) to 359888123456 with "three"; seen: 0, and 1 other(s)',
        "expected within 1 s 1 query_sm; seen: 0 like that, and 0 other(s)",
        "expected no further message; seen: 1: 1234 to 359888123456: two",
        "expected within 1 s that nobody is bound; seen: 1 bind(s)",
        "expected within 1 s 4 attempt(s) to bind; seen: 0",
    ]


def test_an_answer_that_does_not_come() -> None:
    [_, outcome] = play([{"do": "deliver"}, {"do": "expect answer", "within_s": 3.0}], answering=False)
    assert outcome.said == "expected an answer of ESME_ROK within 3 s; seen: none"


def test_without_a_bind_the_rest_is_left_out() -> None:
    outcomes = play([{"do": "expect bound", "within_s": 2.0}, {"do": "deliver"}], bound=False)
    assert [(one.met, one.said) for one in outcomes] == [
        (False, "expected within 2 s to be bound: transceiver; seen: none")
    ]


def test_a_gateway_that_does_not_listen() -> None:
    [outcome] = play([{"do": "outbind", "within_s": 1.0}])
    assert outcome.met is False
    assert outcome.said.startswith("expected a gateway on :0 (--gateway); seen: ")
