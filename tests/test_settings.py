"""Settings: every mistake is named at once, each with its file, its path and what is allowed."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import Struct, structs

from smsgw.domain import catalog
from smsgw.errors import SettingsError
from smsgw.settings import (
    Answers,
    ChargeProfile,
    Configuration,
    LinkSettings,
    MerchantSettings,
    ServiceSettings,
    Settings,
    load,
    warnings,
)
from smsgw.settings.merchant import Cap, Charge, Product, Tariff
from smsgw.settings.reading import _stand_ins

LINK = 'host = "smsc.example"\nport = 2775\nsystem_id = "us"\npassword_file = "north.password"\n'
SERVICE = """
short_code = "1234"
keywords = ["SUN"]
reply = "{code}"
uses = 1
success_url = "https://x.example/in"
expired_url = "https://x.example/over"
invalid_url = "https://x.example/what"
"""

MERCHANT = """
title = "Golden Games"
support = "help@games.example"
reply_addresses = ["1777"]
return_url = "https://games.example/back"
[products.gold-250]
title = { en = "250 gold" }
tariffs = ["small"]
[tariffs.small]
amount_minor = 250
currency = "EUR"
[tariffs.small.operators.north]
charge = "billed"
"""
CHARGING = '[charging.billed]\nway = "mt"\nproof = "response"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of settings in which nothing is wrong."""
    write(tmp_path, {"smsgw.toml": "", "links/north.toml": LINK, "services/sun.toml": SERVICE})
    return tmp_path


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")


def read(folder: Path, **environment: str) -> Configuration:
    return load(folder / "smsgw.toml", environment=environment, check=lambda _: [])


def problems(folder: Path) -> list[str]:
    """What is wrong, with the folder's name left out."""
    with pytest.raises(SettingsError) as caught:
        read(folder)
    assert str(caught.value).splitlines() == caught.value.problems
    return [problem.replace(f"{folder}{os.sep}", "") for problem in caught.value.problems]


# --- what is read ---------------------------------------------------------------------------------------------------


def test_an_empty_main_file_means_the_defaults(folder: Path) -> None:
    assert read(folder).main == Settings()


def test_what_is_written_is_what_counts(folder: Path) -> None:
    main = 'node = "left"\n[store]\npath = "x.db"\n[web]\nport = 0\nbody_timeout_s = 3\n[answers]\nempty = "?"\n'
    write(folder, {"smsgw.toml": main})
    found = read(folder).main
    assert (found.node, found.store.path, found.web.port, found.web.body_timeout_s) == ("left", "x.db", 0, 3.0)
    assert found.answers == Answers(empty="?")


def test_each_link_and_service_has_a_file_of_its_name(folder: Path) -> None:
    write(folder, {"links/south-2.toml": LINK, "links/notes.txt": "not ours", "services/moon.toml": SERVICE})
    found = read(folder)
    assert list(found.links) == ["north", "south-2"]
    assert list(found.services) == ["moon", "sun"]
    assert found.links["north"].host == "smsc.example"
    assert found.services["sun"].keywords == ["SUN"]


def test_without_folders_there_are_no_links_and_services(tmp_path: Path) -> None:
    write(tmp_path, {"smsgw.toml": ""})
    found = read(tmp_path)
    assert (found.links, found.services) == ({}, {})


def test_a_link_s_representation_holds_no_credentials(folder: Path) -> None:
    assert repr(read(folder).links["north"]) == "LinkSettings(smsc.example:2775)"


# --- the state folder -----------------------------------------------------------------------------------------------


def test_the_state_folder_is_beside_the_file_unless_systemd_names_one(folder: Path) -> None:
    assert read(folder).state_dir == folder
    assert read(folder, STATE_DIRECTORY="/var/lib/smsgw").state_dir == Path("/var/lib/smsgw")
    assert read(folder, STATE_DIRECTORY="/var/lib/smsgw:/var/lib/other").state_dir == Path("/var/lib/smsgw")
    assert read(folder, STATE_DIRECTORY="").state_dir == folder


def test_the_file_s_own_word_goes_before_systemd_s(folder: Path) -> None:
    write(folder, {"smsgw.toml": 'state_dir = "state"'})
    assert read(folder, STATE_DIRECTORY="/var/lib/smsgw").state_dir == folder / "state"
    write(folder, {"smsgw.toml": 'state_dir = "/srv/state"'})
    assert read(folder).state_dir == Path("/srv/state")


# --- what is wrong with a file --------------------------------------------------------------------------------------


