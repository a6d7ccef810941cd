"""What is allowed in links' `carriers`, and hardly meant: names that no numbering plan has match no phone."""

from collections.abc import Iterator
from difflib import get_close_matches

import phonenumbers

from smsgw.settings import Configuration, LinkSettings


def remarks(configuration: Configuration) -> list[str]:
    """Return a sentence for each, in the form of settings problems: file, setting, what is the matter."""
    folder = configuration.file.parent / "links"
    links = configuration.links.items()
    return [f"{folder / f'{name}.toml'}: {remark}" for name, link in links if link.carriers for remark in _of(link)]


def _of(link: LinkSettings) -> Iterator[str]:
    there = {name.casefold(): name for name in _names(link.country)}
    for name in link.carriers:
        if name.strip().casefold() in there:
            continue
        where = f" of {link.country}" if link.country else ""
        alike = get_close_matches(name.strip().casefold(), there, n=1)
        known = f"; is {there[alike[0]]} meant?" if alike else _listed(sorted(there.values()))
        yield f'carriers: the numbering plan{where} has no "{name}", so no phone is found by it{known}'


_MOST_LISTED = 12


def _listed(names: list[str]) -> str:
    return f"; it has {', '.join(names)}" if 0 < len(names) <= _MOST_LISTED else ""


def _names(country: str) -> set[str]:
    """Return the operators that numbers of a country were given to; without one, those of all countries."""
    from phonenumbers.carrierdata import CARRIER_DATA  # noqa: PLC0415 - 11 MB of names, for those who name carriers

    code = str(phonenumbers.country_code_for_region(country)) if country else ""
    return {told["en"] for prefix, told in CARRIER_DATA.items() if prefix.startswith(code) and "en" in told}
