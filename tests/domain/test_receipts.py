"""What receipts mean: ids in every notation that operators mix, words of their own, and messages of several parts."""

import itertools

import pytest
from hypothesis import given, strategies as st

from smsgw.domain.messages import Event, Status
from smsgw.domain.receipts import IdForm, canonical_id, event_of, fold
from smsgw.settings import LinkSettings
from smsgw.smpp.receipt import Receipt


def told(state: str, *, intermediate: bool = False) -> Receipt:
    return Receipt(message_id="7", state=state, error=None, done=None, intermediate=intermediate)


@pytest.mark.parametrize(
    ("answered", "answers", "reported", "reports", "same"),
    [
        ("7F3A", "text", "7F3A", "text", True),
        ("7F3A", "text", "7f3a", "text", False),
        ("7F3A", "caseless", "7f3a", "caseless", True),
        ("007f3a", "caseless", "7F3A", "caseless", True),
        ("7f3a", "hex", "32570", "decimal", True),
        ("00007F3A", "hex", "0000032570", "decimal", True),
        ("32570", "decimal", "7F3A", "hex", True),
        ("7F3A", "hex", "32571", "decimal", False),
        ("10", "hex", "10", "decimal", False),
        ("0", "decimal", "00000000", "hex", True),
        ("000", "caseless", "0", "caseless", True),
        (" 12 ", "decimal", "12", "decimal", True),
        ("abc-1", "decimal", "ABC-1", "hex", True),  # no numbers at all: compared as words
        ("1_0", "decimal", "10", "decimal", False),
        ("+10", "decimal", "10", "decimal", False),
    ],
)
def test_ids_are_compared_by_what_they_name(
    answered: str,
    answers: IdForm,
    reported: str,
    reports: IdForm,
    same: bool,  # noqa: FBT001 - a column
) -> None:
    assert (canonical_id(answered, answers) == canonical_id(reported, reports)) is same


@given(st.integers(0, 1 << 64), st.integers(0, 5))
def test_numbers_meet_in_any_notation(number: int, zeros: int) -> None:
    forms = {
        canonical_id("0" * zeros + f"{number:x}", "hex"),
        canonical_id(f"{number:X}", "hex"),
        canonical_id("0" * zeros + str(number), "decimal"),
    }
    assert len(forms) == 1


@given(st.text(max_size=70), st.sampled_from(["text", "caseless", "decimal", "hex"]))
def test_no_id_is_too_strange(written: str, form: IdForm) -> None:
    assert isinstance(canonical_id(written, form), str)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("DELIVRD", Event.DELIVER),
        ("delivrd", Event.DELIVER),
        ("EXPIRED", Event.FAIL),
        ("DELETED", Event.FAIL),
        ("UNDELIV", Event.FAIL),
        ("REJECTD", Event.FAIL),
        ("SKIPPED", Event.FAIL),
        ("FAILED", Event.FAIL),
        ("NOROUTE", Event.FAIL),
        ("ENROUTE", Event.PROGRESS),
        ("ACCEPTD", Event.PROGRESS),
        ("SCHEDLD", Event.PROGRESS),
        ("UNKNOWN", Event.PROGRESS),
        ("", Event.PROGRESS),
        ("BLAH", Event.PROGRESS),
    ],
)
def test_what_states_mean(state: str, event: Event) -> None:
    assert event_of(told(state), None) is event


def test_an_operators_own_words_go_first() -> None:
    words = {"PAIDOK": "delivered", "UNKNOWN": "failed", "DELETED": "progress"}
    settings = LinkSettings(host="h", port=1, system_id="s", password_file="p", receipt_states=words)  # type: ignore[arg-type]  # literals
    events = [event_of(told(state), settings) for state in ("paidok", "UNKNOWN", "DELETED", "DELIVRD")]
    assert events == [Event.DELIVER, Event.FAIL, Event.PROGRESS, Event.DELIVER]


@pytest.mark.parametrize("state", ["DELIVRD", "UNDELIV", "ENROUTE"])
def test_an_intermediate_notification_ends_nothing(state: str) -> None:
    assert event_of(told(state, intermediate=True), None) is Event.PROGRESS


# From the state that says most of the whole to the one that says least.
WEIGHT = [
    Status.FAILED,
    Status.REFUSED,
    Status.EXPIRED,
    Status.UNKNOWN,
    Status.QUEUED,
    Status.INTENT,
    Status.ACCEPTED,
    Status.DELIVERED,
]


@pytest.mark.parametrize("parts", list(itertools.product(Status, repeat=3)))
def test_a_message_stands_as_its_worst_part(parts: tuple[Status, ...]) -> None:
    assert fold(parts) is min(parts, key=WEIGHT.index)