def test_a_missing_main_file_is_one_sentence(tmp_path: Path) -> None:
    assert problems(tmp_path) == ["smsgw.toml: no such file"]


def test_a_folder_in_the_place_of_a_file_is_not_read(folder: Path) -> None:
    (folder / "links" / "south.toml").mkdir()
    assert problems(folder) == ["links/south.toml: cannot be read: Is a directory"]


def test_a_file_in_the_place_of_a_folder_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"smsgw.toml": "", "links": "?"})
    assert problems(tmp_path) == ["links: cannot be read: Not a directory"]


def test_what_is_not_toml_says_where(folder: Path) -> None:
    write(folder, {"smsgw.toml": 'node = "a"\nnode = "b"\n'})
    [problem] = problems(folder)
    assert problem.startswith("smsgw.toml: not TOML: ")
    assert "line 2" in problem


def test_what_is_not_utf8_says_so(folder: Path) -> None:
    (folder / "smsgw.toml").write_bytes(b'node = "\xff"')
    [problem] = problems(folder)
    assert problem.startswith("smsgw.toml: cannot be read: ")
    assert "utf-8" in problem


@pytest.mark.parametrize("name", ["Two Words", "UPPER", "-x", "ключ", "x" * 41])
def test_a_file_s_name_must_be_usable_as_a_name(folder: Path, name: str) -> None:
    write(folder, {f"links/{name}.toml": LINK})
    allowed = "allowed are 1 to 40 of a-z 0-9 _ -"
    assert problems(folder) == [f"links/{name}.toml: the file's name is the name in use; {allowed}"]


# --- what is wrong with a setting -----------------------------------------------------------------------------------


def test_an_unknown_setting_is_told_what_there_is(folder: Path) -> None:
    write(folder, {"smsgw.toml": "[log]\ncolour = 1\n"})
    assert problems(folder) == ["smsgw.toml: log.colour: no such setting; there are destination, level"]


def test_a_missing_setting_is_told_by_name(folder: Path) -> None:
    write(folder, {"links/north.toml": 'host = "x"\nport = 1\n'})
    assert problems(folder) == [
        "links/north.toml: system_id: missing; it must be set",
        "links/north.toml: password_file: missing; it must be set",
    ]


@pytest.mark.parametrize(
    ("main", "problem"),
    [
        (
            "node = 5",
            "node: 5 is not allowed; allowed are 1 to 40 of a-z 0-9 _ -, beginning with a letter or digit",
        ),
        ('stop_timeout_s = "5"', 'stop_timeout_s: "5" is not allowed; allowed are numbers from 0.001 to 31622400'),
        ("stop_timeout_s = 0", "stop_timeout_s: 0 is not allowed; allowed are numbers from 0.001 to 31622400"),
        ("stop_timeout_s = nan", "stop_timeout_s: nan is not allowed; allowed are numbers from 0.001 to 31622400"),
        ("stop_timeout_s = inf", "stop_timeout_s: inf is not allowed; allowed are numbers from 0.001 to 31622400"),
        ("state_dir = true", "state_dir: true is not allowed; allowed are texts in quotes"),
        (
            "store = 5",
            "store: 5 is not allowed; allowed are tables only: its settings below a line with its name in [ ]",
        ),
        ("[store]\nengine = 'oracle'", 'store.engine: "oracle" is not allowed; allowed are "sqlite", "postgres"'),
        ("[web]\nport = 65536", "web.port: 65536 is not allowed; allowed are whole numbers from 0 to 65535"),
        ("[web]\nport = 80.5", "web.port: 80.5 is not allowed; allowed are whole numbers from 0 to 65535"),
        ('[web]\nhost = ""', 'web.host: "" is not allowed; allowed are host names and addresses'),
        (
            '[web]\npublic_url = "pay.example"',
            "web.public_url: must be an absolute http or https address, without ? and #",
        ),
        (
            '[web]\npublic_url = "https://pay.example/?a"',
            "web.public_url: must be an absolute http or https address, without ? and #",
        ),
        ('[web]\nhost = "."', 'web.host: "." is not allowed; allowed are host names and addresses'),
        ('key_file = "a\\u0000b"', 'key_file: "a\\u0000b" is not allowed; allowed are names of files, without NUL'),
        ('state_dir = "a\\u0000b"', 'state_dir: "a\\u0000b" is not allowed; allowed are names of files, without NUL'),
        (
            '[store]\npath = "a\\u0000b"',
            'store.path: "a\\u0000b" is not allowed; allowed are names of files, without NUL',
        ),
        (
            "[log]\nlevel = 'loud'",
            'log.level: "loud" is not allowed; allowed are "debug", "info", "warning", "error"',
        ),
        ("[answers]\nempty = 1979-05-27", "answers.empty: 1979-05-27 is not allowed; allowed are texts in quotes"),
    ],
)
def test_a_wrong_value_is_told_with_its_path_and_what_is_allowed(folder: Path, main: str, problem: str) -> None:
    write(folder, {"smsgw.toml": main})
    assert problems(folder) == [f"smsgw.toml: {problem}"]


