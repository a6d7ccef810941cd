"""Links' ways to charge, and whose phones are theirs: every sentence that says what is wrong."""

from typing import Any

import pytest
from msgspec import structs

from smsgw.domain.charging_checks import problems
from tests.domain.shop import BILLED, DIRECT, LINK, PREMIUM, link


def of_profile(way: str, **changes: Any) -> list[str]:
    profile = structs.replace({"mt": BILLED, "mo": PREMIUM, "direct": DIRECT}[way], **changes)
    return [problem for _, problem in problems({"north": link(charging={"x": profile})})]


def test_these_are_right() -> None:
    assert list(problems({"north": LINK, "south": link(prefixes=["35988", "+35987"], carriers=["A1"])})) == []
    assert of_profile("mt", status={"0x440": "again 30s"}, receipt_errors={"000": "charged"}, max_tries=1) == []


@pytest.mark.parametrize(
    ("way", "changes", "problem"),
    [
        ("mo", {"proof": "response"}, 'proof: means nothing with way = "mo"; allowed with "mt"'),
        ("mo", {"validity_s": 60.0}, 'validity_s: means nothing with way = "mo"; allowed with "mt"'),
        ("mo", {"max_tries": 1}, 'max_tries: means nothing with way = "mo"; allowed with "mt" and "direct"'),
        ("mo", {"url": "https://x.example"}, 'url: means nothing with way = "mo"; allowed with "direct"'),
        ("mo", {"refunds": True}, 'refunds: means nothing with way = "mo"; allowed with "direct"'),
        ("mt", {"credentials_file": "x"}, 'credentials_file: means nothing with way = "mt"; allowed with "direct"'),
        ("mt", {"adapter": "example"}, 'adapter: means nothing with way = "mt"; allowed with "direct"'),
        ("mt", {"timeout_s": 5.0}, 'timeout_s: means nothing with way = "mt"; allowed with "direct"'),
        ("direct", {"status": {"1": "sent"}}, 'status: means nothing with way = "direct"; allowed with "mt"'),
        ("direct", {"receipt_grace_s": 1.0}, 'receipt_grace_s: means nothing with way = "direct"; allowed with "mt"'),
        (
            "direct",
            {"user_message_reference": False},
            'user_message_reference: means nothing with way = "direct"; allowed with "mt"',
        ),
        (
            "direct",
            {"receipt_states": {"A": "charged"}},
            'receipt_states: means nothing with way = "direct"; allowed with "mt"',
        ),
        (
            "direct",
            {"receipt_errors": {"1": "failed"}},
            'receipt_errors: means nothing with way = "direct"; allowed with "mt"',
        ),
        ("direct", {"url": ""}, 'url: missing; way = "direct" needs the address of the operator\'s API'),
        ("direct", {"url": "ftp://x.example"}, "url: must be an absolute http or https address"),
        (
            "direct",
            {"credentials_file": ""},
            'credentials_file: missing; way = "direct" needs a file with "user:password" or a token',
        ),
        (
            "direct",
            {"credentials_file": "a\0b"},
            'credentials_file: "a\\u0000b" is not allowed; allowed are names of files, without NUL',
        ),
        (
            "mt",
            {"status": {"ESME_NOSUCH": "again"}},
            "status.ESME_NOSUCH: no command_status; allowed are numbers such as 0x440, and names such as ESME_RSYSERR",
        ),
        (
            "mt",
            {"receipt_states": {"paid": "charged"}},
            'receipt_states.paid: is compared in capitals; write "PAID"',
        ),
        (
            "mt",
            {"proof": "receipt"},
            'proof: "receipt" needs receipts = true in this file; or "response", where that is the proof',
        ),
    ],
)
def test_what_is_wrong_with_a_way(way: str, changes: dict[str, Any], problem: str) -> None:
    assert of_profile(way, **changes) == [f"charging.x.{problem}"]


def test_receipts_of_failures_only_prove_nothing() -> None:
    asked = link(receipts=True, charging={"x": structs.replace(BILLED, proof="receipt")})
    assert list(problems({"north": asked})) == []
    [(_, problem)] = problems({"north": structs.replace(asked, receipts_of="failures")})
    assert problem == 'charging.x.proof: "receipt" needs receipts_of = "all": with "failures" no success is ever told'


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"country": "QQ"}, 'country: "QQ" is unknown; allowed are codes of ISO 3166 such as "BG"'),
        (
            {"prefixes": ["088"]},
            'prefixes: "088" fits no number; they begin with the country\'s code, such as "35988"',
        ),
        ({"prefixes": ["35988", "+35988"]}, 'prefixes: "+35988" stands there twice'),
        ({"prefixes": ["+35987"]}, 'prefixes: "+35987" already belongs to link "first"'),
        ({"carriers": ["a1"]}, 'carriers: "a1" already belongs to link "first"'),
    ],
)
def test_what_is_wrong_with_whose_phones_these_are(changes: dict[str, Any], problem: str) -> None:
    first = link(prefixes=["35987"], carriers=["A1"])
    assert list(problems({"first": first, "north": link(**changes)})) == [("north", problem)]


def test_a_longer_prefix_may_be_another_s() -> None:
    assert list(problems({"north": link(prefixes=["35988"]), "south": link(prefixes=["359882"])})) == []


def test_what_is_told_already_is_not_told_again() -> None:
    profile = structs.replace(PREMIUM, url="x", proof="response", way="?")
    assert list(problems({"north": link(charging={"x": profile})})) == []
