"""Long messages: parts in any order, some twice, of several messages at once; bytes are joined before they are read."""

from hypothesis import given, strategies as st

from smsgw.domain.joining import Piece, Whole, join
from smsgw.text.segments import Part


def piece(name: str, number: int, total: int, body: bytes = b"", *, key: str = "k") -> Piece:
    part = Part(reference=1, wide=False, total=total, number=number, body=body or b"%d" % number)
    return Piece(id=name, key=key, part=part)


def body(whole: Whole) -> bytes:
    return b"".join(part.body for part in whole.parts)


def test_nothing_is_whole_while_a_part_is_missing() -> None:
    assert join([piece("a", 1, 3)], [piece("b", 3, 3)]) == ([], set())


def test_the_last_part_makes_a_whole_of_those_that_waited() -> None:
    [whole], doubles = join([piece("a", 1, 3), piece("b", 3, 3)], [piece("c", 2, 3)])
    assert (whole.id, whole.others, body(whole)) == ("c", ["a", "b"], b"123")
    assert doubles == set()


def test_all_parts_may_come_at_once_in_any_order() -> None:
    [whole], _ = join([], [piece("a", 3, 3), piece("b", 1, 3), piece("c", 2, 3)])
    assert (whole.id, whole.others, body(whole)) == ("c", ["a", "b"], b"123")


def test_a_part_that_comes_twice_counts_once() -> None:
    wholes, doubles = join([piece("a", 1, 2)], [piece("b", 1, 2), piece("c", 2, 2)])
    assert ([whole.others for whole in wholes], doubles) == ([["a"]], {"b"})


def test_a_stored_part_that_is_there_twice_is_taken_once() -> None:
    [whole], doubles = join([piece("a", 1, 2, b"old"), piece("b", 1, 2, b"new")], [piece("c", 2, 2)])
    assert (whole.others, body(whole), doubles) == (["a"], b"old2", set())


def test_a_part_of_other_content_begins_the_next_message() -> None:
    """Phones count references to 255: sooner or later an unfinished message meets its successor."""
    wholes, doubles = join(
        [piece("a", 1, 3, b"old "), piece("b", 3, 3, b"end")], [piece("c", 1, 3), piece("d", 2, 3), piece("e", 3, 3)]
    )
    assert [(one.id, one.others, body(one), one.complete, one.begins) for one in wholes] == [
        ("a", ["b"], b"old end", False, True),
        ("e", ["c", "d"], b"123", True, True),
    ]
    assert doubles == set()


def test_what_is_given_up_as_it_comes_is_named_by_what_came_last() -> None:
    wholes, _ = join([piece("a", 2, 3, b"old")], [piece("b", 3, 3, b"old"), piece("c", 2, 3, b"new")])
    assert [(one.id, one.others, body(one), one.complete, one.begins) for one in wholes] == [
        ("b", ["a"], b"oldold", False, False)
    ]


def test_after_a_whole_its_key_begins_anew() -> None:
    """The subscriber sends the same long text again; the phone gives it the same reference."""
    wholes, doubles = join([], [piece("a", 1, 2), piece("b", 2, 2), piece("c", 1, 2), piece("d", 2, 2)])
    assert [(whole.id, whole.others) for whole in wholes] == [("b", ["a"]), ("d", ["c"])]
    assert doubles == set()


def test_messages_of_different_keys_do_not_mix() -> None:
    wholes, _ = join(
        [piece("a", 1, 2, key="x")], [piece("b", 1, 2, key="y"), piece("c", 2, 2, key="x"), piece("d", 2, 2, key="y")]
    )
    assert [(whole.id, whole.others) for whole in wholes] == [("c", ["a"]), ("d", ["b"])]


def test_a_character_cut_in_two_is_whole_again() -> None:
    pair = "😀".encode("utf-16-be")
    [whole], _ = join([], [piece("a", 2, 2, pair[2:]), piece("b", 1, 2, pair[:2])])
    assert body(whole).decode("utf-16-be") == "😀"


@given(st.permutations(range(1, 6)), st.integers(0, 5), st.lists(st.integers(0, 4), max_size=5))
def test_however_they_come_one_message_is_one_whole(order: list[int], stored: int, again: list[int]) -> None:
    pieces = [piece(f"p{number}", number, 5, b"<%d>" % number) for number in order]
    before, now = pieces[:stored], pieces[stored:]
    doubles = [piece(f"again{at}", order[at], 5, b"<%d>" % order[at]) for at in again if at < len(order) - 1]
    # what comes again comes before the last part
    arrived = [*now[:-1], *doubles, *now[-1:]] if now else []
    wholes, told = join(before, arrived)
    if not now:
        assert wholes == []
        return
    known = {one.part.number for one in pieces[:-1]}
    assert [body(whole) for whole in wholes] == [b"<1><2><3><4><5>"]
    assert {wholes[0].id, *wholes[0].others} == {one.id for one in pieces}
    assert told == {one.id for one in doubles if one.part.number in known}