def test_a_wrong_name_is_told_in_words(folder: Path) -> None:
    write(folder, {"smsgw.toml": 'node = "Left Node\\n"'})
    [problem] = problems(folder)
    assert problem.endswith("; allowed are 1 to 40 of a-z 0-9 _ -, beginning with a letter or digit")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('host = ""', 'host: "" is not allowed; allowed are host names and addresses'),
        ('host = "a..b"', 'host: "a..b" is not allowed; allowed are host names and addresses'),
        (f'host = "{"x" * 64}"', f'host: "{"x" * 39}… is not allowed; allowed are host names and addresses'),
        ('host = "no such host"', 'host: "no such host" is not allowed; allowed are host names and addresses'),
        ('host = "a\\u0000b"', 'host: "a\\u0000b" is not allowed; allowed are host names and addresses'),
        (
            'password_file = "a\\u0000b"',
            'password_file: "a\\u0000b" is not allowed; allowed are names of files, without NUL',
        ),
        ("port = 0", "port: 0 is not allowed; allowed are whole numbers from 1 to 65535"),
        (
            'system_id = "sixteen letters!"',
            'system_id: "sixteen letters!" is not allowed; allowed are texts in quotes of at most 15 characters',
        ),
        (
            'system_id = "кот"',
            'system_id: "кот" is not allowed; allowed are the visible characters of ASCII and spaces',
        ),
        (
            'address_range = "\\u0007"',
            'address_range: "\\u0007" is not allowed; allowed are the visible characters of ASCII and spaces',
        ),
        ('bind = "both"', 'bind: "both" is not allowed; allowed are "transceiver", "separate"'),
        ("window = 0", "window: 0 is not allowed; allowed are whole numbers from 1 to 1000"),
        ("rate_per_s = -1", "rate_per_s: -1 is not allowed; allowed are numbers from 0 to 100000"),
        ("rate_per_s = inf", "rate_per_s: inf is not allowed; allowed are numbers from 0 to 100000"),
        (
            "rate_per_s = 0.0001",
            "rate_per_s: 0.0001 is not allowed; allowed are 0 (no limit) and numbers from 0.001 to 100000",
        ),
        ("temporary_error = 0", "temporary_error: 0 is not allowed; allowed are whole numbers from 1 to 4294967295"),
        ("message_id_tlv = 0x10000", "message_id_tlv: 65536 is not allowed; allowed are whole numbers from 0 to 65535"),
    ],
)
def test_a_link_s_values_have_limits(folder: Path, line: str, problem: str) -> None:
    key = line.split(" = ", maxsplit=1)[0]
    rest = "".join(f"{other}\n" for other in LINK.splitlines() if not other.startswith(f"{key} ="))
    write(folder, {"links/north.toml": f"{line}\n{rest}"})
    assert problems(folder) == [f"links/north.toml: {problem}"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('short_code = "12 34"', "; allowed are 1 to 20 digits or letters"),
        ("keywords = []", 'keywords: [] is not allowed; allowed are lists of 1 to 50 words, or "*" among them'),
        ('keywords = "SUN"', 'keywords: "SUN" is not allowed; allowed are lists of 1 to 50 words, or "*" among them'),
        ("keywords = [1]", 'keywords: [1] is not allowed; allowed are lists of 1 to 50 words, or "*" among them'),
        ('reply = ""', 'reply: "" is not allowed; allowed are texts in quotes of 1 to 1600 characters'),
        ("length = 3", "length: 3 is not allowed; allowed are whole numbers from 4 to 16"),
        ("length = 17", "length: 17 is not allowed; allowed are whole numbers from 4 to 16"),
        ('alphabet = "emoji"', 'alphabet: "emoji" is not allowed; allowed are "digits", "letters", "both"'),
        ("uses = 0", "valid_for_s: set valid_for_s, uses or both: a code must end some day"),
        ("max_replies = 11", "max_replies: 11 is not allowed; allowed are whole numbers from 1 to 10"),
    ],
)
def test_a_service_s_values_have_limits(folder: Path, line: str, problem: str) -> None:
    key = line.split(" = ", maxsplit=1)[0]
    rest = "".join(f"{other}\n" for other in SERVICE.splitlines() if not other.startswith(f"{key} ="))
    write(folder, {"services/sun.toml": f"{line}\n{rest}"})
    [found] = problems(folder)
    assert found.startswith("services/sun.toml: ")
    assert found.endswith(problem)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("hosts = ['smsc2.example', 'smsc3.example:2776', '[::1]:2777', '::2', '10.0.0.5']", ""),
        (
            "hosts = ['a b']",
            'hosts: "a b" is not allowed; allowed are such as "smsc.example" and "10.0.0.5:2775"',
        ),
        (
            "hosts = ['a:99999']",
            'hosts: "a:99999" is not allowed; allowed are such as "smsc.example" and "10.0.0.5:2775"',
        ),
        ("source_host = '10.0.0.5'", ""),
        ("source_host = 'here'", 'source_host: "here" is not allowed; allowed are addresses, not names'),
        (
            "interface_version = '3.3'",
            'bind: "transceiver" needs interface_version "3.4" or "5.0"; version 3.3 has "separate" only',
        ),
        ("interface_version = '3.3'\nbind = 'separate'", ""),
        ("tls_ca_file = 'ca.pem'", "tls_ca_file: means nothing without tls = true"),
        ("tls = true\ntls_key = 'a.pem'", "tls_key: means nothing without tls_certificate"),
        (
            "tls = true\nlisten = '127.0.0.1:1'",
            "listen: not possible with tls = true: an SMSC that sends outbind connects without it",
        ),
        (
            "listen = '127.0.0.1'\noutbind_system_id = 'a'\noutbind_password_file = 'b'",
            'listen: "127.0.0.1" is not allowed; allowed are such as "10.0.0.5:2775"',
        ),
        (
            "listen = '127.0.0.1:1'\noutbind_system_id = 'a'",
            "outbind_password_file: missing; who connects to the address in listen must say who it is",
        ),
        ("binds = 33", "binds: 33 is not allowed; allowed are whole numbers from 1 to 32"),
        ("inactivity_s = -1", "inactivity_s: -1 is not allowed; allowed are numbers from 0 to 31622400"),
    ],
)
def test_how_a_link_is_bound_has_limits(folder: Path, lines: str, problem: str) -> None:
    write(folder, {"links/north.toml": f"{LINK}{lines}\n"})
    if problem:
        assert problems(folder) == [f"links/north.toml: {problem}"]
    else:
        read(folder)


