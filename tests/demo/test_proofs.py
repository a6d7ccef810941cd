"""Proofs in the demo: of one kind, for one merchant and visitor, and each is taken once."""

import pytest

from smsgw.demo import proofs as module
from smsgw.demo.proofs import Proofs
from smsgw.kit.tokens import KIND
from tests.demo.shop import SECRET, proof

NOW_MS = 1_800_000_000_000
GOOD = {"exp": NOW_MS // 1000 + 60, "state": "mine"}


def proofs(kind: str = KIND) -> Proofs:
    return Proofs("sunrise", kind, lambda: {"key_1": SECRET}, lambda: NOW_MS)


def test_a_proof_is_read_as_often_as_one_likes_and_taken_once() -> None:
    one = proofs()
    claims = one.read(proof(**GOOD), "mine")
    assert claims is not None
    assert one.read(proof(**GOOD), "mine") is not None
    assert [one.spend(claims), one.spend(claims)] == [True, False]


def test_a_token_of_another_kind_proves_nothing() -> None:
    assert proofs("smsgw-payment+jwt").read(proof(**GOOD), "mine") is None


def test_a_visitor_without_a_state_proves_nothing() -> None:
    assert proofs().read(proof(**GOOD | {"state": ""}), "") is None


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_SPENT", 2)
    one = proofs()
    assert [one.spend({"jti": jti}) for jti in ("a", "b", "c")] == [True] * 3
    assert [one.spend({"jti": jti}) for jti in ("c", "b", "a")] == [False, False, True]
