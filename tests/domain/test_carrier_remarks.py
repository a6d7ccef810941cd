"""Carriers that no numbering plan has are told by `check`: their phones would be nobody's."""

from pathlib import Path

import pytest

from smsgw.domain import carrier_remarks
from smsgw.settings import Configuration, LinkSettings, Settings


def told(country: str, *carriers: str) -> list[str]:
    link = LinkSettings(host="h", system_id="s", password_file="p", country=country, carriers=list(carriers))
    file = Path("/etc/smsgw/smsgw.toml")
    configuration = Configuration(main=Settings(), links={"north": link}, services={}, file=file, state_dir=file.parent)
    return carrier_remarks.remarks(configuration)


@pytest.mark.parametrize(("country", "carriers"), [("BG", ["A1", "yettel"]), ("", ["Kyivstar", "A1"]), ("BG", [])])
def test_names_that_there_are_need_no_remark(country: str, carriers: list[str]) -> None:
    assert told(country, *carriers) == []


def test_others_are_named_with_what_may_be_meant() -> None:
    [remark] = told("BG", "A1", "Vivakom")
    assert remark == (
        '/etc/smsgw/links/north.toml: carriers: the numbering plan of BG has no "Vivakom", so no phone is found by it; '
        "is Vivacom meant?"
    )
    [remark] = told("BG", "Kyivstar")
    assert 'of BG has no "Kyivstar"' in remark
    assert "; it has A1, " in remark
    [remark] = told("", "Nobody's Phones")
    assert remark.endswith('the numbering plan has no "Nobody\'s Phones", so no phone is found by it')
