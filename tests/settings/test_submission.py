"""Settings of how messages are submitted: what is refused, with the sentence that says so, and what TLVs become."""

import pytest
from msgspec import structs

from smsgw.settings import LinkSettings, ServiceSettings, words
from smsgw.settings.submission import Tlv, link_problems, service_problems

LINK = LinkSettings(host="x", port=1, system_id="us", password_file="x")
SERVICE = ServiceSettings(
    short_code="1234", keywords=["SUN"], reply="{code}", success_url="x", expired_url="x", invalid_url="x"
)


def tlv(kind: str, value: int | str, tag: int = 0x1400) -> Tlv:
    return Tlv(tag=tag, type=kind, value=value)  # type: ignore[arg-type]  # each test names a type


def link(**changes: object) -> list[str]:
    return list(link_problems(structs.replace(LINK, **changes)))


def test_the_defaults_are_right() -> None:
    assert link() == []
    assert list(service_problems(SERVICE)) == []


@pytest.mark.parametrize(
    ("kind", "value", "octets"),
    [
        ("int8", 7, "07"),
        ("int16", 0x1234, "1234"),
        ("int32", 1, "00000001"),
        ("text", "aé", "61c3a9"),
        ("cstring", "ab", "616200"),
        ("cstring", "", "00"),
        ("hex", "0aFF", "0aff"),
        ("hex", "", ""),
    ],
)
def test_a_value_is_sent_as_its_type_says(kind: str, value: int | str, octets: str) -> None:
    assert tlv(kind, value).octets().hex() == octets


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        ("int8", 256, "256 is no int8; allowed are whole numbers from 0 to 255"),
        ("int16", -1, "-1 is no int16; allowed are whole numbers from 0 to 65535"),
        ("int32", "7", '"7" is no int32; allowed are a whole number without quotes'),
        ("text", 7, "7 is no text; allowed are a text in quotes"),
        ("text", "a\0", '"a\\u0000" is no text; allowed are texts without NUL'),
        ("hex", "0a f", '"0a f" is no hex; allowed are pairs of hexadecimal digits'),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused(kind: str, value: int | str, sentence: str) -> None:
    assert link(tlvs=[tlv(kind, value)]) == [f"tlvs: 0x1400: {sentence}"]


def test_a_value_that_is_too_long_is_refused() -> None:
    assert link(tlvs=[tlv("text", "x" * 255)]) == []
    assert link(tlvs=[tlv("cstring", "x" * 255)]) == ["tlvs: 0x1400: 256 octets are not allowed; allowed are up to 255"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tlvs": [tlv("int8", 1), tlv("int8", 2)]}, 'tlvs: "0x1400" stands there twice'),
        (
            {"tlvs": [tlv("int8", 1, 0x020C)]},
            "tlvs: 0x020c is not allowed: long_messages decides about it",
        ),
        ({"echo_tlvs": [0x0424]}, "echo_tlvs: 0x0424 is not allowed: long_messages decides about it"),
        ({"echo_tlvs": [1, 1]}, 'echo_tlvs: "0x0001" stands there twice'),
        ({"codings": ["ucs2", "ucs2"]}, 'codings: "ucs2" stands there twice'),
        (
            {"receipts_of": "failures"},
            "receipts_of: says nothing while receipts = false; set receipts = true",
        ),
        (
            {"receipts_intermediate": True},
            "receipts_intermediate: says nothing while receipts = false; set receipts = true",
        ),
        (
            {"interface_version": "3.3", "long_messages": "sar"},
            'long_messages: "sar" needs optional parameters; SMPP 3.3 allows "udh8" and "udh16"',
        ),
        (
            {"interface_version": "3.3", "tlvs": [tlv("int8", 1)]},
            "tlvs: SMPP 3.3 has no optional parameters; leave them out, or set interface_version",
        ),
        (
            {"interface_version": "3.3", "echo_tlvs": [0x1400]},
            "echo_tlvs: SMPP 3.3 has no optional parameters; leave them out, or set interface_version",
        ),
        (
            {"source_addr": "Sunny Weather"},
            'source_addr: "Sunny Weather" has 13 characters; with letters 11 are allowed',
        ),
        (
            {"source_addr": "Слънце"},
            'source_addr: "Слънце" is not allowed; allowed are the visible characters of ASCII and spaces',
        ),
        (
            {"service_type": "ж"},
            'service_type: "ж" is not allowed; allowed are the visible characters of ASCII and spaces',
        ),
    ],
)
def test_what_does_not_fit_is_a_sentence(changes: dict[str, object], sentence: str) -> None:
    assert link(**changes) == [sentence]


@pytest.mark.parametrize("address", ["1234", "+359888123456", "12345678901234567890", "Sunny", "ABCDEFGHIJK"])
def test_numbers_may_be_longer_than_names(address: str) -> None:
    assert link(source_addr=address) == []


@pytest.mark.parametrize(
    ("kind", "field", "value", "allowed"),
    [
        (LinkSettings, "service_type", "ABCDEF", "texts in quotes of at most 5 characters"),
        (ServiceSettings, "service_type", "ABCDEF", "texts in quotes of at most 5 characters"),
        (LinkSettings, "source_addr", "1" * 21, "texts in quotes of at most 20 characters"),
        (LinkSettings, "priority_flag", 4, "whole numbers from 0 to 3"),
        (ServiceSettings, "protocol_id", 256, "whole numbers from -1 to 255"),
        (LinkSettings, "source_ton", 7, "whole numbers from -1 to 6"),
        (LinkSettings, "max_parts", 0, "whole numbers from 1 to 255"),
        (LinkSettings, "long_messages", "udh", '"udh8", "udh16", "sar", "payload"'),
        (ServiceSettings, "characters", "drop", '"allow", "refuse", "transliterate"'),
        (LinkSettings, "validity_period", "1h", '"none", "relative", "absolute"'),
        (LinkSettings, "codings", [], "lists of at least 1 item"),
        (LinkSettings, "codings", ["utf8"], "lists of at least 1 item"),
        (LinkSettings, "echo_tlvs", [70_000], "lists, each one of these: whole numbers from 0 to 65535"),
        (LinkSettings, "tlvs", [{"tag": 1}], "lists of tables such as {tag = 0x1400,"),
    ],
)
def test_what_is_too_long_or_too_large_is_refused_and_never_cut(
    kind: type, field: str, value: object, allowed: str
) -> None:
    [setting] = [one for one in structs.fields(kind) if one.name == field]
    sentence = words.complaint(field, setting.type, value)
    assert sentence is not None
    assert f"is not allowed; allowed are {allowed}" in sentence