def test_where_the_smsc_is_must_be_said(folder: Path) -> None:
    write(folder, {"links/north.toml": "system_id = 'x'\npassword_file = 'y'\n"})
    expected = "host: missing; set host, hosts or listen: where the SMSC is"
    assert problems(folder) == [f"links/north.toml: {expected}"]


def test_a_link_knows_all_its_hosts(folder: Path) -> None:
    write(folder, {"links/north.toml": f"{LINK}hosts = ['b.example', '[::1]:5', '::2']\n"})
    assert read(folder).links["north"].addresses == [
        ("smsc.example", 2775),
        ("b.example", 2775),
        ("::1", 5),
        ("::2", 2775),
    ]


# --- what does not fit together -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x.example/in",
        "//x.example/in",
        "ftp://x.example/",
        "javascript:alert(1)",
        "https://",
        "https:///in",
        "http://[::1",
        "https://x.example/a b",
        "https://x.example/\\r\\nSet-Cookie: a=b",
        "https://пример.example/",
        "https://x.example/\\u0000",
    ],
)
@pytest.mark.parametrize("field", ["success_url", "expired_url", "invalid_url"])
def test_a_page_is_an_absolute_address_and_nothing_else(folder: Path, field: str, url: str) -> None:
    rest = "".join(f"{line}\n" for line in SERVICE.splitlines() if not line.startswith(field))
    write(folder, {"services/sun.toml": f'{rest}{field} = "{url}"\n'})
    assert problems(folder) == [f"services/sun.toml: {field}: must be an absolute http or https address"]


@pytest.mark.parametrize(
    "url", ["http://x.example", "HTTPS://x.example:8443/a?b=c#d", "http://127.0.0.1/", "http://[::1]/"]
)
def test_these_are_addresses(folder: Path, url: str) -> None:
    write(folder, {"services/sun.toml": SERVICE.replace("https://x.example/in", url)})
    assert read(folder).services["sun"].success_url == url


