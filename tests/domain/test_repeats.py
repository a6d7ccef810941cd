"""Delivered again, or sent twice: a subscriber pays for each message sent, and for none that the operator repeats."""

from collections.abc import Collection, Mapping

from hypothesis import given, strategies as st

from smsgw.domain.repeats import Candidate, Repeats, find

TIMER = 10_000


def came(name: str, at_ms: int = 0, *, text: str = "sun", operator_id: str | None = None) -> Candidate:
    return Candidate(id=name, fingerprint=text, operator_id=operator_id, arrived_ms=at_ms, smsc_timer_ms=TIMER)


def found(
    *candidates: Candidate,
    doubted: Mapping[str, list[str]] | None = None,
    given: Mapping[str, str] | None = None,
    elsewhere: Collection[str] = (),
) -> Repeats:
    return find(candidates, doubted=doubted or {}, by_operator_id=given or {}, elsewhere=elsewhere)


# --- the operator's id decides --------------------------------------------------------------------------------------


def test_an_id_that_came_before_is_the_same_message_whatever_it_says() -> None:
    assert found(came("b", text="other", operator_id="7"), given={"7": "a"}).of == {"b": "a"}


def test_an_id_of_its_own_is_a_message_of_its_own_however_equal_it_looks() -> None:
    result = found(came("b", operator_id="8"), given={"7": "a"}, doubted={"sun": ["a"]})
    assert result == Repeats(of={}, absorbed=[]), "the doubt is not used up either"


def test_an_id_that_comes_twice_at_once_is_one_message() -> None:
    assert found(came("a", operator_id="7"), came("b", operator_id="7"), came("c", operator_id="7")).of == {
        "b": "a",
        "c": "a",
    }


def test_without_an_id_the_other_rules_hold_beside_it() -> None:
    assert found(came("a", operator_id="7"), came("b"), doubted={"sun": ["x"]}).of == {"b": "x"}


# --- doubts ---------------------------------------------------------------------------------------------------------


def test_a_doubted_message_absorbs_one_redelivery_and_the_next_is_a_purchase() -> None:
    result = found(came("b"), came("c"), doubted={"sun": ["a"]})
    assert result == Repeats(of={"b": "a"}, absorbed=["a"])


def test_two_doubts_absorb_two_oldest_first() -> None:
    result = found(came("c"), came("d"), came("e"), doubted={"sun": ["a", "b"]})
    assert result == Repeats(of={"c": "a", "d": "b"}, absorbed=["a", "b"])


def test_a_doubt_absorbs_nothing_else() -> None:
    assert found(came("b", text="moon"), doubted={"sun": ["a"]}) == Repeats(of={}, absorbed=[])


def test_the_caller_s_doubts_stay_as_they_are() -> None:
    doubted = {"sun": ["a"]}
    found(came("b"), doubted=doubted)
    assert doubted == {"sun": ["a"]}


# --- waiting together -----------------------------------------------------------------------------------------------


def test_two_equal_messages_in_one_window_of_a_healthy_session_are_two_purchases() -> None:
    assert found(came("a"), came("b"), came("c", TIMER - 1)) == Repeats(of={}, absorbed=[])


def test_what_comes_again_after_the_smsc_s_patience_is_a_redelivery() -> None:
    assert found(came("a", 5), came("b", 5 + TIMER)) == Repeats(of={"b": "a"}, absorbed=[])


def test_each_of_them_absorbs_one() -> None:
    result = found(came("a"), came("b", 1), came("c", TIMER + 1), came("d", TIMER + 1), came("e", TIMER + 1))
    assert result.of == {"c": "a", "d": "b"}


def test_a_redelivery_may_be_redelivered_in_its_turn() -> None:
    """The store has hung for longer than two of the SMSC's timers."""
    assert found(came("a"), came("b", TIMER), came("c", 2 * TIMER)).of == {"b": "a", "c": "a"}


def test_so_may_the_redelivery_of_a_doubted_message() -> None:
    result = found(came("b"), came("c", TIMER), doubted={"sun": ["a"]})
    assert result == Repeats(of={"b": "a", "c": "a"}, absorbed=["a"])


def test_messages_that_differ_never_repeat_each_other() -> None:
    assert found(came("a"), came("b", TIMER, text="moon")).of == {}


# --- in general -----------------------------------------------------------------------------------------------------

candidates = st.lists(
    st.tuples(st.sampled_from(["sun", "moon"]), st.sampled_from([None, None, "7"]), st.integers(0, 2 * TIMER)),
    max_size=12,
).map(
    lambda rows: [
        came(f"m{number:02}", at_ms, text=text, operator_id=operator_id)
        for number, (text, operator_id, at_ms) in enumerate(sorted(rows, key=lambda row: row[2]))
    ]
)


@given(candidates, st.integers(0, 3), st.integers(0, 3))
def test_nothing_repeats_what_comes_later_and_no_doubt_is_used_twice(
    arrived: list[Candidate], suns: int, moons: int
) -> None:
    doubted = {
        "sun": [f"a-sun{number}" for number in range(suns)],
        "moon": [f"a-moon{number}" for number in range(moons)],
    }
    result = find(arrived, doubted=doubted, by_operator_id={})
    assert all(original < one for one, original in result.of.items())
    assert not result.of.keys() & set(result.of.values()), "all deliveries of a message name the first one"
    assert len(set(result.absorbed)) == len(result.absorbed)
    for text, ids in doubted.items():
        plain = [one for one in arrived if one.fingerprint == text and one.operator_id is None]
        assert result.absorbed.count(ids[0] if ids else "") == bool(ids and plain), "the oldest doubt goes first"
        assert sum(doubt in ids for doubt in result.absorbed) == min(len(ids), len(plain))


@given(st.integers(1, 10))
def test_a_healthy_session_never_loses_a_purchase(count: int) -> None:
    assert found(*(came(f"m{number}", number) for number in range(count))).of == {}


# --- several nodes --------------------------------------------------------------------------------------------------


def test_what_is_unproven_elsewhere_is_not_decided() -> None:
    result = found(came("b"), came("c"), came("d", text="other"), elsewhere={"sun"})
    assert result == Repeats(of={}, absorbed=[], undecided=frozenset({"b", "c"}))


def test_a_doubt_decides_before_it() -> None:
    result = found(came("b"), came("c"), doubted={"sun": ["a"]}, elsewhere={"sun"})
    assert result == Repeats(of={"b": "a"}, absorbed=["a"], undecided=frozenset({"c"}))


def test_an_operator_s_id_decides_before_it() -> None:
    result = found(came("b", operator_id="7"), came("c", operator_id="8"), given={"7": "a"}, elsewhere={"sun"})
    assert result == Repeats(of={"b": "a"}, absorbed=[])


def test_what_is_undecided_is_not_repeated_by_what_comes_later() -> None:
    result = found(came("b"), came("c", TIMER), elsewhere={"sun"})
    assert result == Repeats(of={}, absorbed=[], undecided=frozenset({"b", "c"}))
