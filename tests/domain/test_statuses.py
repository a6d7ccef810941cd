"""What a command_status means: the table of the specification, and what an operator's habits change in it."""

import pytest

from smsgw.domain.statuses import Rule, Rules, Verdict, problems
from smsgw.smpp import status

SPECIFIED = {
    status.ESME_ROK: Rule(Verdict.SENT),
    status.ESME_RINVBNDSTS: Rule(Verdict.AGAIN),
    status.ESME_RSYSERR: Rule(Verdict.AGAIN),
    status.ESME_RX_T_APPN: Rule(Verdict.AGAIN),
    status.ESME_RTHROTTLED: Rule(Verdict.AGAIN, slow=True),
    status.ESME_RMSGQFUL: Rule(Verdict.AGAIN, slow=True),
    0x102: Rule(Verdict.AGAIN),
}


@pytest.mark.parametrize("told", [*status.NAMES, 0x400, 0x4FF, 0xFFFFFFFF])
def test_only_what_says_later_is_tried_again_and_only_too_much_slows_the_link(told: int) -> None:
    assert Rules({}).of(told) == SPECIFIED.get(told, Rule(Verdict.REFUSE))


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("sent", Rule(Verdict.SENT)),
        ("again", Rule(Verdict.AGAIN)),
        ("again 30s", Rule(Verdict.AGAIN, after_ms=30_000)),
        ("again 0.5s", Rule(Verdict.AGAIN, after_ms=500)),
        ("slow", Rule(Verdict.AGAIN, slow=True)),
        ("slow 2s", Rule(Verdict.AGAIN, slow=True, after_ms=2_000)),
        ("refuse", Rule(Verdict.REFUSE)),
        ("unknown", Rule(Verdict.UNKNOWN)),
    ],
)
@pytest.mark.parametrize(
    ("key", "told"), [("0x440", 0x440), ("1088", 1088), ("ESME_RSYSERR", 8), ("0xFFFFFFFF", 0xFFFFFFFF), ("88", 88)]
)
def test_a_link_may_mean_something_else(key: str, told: int, said: str, rule: Rule) -> None:
    assert problems({key: said}) == []
    rules = Rules({key: said})
    assert rules.of(told) == rule
    assert rules.of(status.ESME_RMSGQFUL) == SPECIFIED[status.ESME_RMSGQFUL], "all else stays as it was"
    assert rules.longest_ms == (rule.after_ms or 0)


@pytest.mark.parametrize("key", ["", "0x", "0x1FFFFFFFF", "4294967296", "-1", "RSYSERR", "x440", "0x 44", "٤٤"])
def test_what_is_no_status_is_told_with_what_is(key: str) -> None:
    assert problems({key: "again"}) == [
        f"status.{key}: no command_status; allowed are numbers such as 0x440, and names such as ESME_RSYSERR"
    ]


@pytest.mark.parametrize(
    "said", ["", "later", "again 30", "again30s", "again -1s", "Sent", "refuse 3s", "again 86401s"]
)
def test_what_is_no_meaning_is_told_with_what_is(said: str) -> None:
    [problem] = problems({"0x440": said})
    assert problem.startswith(
        f'status.0x440: "{said}" is not allowed; allowed are "sent", "again", "again 30s", "slow"'
    )


def test_ok_is_ok() -> None:
    assert len(problems({"0": "again"})) == len(problems({"ESME_ROK": "refuse"})) == 1


def test_one_status_has_one_meaning() -> None:
    assert problems({"0x58": "again", "88": "refuse"}) == ["status.88: the same status as 0x58; say it once"]
