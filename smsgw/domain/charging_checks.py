"""What is wrong with the ways in which links charge phones, and with whose phones are theirs."""

from collections.abc import Iterator, Mapping
from typing import Final

import phonenumbers

from smsgw.domain import statuses
from smsgw.settings import ChargeProfile, LinkSettings, places, words

# Settings that mean something in some ways only.
_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "proof": ("mt",),
    "validity_s": ("mt",),
    "receipt_grace_s": ("mt",),
    "user_message_reference": ("mt",),
    "status": ("mt",),
    "receipt_states": ("mt",),
    "receipt_errors": ("mt",),
    "max_tries": ("mt", "direct"),
    "adapter": ("direct",),
    "url": ("direct",),
    "credentials_file": ("direct",),
    "timeout_s": ("direct",),
    "refunds": ("direct",),
}
_UNTOUCHED: Final = ChargeProfile(way="mo")
_WAYS: Final = ("mo", "mt", "direct")


def problems(links: Mapping[str, LinkSettings]) -> Iterator[tuple[str, str]]:
    """Yield (link, "setting: sentence") for each."""
    for name, link in links.items():
        for profile, settings in link.charging.items():
            for problem in _profile_problems(settings, link):
                yield name, f"charging.{profile}.{problem}"
        yield from ((name, problem) for problem in _number_problems(link))
    yield from _twice(links)


def _profile_problems(profile: ChargeProfile, link: LinkSettings) -> Iterator[str]:
    if profile.way not in _WAYS:  # which is told already
        return
    for field, ways in _ONLY.items():
        if profile.way not in ways and getattr(profile, field) != getattr(_UNTOUCHED, field):
            yield f'{field}: means nothing with way = "{profile.way}"; allowed with {_named(ways)}'
    if profile.way == "mt":
        yield from _billed_problems(profile, link)
    if profile.way == "direct":
        yield from _direct_problems(profile)


def _billed_problems(profile: ChargeProfile, link: LinkSettings) -> Iterator[str]:
    yield from statuses.problems(profile.status)
    for state in profile.receipt_states:
        if state != state.upper():
            yield f'receipt_states.{state}: is compared in capitals; write "{state.upper()}"'
    if profile.proof != "receipt":
        return
    if not link.receipts:
        yield 'proof: "receipt" needs receipts = true in this file; or "response", where that is the proof'
    elif link.receipts_of != "all":
        yield f'proof: "receipt" needs receipts_of = "all": with "{link.receipts_of}" no success is ever told'


def _direct_problems(profile: ChargeProfile) -> Iterator[str]:
    if not profile.url:
        yield 'url: missing; way = "direct" needs the address of the operator\'s API'
    elif not places.is_url(profile.url):
        yield "url: must be an absolute http or https address"
    if not profile.credentials_file:
        yield 'credentials_file: missing; way = "direct" needs a file with "user:password" or a token'
    yield from places.name_problems("credentials_file", profile.credentials_file)


def _named(ways: tuple[str, ...]) -> str:
    return " and ".join(f'"{way}"' for way in ways)


def _number_problems(link: LinkSettings) -> Iterator[str]:
    if link.country and not phonenumbers.country_code_for_region(link.country):
        yield f'country: {words.shown(link.country)} is unknown; allowed are codes of ISO 3166 such as "BG"'
    for prefix in link.prefixes:
        if prefix.lstrip("+").startswith("0"):
            yield f'prefixes: "{prefix}" fits no number; they begin with the country\'s code, such as "35988"'


def _twice(links: Mapping[str, LinkSettings]) -> Iterator[tuple[str, str]]:
    """Each prefix and each name belongs to one link, and stands there once."""
    for field in ("prefixes", "carriers"):
        owners: dict[str, str] = {}
        for name, link in links.items():
            seen = set()
            for value in getattr(link, field):
                key = value.lstrip("+").strip().casefold()
                owner = owners.setdefault(key, name)
                if owner != name:
                    yield name, f'{field}: "{value}" already belongs to link "{owner}"'
                elif key in seen:
                    yield name, f'{field}: "{value}" stands there twice'
                seen.add(key)
