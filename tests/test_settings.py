"""Settings: every mistake is named at once, each with its file, its path and what is allowed."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from smsgw.errors import SettingsError
from smsgw.settings import Answers, Configuration, Settings, load

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
    [problem] = problems(folder)
    assert problem.startswith("links/south.toml: cannot be read: ")


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
            "node: expected `str`, got `int`; allowed: 1 to 40 of a-z 0-9 _ -, beginning with a letter or digit",
        ),
        ('stop_timeout_s = "5"', "stop_timeout_s: expected `float`, got `str`"),
        ("stop_timeout_s = 0", "stop_timeout_s: expected `float` >= 0.001"),
        ("stop_timeout_s = nan", "stop_timeout_s: must be a finite number"),
        ("stop_timeout_s = inf", "stop_timeout_s: must be a finite number"),
        ("state_dir = true", "state_dir: expected `str`, got `bool`"),
        ("store = 5", "store: expected `object`, got `int`"),
        ("[store]\nengine = 'oracle'", 'store.engine: invalid enum value \'oracle\'; allowed: "sqlite", "postgres"'),
        ("[web]\nport = 65536", "web.port: expected `int` <= 65535"),
        ("[web]\nport = 80.5", "web.port: expected `int`, got `float`"),
        ('[web]\nhost = ""', "web.host: expected `str` of length >= 1; allowed: a host name or address"),
        (
            "[log]\nlevel = 'loud'",
            'log.level: invalid enum value \'loud\'; allowed: "debug", "info", "warning", "error"',
        ),
        ("[answers]\nempty = 1979-05-27", "answers.empty: expected `str`, got `date`"),
    ],
)
def test_a_wrong_value_is_told_with_its_path_and_what_is_allowed(folder: Path, main: str, problem: str) -> None:
    write(folder, {"smsgw.toml": main})
    assert problems(folder) == [f"smsgw.toml: {problem}"]


def test_a_wrong_name_is_told_in_words(folder: Path) -> None:
    write(folder, {"smsgw.toml": 'node = "Left Node\\n"'})
    [problem] = problems(folder)
    assert problem.endswith("; allowed: 1 to 40 of a-z 0-9 _ -, beginning with a letter or digit")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('host = ""', "host: expected `str` of length >= 1; allowed: a host name or address"),
        ("port = 0", "port: expected `int` >= 1"),
        ('system_id = "sixteen letters!"', "system_id: expected `str` of length <= 15"),
        ('bind = "both"', 'bind: invalid enum value \'both\'; allowed: "transceiver", "separate"'),
        ("window = 0", "window: expected `int` >= 1"),
        ("rate_per_s = -1", "rate_per_s: expected `float` >= 0.0"),
        ("rate_per_s = inf", "rate_per_s: must be a finite number"),
        ("rate_per_s = 0.0001", "rate_per_s: must be 0 or at least 0.001"),
        ("temporary_error = 0", "temporary_error: expected `int` >= 1"),
        ("message_id_tlv = 0x10000", "message_id_tlv: expected `int` <= 65535"),
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
        ('short_code = "12 34"', "; allowed: 1 to 20 digits or letters"),
        ("keywords = []", 'keywords: expected `array` of length >= 1; allowed: a list of 1 to 50 words, or "*"'),
        ('keywords = "SUN"', 'keywords: expected `array`, got `str`; allowed: a list of 1 to 50 words, or "*"'),
        ("keywords = [1]", 'keywords: expected `str`, got `int`; allowed: a list of 1 to 50 words, or "*"'),
        ('reply = ""', "reply: expected `str` of length >= 1"),
        ("length = 3", "length: expected `int` >= 4"),
        ("length = 17", "length: expected `int` <= 16"),
        ('alphabet = "emoji"', 'alphabet: invalid enum value \'emoji\'; allowed: "digits", "letters", "both"'),
        ("uses = 0", "valid_for_s: set valid_for_s, uses or both: a code must end some day"),
        ("max_replies = 11", "max_replies: expected `int` <= 10"),
    ],
)
def test_a_service_s_values_have_limits(folder: Path, line: str, problem: str) -> None:
    key = line.split(" = ", maxsplit=1)[0]
    rest = "".join(f"{other}\n" for other in SERVICE.splitlines() if not other.startswith(f"{key} ="))
    write(folder, {"services/sun.toml": f"{line}\n{rest}"})
    [found] = problems(folder)
    assert found.startswith("services/sun.toml: ")
    assert found.endswith(problem)


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
    assert problems(folder) == ["links/north.toml: window: expected `int` >= 1"]


def test_without_links_that_is_what_is_said(folder: Path) -> None:
    (folder / "links" / "north.toml").unlink()
    write(folder, {"services/sun.toml": f'{SERVICE}links = ["north"]\n'})
    assert problems(folder) == ['services/sun.toml: links: there is no link "north"; there are none']


def test_postgres_needs_to_know_where(folder: Path) -> None:
    write(folder, {"smsgw.toml": '[store]\nengine = "postgres"\n'})
    expected = "store.dsn: missing; postgres needs postgresql://user@host/database"
    assert problems(folder) == [f"smsgw.toml: {expected}"]


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
        *["services/moon.toml"] * 5,
        *["services/sun.toml"] * 3,
        *["smsgw.toml"] * 4,
    ]


def test_what_the_caller_finds_is_told_with_the_rest(folder: Path) -> None:
    write(folder, {"smsgw.toml": "node = 1\n"})
    with pytest.raises(SettingsError) as caught:
        load(folder / "smsgw.toml", environment={}, check=lambda found: [f"{sorted(found.services)} are bad"])
    assert [problem.split(": ")[-1] for problem in caught.value.problems][1:] == ["['sun'] are bad"]


def test_bad_settings_have_an_exit_status_of_their_own() -> None:
    assert SettingsError([]).exit_status == 78


def test_every_value_is_frozen(folder: Path) -> None:
    found = read(folder)
    for value in (found, found.main, found.main.store, found.links["north"], found.services["sun"]):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(value, value.__struct_fields__[0], "x")