def test_a_service_is_sold_at_links_that_there_are(folder: Path) -> None:
    write(folder, {"services/sun.toml": f'{SERVICE}links = ["north", "west"]\n'})
    assert problems(folder) == ['services/sun.toml: links: there is no link "west"; there are north']


def test_a_link_with_a_mistake_in_it_is_still_a_link(folder: Path) -> None:
    write(folder, {"services/sun.toml": f'{SERVICE}links = ["north"]\n', "links/north.toml": f"{LINK}window = 0\n"})
    assert problems(folder) == ["links/north.toml: window: 0 is not allowed; allowed are whole numbers from 1 to 1000"]


def test_without_links_that_is_what_is_said(folder: Path) -> None:
    (folder / "links" / "north.toml").unlink()
    write(folder, {"services/sun.toml": f'{SERVICE}links = ["north"]\n'})
    assert problems(folder) == ['services/sun.toml: links: there is no link "north"; there are none']


def test_postgres_needs_to_know_where(folder: Path) -> None:
    write(folder, {"smsgw.toml": '[store]\nengine = "postgres"\n'})
    expected = "store.dsn: missing; postgres needs postgresql://user@host/database"
    assert problems(folder) == [f"smsgw.toml: {expected}"]


# --- merchants ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(folder: Path) -> Path:
    """The same with a merchant in it."""
    write(folder, {"links/north.toml": LINK + CHARGING, "merchants/gold.toml": MERCHANT})
    return folder


def all_problems(folder: Path) -> list[str]:
    """What is wrong, in all that `smsgw check` looks at, with the folder's name left out."""
    with pytest.raises(SettingsError) as caught:
        load(folder / "smsgw.toml", environment={}, check=catalog.problems)
    return [problem.replace(f"{folder}{os.sep}", "") for problem in caught.value.problems]


def test_a_merchant_s_tables_are_read(shop: Path) -> None:
    found = load(shop / "smsgw.toml", environment={}, check=catalog.problems)
    merchant = found.merchants["gold"]
    assert merchant.products["gold-250"].title == {"en": "250 gold"}
    assert merchant.tariffs["small"].operators["north"].charge == "billed"
    assert found.links["north"].charging["billed"].proof == "response"


