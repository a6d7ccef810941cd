"""National language tables: golden texts typed from TS 23.038 Annex A, and a library's table where it has one."""

import unicodedata

import gsm0338
import pytest
from hypothesis import given, strategies as st

from smsgw.text import gsm7, national
from smsgw.text.gsm7 import Tables

ANNEX_A2_1 = "0A:\f 14:^ 28:{ 29:} 2F:\\ 3C:[ 3D:~ 3E:] 40:| 47:Ğ 49:İ 53:Ş 63:ç 65:€ 67:ğ 69:\u0131 73:ş"
ANNEX_A2_2 = "09:ç 0A:\f 14:^ 28:{ 29:} 2F:\\ 3C:[ 3D:~ 3E:] 40:| 41:Á 49:Í 4F:Ó 55:Ú 61:á 65:€ 69:í 6F:ó 75:ú"
ANNEX_A2_3 = (
    "05:ê 09:ç 0A:\f 0B:Ô 0C:ô 0E:Á 0F:á 12:Φ 13:Γ 14:^ 15:Ω 16:Π 17:Ψ 18:Σ 19:Θ 1F:Ê 28:{ 29:} 2F:\\ 3C:[ 3D:~ 3E:] "
    "40:| 41:À 49:Í 4F:Ó 55:Ú 5B:Ã 5C:Õ 61:Â 65:€ 69:í 6F:ó 75:ú 7B:ã 7C:õ 7F:â"
)
# What differs from the default alphabet, code by code (A.3.1, A.3.3).
ANNEX_A3_1 = "04:€ 07:\u0131 0B:Ğ 0C:ğ 1C:Ş 1D:ş 40:İ 60:ç"
ANNEX_A3_3 = (
    "04:ê 06:ú 07:í 08:ó 09:ç 0B:Ô 0C:ô 0E:Á 0F:á 12:ª 13:Ç 14:À 15:∞ 16:^ 17:\\ 18:€ 19:Ó 1A:| 1C:Â 1D:â 1E:Ê "
    "24:º 40:Í 5B:Ã 5C:Õ 5D:Ú 60:~ 7B:ã 7C:õ 7D:`"
)


def cells(annex: str) -> dict[int, str]:
    return {int(cell[:2], 16): cell[3:] for cell in annex.split(" ")}


@pytest.mark.parametrize(("language", "annex"), [(1, ANNEX_A2_1), (2, ANNEX_A2_2), (3, ANNEX_A2_3)])
def test_a_single_shift_table_is_that_of_the_annex(language: int, annex: str) -> None:
    known = cells(annex)
    for code in set(range(128)) - {0x1B}:
        expected = known.get(code, gsm7.decode(bytes((code,))))
        assert gsm7.decode(bytes((0x1B, code)), (0, language)) == expected, hex(code)


@pytest.mark.parametrize(("language", "annex"), [(1, ANNEX_A3_1), (2, ""), (3, ANNEX_A3_3)])
def test_a_locking_shift_table_is_that_of_the_annex(language: int, annex: str) -> None:
    known = cells(annex) if annex else {}
    for code in set(range(128)) - {0x1B}:
        expected = known.get(code, gsm7.decode(bytes((code,))))
        assert gsm7.decode(bytes((code,)), (language, 0)) == expected, hex(code)


def test_the_library_s_spanish_table_is_the_same() -> None:
    theirs = {
        code: "\f" if name == "FORM FEED" else unicodedata.lookup(name)
        for code, name in gsm0338.SINGLE_SHIFT_CHARACTER_SET_SPANISH.items()
    }
    assert theirs == cells(ANNEX_A2_2)


@pytest.mark.parametrize(
    ("septets", "tables", "text"),
    [
        pytest.param(b"g\x1bune\x1bs", (0, 1), "guneş", id="Turkish, single shift"),
        pytest.param(b"\x40stanbul \x1c\x60", (1, 0), "İstanbul Şç", id="Turkish, locking shift"),
        pytest.param(b"\x40\x1bi", (1, 1), "İ\u0131", id="Turkish, both"),
        pytest.param(b"ma\x1b\x09\x1b\x7b", (0, 3), "maçã", id="Portuguese, single shift"),
        pytest.param(b"ma\x09\x7b", (3, 0), "maçã", id="Portuguese, locking shift"),
        pytest.param(b"S\x1bi", (0, 2), "Sí", id="Spanish"),
        pytest.param(b"\x1b\x04", (3, 0), "ê", id="what the single table lacks is read by the locking one"),
        pytest.param(b"\x1b\x1b\x1b", (3, 3), "  ", id="an escape that shifts nothing is a space"),
        pytest.param(b"\x40", (99, 99), "¡", id="an unknown language is read by the default tables"),
    ],
)
def test_texts_in_national_tables(septets: bytes, tables: Tables, text: str) -> None:
    assert gsm7.decode(septets, tables) == text


def test_every_table_keeps_the_escape_and_all_letters_of_ascii() -> None:
    for table in national.LOCKING.values():
        assert len(table) == len(set(table)) == 128
        assert table[0x1B] == "\x1b"
        assert all(table[ord(letter)] == letter for letter in "AZaz09 ")


@given(st.binary().map(lambda data: bytes(octet & 0x7F for octet in data)), st.integers(0, 3), st.integers(0, 3))
def test_any_septets_are_text(data: bytes, locking: int, single: int) -> None:
    assert len(gsm7.decode(data, (locking, single))) <= len(data)
