"""Rows become values by the places of their columns, and a query that has others is a mistake that is heard of."""

import pytest
from msgspec import Struct

from smsgw.store.rows import found, made


class Fruit(Struct, frozen=True, kw_only=True):
    name: str
    grams: int | None


def test_columns_are_fields_in_their_order() -> None:
    apple, fig = Fruit(name="apple", grams=180), Fruit(name="fig", grams=None)
    assert made(Fruit, [("apple", 180), ("fig", None)]) == [apple, fig]
    assert made(Fruit, []) == []
    assert found(Fruit, ("apple", 180)) == apple
    assert found(Fruit, None) is None


@pytest.mark.parametrize("row", [("apple",), ("apple", 180, "red")])
def test_other_columns_are_a_mistake(row: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="argument"):
        made(Fruit, [row])