@pytest.mark.parametrize(
    ("was", "line", "problem"),
    [
        (
            "[products.gold-250]",
            "[products.gold-250]\nunits = 0",
            "products.gold-250.units: 0 is not allowed; allowed are whole numbers from 1 to 1000000000",
        ),
        ('tariffs = ["small"]', "", "products.gold-250.tariffs: missing; it must be set"),
        (
            "[products.gold-250]",
            "[products.gold-250]\nunit = 1",
            "products.gold-250.unit: no such setting; there are tariffs, title, units",
        ),
        (
            "[products.gold-250]",
            "[products.Gold]",
            (
                'products.Gold: "Gold" is not allowed; allowed are 1 to 40 of a-z 0-9 _ -, beginning with a letter or '
                "digit"
            ),
        ),
        (
            '{ en = "250 gold" }',
            '{ en = "250 gold", de = "x" }',
            'products.gold-250.title.de: "de" is not allowed; allowed are "en", "bg", "uk", "ru"',
        ),
        (
            '{ en = "250 gold" }',
            "{ en = 250 }",
            "products.gold-250.title.en: 250 is not allowed; allowed are texts in quotes of 1 to 480 characters",
        ),
        (
            'title = { en = "250 gold" }',
            "title = 5",
            (
                "products.gold-250.title: 5 is not allowed; allowed are tables only: its settings below a line "
                "with its name in [ ]"
            ),
        ),
        (
            "amount_minor = 250",
            "amount_minor = 2.5",
            "tariffs.small.amount_minor: 2.5 is not allowed; allowed are whole numbers from 1 to 100000000",
        ),
        (
            'currency = "EUR"',
            'currency = "euro"',
            'tariffs.small.currency: "euro" is not allowed; allowed are codes of ISO 4217 such as "EUR"',
        ),
        ('currency = "EUR"', "", "tariffs.small.currency: missing; it must be set"),
        ('charge = "billed"', "", "tariffs.small.operators.north.charge: missing; it must be set"),
        (
            'charge = "billed"',
            'charge = "billed"\nservice_type = "toolong"',
            (
                'tariffs.small.operators.north.service_type: "toolong" is not allowed; allowed are texts in '
                "quotes of at most 5 characters"
            ),
        ),
        (
            'charge = "billed"',
            'charge = "billed"\n[[caps]]\nper = "day"\ncount = 1\n[[caps]]\nper = "week"\ncount = 1',
            'caps[2].per: "week" is not allowed; allowed are "payment", "day", "month"',
        ),
        ('charge = "billed"', 'charge = "billed"\n[[caps]]\ncount = 1', "caps[1].per: missing; it must be set"),
        (
            'charge = "billed"',
            'charge = "billed"\n[[caps]]\nper = "day"\ncount = 1\nover = 1',
            'caps[1].over: 1 is not allowed; allowed are "product", "merchant", "all"',
        ),
        (
            'charge = "billed"',
            'charge = "billed"\n[[caps]]\nper = "day"\namount_minor = "x"\ncurrency = "EUR"',
            'caps[1].amount_minor: "x" is not allowed; allowed are whole numbers from 0 to 1000000000',
        ),
        (
            'support = "help@games.example"',
            'support = "help@games.example"\ncaps = [5]',
            "caps[1]: 5 is not allowed; allowed are tables only: its settings below a line with its name in [ ]",
        ),
        (
            'support = "help@games.example"',
            "support = 'help@games.example'\ncaps = [" + "{per = 'day', count = 1}, " * 21 + "]",
            "caps: 21 are not allowed; allowed are lists of at most 20 items",
        ),
        (
            '["1777"]',
            '["1777", "12"]',
            (
                'reply_addresses: ["1777", "12"] is not allowed; allowed are lists of 1 to 10 items, each one '
                "of these: short codes of 3 to 15 digits"
            ),
        ),
        (
            "operators.north]",
            "operators.west]",
            "tariffs.small.operators.west: there is no link of this name; there are north",
        ),
    ],
)
def test_a_mistake_in_a_merchant_s_table_is_told_with_its_path_and_once(
    shop: Path, was: str, line: str, problem: str
) -> None:
    assert was in MERCHANT
    write(shop, {"merchants/gold.toml": MERCHANT.replace(was, line)})
    assert all_problems(shop)[0] == f"merchants/gold.toml: {problem}"
    if "Gold" not in line:
        assert len(all_problems(shop)) == 1


def test_one_mistake_in_a_table_does_not_hide_the_next(shop: Path) -> None:
    text = MERCHANT.replace("amount_minor = 250", "amount_minor = 0").replace('["small"]', '["smal"]')
    write(shop, {"merchants/gold.toml": text.replace("charge =", "service_type = 7\ncharge =")})
    assert [problem.split(": ")[1] for problem in all_problems(shop)] == [
        "tariffs.small.amount_minor",
        "tariffs.small.operators.north.service_type",
        "products.gold-250.tariffs",
    ]


def test_a_wrong_language_makes_no_title_wrong(shop: Path) -> None:
    text = MERCHANT.replace('{ en = "250 gold" }', '{ bg = "250 злато" }')
    write(shop, {"merchants/gold.toml": f"language = 'de'{text}"})
    [problem] = all_problems(shop)
    assert problem.startswith('merchants/gold.toml: language: "de" is not allowed; allowed are "en", "bg", "uk", "ru"')


