"""A short run of what scripts/fuzz does at length: spoiled PDUs crash and grow nothing, and have defined answers."""

from smsgw.smpp import pdus
from smsgw.smpp.codec import decode
from tests.smpp import fuzz


def test_there_are_forty_golden_pdus_of_every_kind() -> None:
    assert len(fuzz.GOLDEN) == len(set(fuzz.GOLDEN)) == 40
    assert {type(decode(frame)) for frame in fuzz.GOLDEN} == set(pdus.ALL)


def test_mutations_have_defined_answers() -> None:
    figures = fuzz.run(20_000, seed=4)
    assert figures.frames == 20_000
    assert figures.received > 1_000, "the mutations must be gentle enough to be read sometimes"
    assert figures.refused > 1_000, "and rough enough to be refused"


def test_every_truncation_has_a_defined_answer() -> None:
    assert fuzz.truncations() > 3_000


def test_every_split_means_the_same() -> None:
    assert fuzz.splits() > 1_500
