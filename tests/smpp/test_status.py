"""command_status values have the specification's names and one sentence each."""

import pytest
from smpplib import consts

from smsgw.smpp import status


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0x00000000, "ESME_ROK"),
        (0x00000058, "ESME_RTHROTTLED"),
        (0x00000064, "ESME_RX_T_APPN"),
        (0x000000FF, "ESME_RUNKNOWNERR"),
        (0x00000104, "ESME_RINVDCS"),
        (0x00000400, "0x00000400"),
        (0xFFFFFFFF, "0xFFFFFFFF"),
    ],
)
def test_a_status_has_its_name_or_its_number(value: int, name: str) -> None:
    assert status.name(value) == name


def test_every_status_that_smpplib_knows_is_known() -> None:
    values = {value for name, value in vars(consts).items() if name.startswith("SMPP_ESME_")}
    assert values <= status.NAMES.keys()
    assert status.NAMES.keys() == status.MEANINGS.keys()


def test_meanings_are_sentences() -> None:
    for sentence in (*status.MEANINGS.values(), status.meaning(0x400)):
        assert sentence.endswith(".")
        assert not sentence.endswith("..")
        assert "<" not in sentence


def test_constants_have_the_values_of_their_names() -> None:
    for value, name in status.NAMES.items():
        assert getattr(status, name, value) == value