@pytest.mark.parametrize("wrong", MerchantSettings.__struct_fields__)
def test_a_merchant_s_wrong_setting_is_told_once_and_makes_nothing_else_wrong(shop: Path, wrong: str) -> None:
    head, _, tail = MERCHANT.partition("[products.")
    head = "".join(f"{line}\n" for line in head.splitlines() if not line.startswith(f"{wrong} ="))
    pieces = [piece for piece in f"[products.{tail}".split("\n[") if not piece.lstrip("[").startswith(wrong)]
    body = "\n".join(f"[{piece.lstrip('[')}" for piece in pieces)
    write(shop, {"merchants/gold.toml": f"{wrong} = 1979-05-27\n{head}{body}\n"})
    [problem] = all_problems(shop)
    assert problem.startswith(f"merchants/gold.toml: {wrong}: 1979-05-27 is not allowed")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "[charging.Fast]\nway = 'mo'",
            (
                'charging.Fast: "Fast" is not allowed; allowed are 1 to 40 of a-z 0-9 _ -, beginning with a letter or '
                "digit"
            ),
        ),
        ("[charging.fast]", "charging.fast.way: missing; it must be set"),
        (
            "[charging.fast]\nway = 'sms'\nurl = 'x'\nproof = 'receipt'",
            'charging.fast.way: "sms" is not allowed; allowed are "mo", "mt", "direct"',
        ),
        (
            "[charging.fast]\nway = 'mt'\nproof = 'response'\nvalidity_s = 0\n",
            "charging.fast.validity_s: 0 is not allowed; allowed are numbers from 0.001 to 31622400",
        ),
        (
            "[charging.fast]\nway = 'mt'\nproof = 'response'\nreceipt_states = {PAID = 'yes'}\n",
            'charging.fast.receipt_states.PAID: "yes" is not allowed; allowed are "charged", "failed", "progress"',
        ),
        (
            "[receipt_states]\nPAID = 'charged'\n",
            'receipt_states.PAID: "charged" is not allowed; allowed are "delivered", "failed", "progress"',
        ),
    ],
)
def test_a_mistake_in_a_link_s_table_is_told_with_its_path(shop: Path, line: str, problem: str) -> None:
    write(shop, {"links/north.toml": f"{LINK}{CHARGING}{line}\n"})
    assert all_problems(shop) == [f"links/north.toml: {problem}"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "prefixes = ['o88']",
            (
                'prefixes: ["o88"] is not allowed; allowed are lists, each one of these: the first digits of '
                'numbers, with the country\'s, such as "35988"'
            ),
        ),
        ("country = 'bg'", 'country: "bg" is not allowed; allowed are codes of ISO 3166 such as "BG"'),
        ("country = 'QQ'", 'country: "QQ" is unknown; allowed are codes of ISO 3166 such as "BG"'),
    ],
)
def test_whose_phones_a_link_has_is_told_in_codes(shop: Path, line: str, problem: str) -> None:
    write(shop, {"links/north.toml": f"{LINK}{line}\n{CHARGING}"})
    assert all_problems(shop) == [f"links/north.toml: {problem}"]


def test_a_merchant_alone_is_enough(shop: Path) -> None:
    (shop / "services" / "sun.toml").unlink()
    write(shop, {"links/north.toml": f"{LINK}prefixes = ['35988']\n{CHARGING}"})
    assert warnings(read(shop)) == []


def test_an_operator_without_phones_is_warned_of(shop: Path) -> None:
    write(shop, {"links/south.toml": LINK})  # where nothing is sold
    [warning] = warnings(read(shop))
    assert warning.startswith(f"{shop / 'links' / 'north.toml'}: no prefixes, no carriers: ")


# --- at once --------------------------------------------------------------------------------------------------------


def test_every_mistake_in_every_file_is_named_at_once(folder: Path) -> None:
    write(
        folder,
        {
            "smsgw.toml": 'nodes = "a"\n[store]\nengine = 1\npath = 2\n[web]\nport = "x"\n',
            "links/north.toml": LINK.replace("2775", "0") + "windows = 1\n",
            "links/south.toml": "=",
            "services/sun.toml": SERVICE.replace("https", "gopher"),
            "services/moon.toml": 'short_code = "1"\n',
        },
    )
    found = problems(folder)
    assert sorted(problem.split(": ")[0] for problem in found) == [
        *["links/north.toml"] * 2,
        "links/south.toml",
        *["services/moon.toml"] * 6,
        *["services/sun.toml"] * 3,
        *["smsgw.toml"] * 4,
    ]


def test_what_the_caller_finds_is_told_with_the_rest(folder: Path) -> None:
    write(folder, {"smsgw.toml": "node = 1\n"})
    with pytest.raises(SettingsError) as caught:
        load(folder / "smsgw.toml", environment={}, check=lambda found: [f"{sorted(found.services)} are bad"])
    assert [problem.split(": ")[-1] for problem in caught.value.problems][1:] == ["['sun'] are bad"]


WRONG_SERVICE = """
short_code = 1234
keywords = ["SUN", "A B"]
reply = "no code"
links = ["west"]
uses = "many"
success_url = "x"
expired_url = "https://x.example/over"
"""


def test_a_mistake_in_a_file_hides_none_of_what_does_not_fit_together_in_it(folder: Path) -> None:
    link = LINK.replace("2775", '"2775"') + "rate_per_s = 0.0001\n"
    write(folder, {"links/north.toml": link, "services/sun.toml": WRONG_SERVICE})
    with pytest.raises(SettingsError) as caught:
        load(folder / "smsgw.toml", environment={}, check=catalog.problems)
    told = [problem.replace(f"{folder}{os.sep}", "").split(": ")[:2] for problem in caught.value.problems]
    assert told == [
        ["links/north.toml", "port"],
        ["links/north.toml", "rate_per_s"],
        *(["services/sun.toml", setting] for setting in ("short_code", "uses", "invalid_url", "links", "success_url")),
        *(["services/sun.toml", setting] for setting in ("keywords", "reply")),
    ]


@pytest.mark.parametrize("wrong", ServiceSettings.__struct_fields__)
def test_what_is_wrong_by_itself_is_told_once_and_makes_nothing_else_wrong(folder: Path, wrong: str) -> None:
    good = "".join(f"{line}\n" for line in SERVICE.splitlines() if not line.startswith(f"{wrong} ="))
    write(
        folder, {"services/sun.toml": f"{wrong} = {{}}\n{good}", "services/moon.toml": SERVICE.replace("SUN", "MOON")}
    )
    with pytest.raises(SettingsError) as caught:
        load(folder / "smsgw.toml", environment={}, check=catalog.problems)
    [problem] = caught.value.problems
    assert problem.startswith(f"{folder / 'services' / 'sun.toml'}: {wrong}: a table is not allowed; allowed are ")


@pytest.mark.parametrize(
    ("wrong", "others", "room"), [("max_replies", "", 8 + 4), ("length", "max_replies = 10\n", 4 + 4)]
)
def test_an_answer_that_may_fit_is_not_said_to_be_too_long(folder: Path, wrong: str, others: str, room: int) -> None:
    long = SERVICE.replace("{code}", "x" * (153 * 10 - room) + "{code}")
    write(folder, {"services/sun.toml": f"{wrong} = 0\n{others}{long}"})
    with pytest.raises(SettingsError) as caught:
        load(folder / "smsgw.toml", environment={}, check=catalog.problems)
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [wrong]


@pytest.mark.parametrize("line", ["short_code = 1", 'short_code = "1"\nlinks = 1'])
def test_where_a_service_is_sold_must_be_known_before_others_are_in_its_way(folder: Path, line: str) -> None:
    bad = SERVICE.replace('short_code = "1234"', line)
    write(folder, {"services/sun.toml": bad, "services/moon.toml": bad, "services/star.toml": SERVICE})
    with pytest.raises(SettingsError) as caught:
        load(folder / "smsgw.toml", environment={}, check=catalog.problems)
    assert [Path(problem.split(": ")[0]).stem for problem in caught.value.problems] == ["moon", "sun"]


@pytest.mark.parametrize(
    "kind", [Settings, LinkSettings, ServiceSettings, MerchantSettings, Product, Tariff, Charge, Cap, ChargeProfile]
)
def test_what_must_be_set_has_a_stand_in(folder: Path, kind: type[Struct]) -> None:
    required = {field.encode_name for field in structs.fields(kind) if field.required}
    assert required <= _stand_ins(kind, "x").keys()


def test_the_problems_of_a_file_stand_together(folder: Path) -> None:
    write(folder, {"links/north.toml": LINK + 'window = 0\nsystem_type = "ж"\n', "services/sun.toml": "uses = 1\n"})
    found = [problem.split(": ")[0] for problem in problems(folder)]
    assert found == ["links/north.toml"] * 2 + ["services/sun.toml"] * 6


# --- what is allowed, and hardly meant ------------------------------------------------------------------------------


def test_where_nothing_is_unusual_nobody_is_warned(folder: Path) -> None:
    assert warnings(read(folder)) == []


def test_no_links_no_services_and_no_state_folder_are_warned_of(tmp_path: Path) -> None:
    write(tmp_path, {"smsgw.toml": 'state_dir = "state"\n'})
    told = [warning.replace(str(tmp_path), "").split(": ")[:2] for warning in warnings(read(tmp_path))]
    assert told == [
        ["/links", "no links"],
        ["/services", "no services"],
        ["/state", "no such folder (state_dir); make it, or let systemd do it with StateDirectory= in the unit"],
    ]


def test_a_state_folder_where_nothing_can_be_written_is_warned_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != folder)  # root may write everywhere
    [warning] = warnings(read(folder))
    assert warning.startswith(f"{folder}: this user may not write there (state_dir)")


def test_bad_settings_have_an_exit_status_of_their_own() -> None:
    assert SettingsError([]).exit_status == 78


def test_every_value_is_frozen(folder: Path) -> None:
    found = read(folder)
    for value in (found, found.main, found.main.store, found.links["north"], found.services["sun"]):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(value, value.__struct_fields__[0], "x")
