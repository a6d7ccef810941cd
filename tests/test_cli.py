"""The commands as processes: whatever is wrong with a machine is one clear line on stderr, and a status of its own."""

import base64
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest
from msgspec import Struct, structs

from smsgw.kit import vault
from smsgw.store.opening import MIGRATIONS
from tests.store.rows import code, mt

PATIENCE_S: Final = 30.0
COMMAND: Final = [sys.executable, "-m", "smsgw"]

MAIN: Final = '[web]\nport = 0\n[log]\ndestination = "plain"\n'
LINK: Final = 'host = "127.0.0.1"\nport = 1\nsystem_id = "us"\npassword_file = "north.password"\n'
MIGRATED: Final = tuple(sorted(file.stem for place in ("", "sqlite") for file in (MIGRATIONS / place).glob("*.sql")))
SERVICE: Final = """
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
    """A folder from which the daemon would start, once its database is made."""
    put(tmp_path, "smsgw.toml", MAIN)
    put(tmp_path, "services/sun.toml", SERVICE)
    return tmp_path


@pytest.fixture
def ready(folder: Path) -> Path:
    """A folder from which the daemon starts."""
    assert smsgw(folder, "migrate").returncode == 0
    return folder


def put(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def environment() -> dict[str, str]:
    mine = {"STATE_DIRECTORY", "SMSGW_CONFIG", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM"}
    return {name: value for name, value in os.environ.items() if name not in mine}


def smsgw(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments, "--config", str(folder / "smsgw.toml")],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=environment() | more,
    )


def complaint(done: subprocess.CompletedProcess[str], status: int) -> str:
    """Return the one line in which a command says why it fails; anything else that it says is its log."""
    assert "Traceback" not in done.stdout + done.stderr
    lines = [line.removeprefix("smsgw: ") for line in done.stderr.splitlines() if line.startswith("smsgw: ")]
    assert len(lines) == 1, done.stderr
    assert done.returncode == status, done.stderr
    return lines[0]


def insert(folder: Path, table: str, row: Struct, **more: object) -> None:
    values = structs.asdict(row) | more
    sql = f"insert into {table} ({', '.join(values)}) values ({', '.join('?' * len(values))})"
    with closing(sqlite3.connect(folder / "smsgw.db")) as raw, raw:
        raw.execute(sql, tuple(values.values()))


# --- version, check -------------------------------------------------------------------------------------------------


def test_version() -> None:
    done = subprocess.run([*COMMAND, "version"], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stdout == f"smsgw {version('smsgw')}\n"
    assert done.stderr == ""


def test_the_command_has_a_name_of_its_own() -> None:
    installed = Path(sys.executable).with_name("smsgw")
    done = subprocess.run([installed, "version"], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stdout == f"smsgw {version('smsgw')}\n"


def test_check_shows_what_is_sold(folder: Path) -> None:
    done = smsgw(folder, "check")
    assert done.returncode == 0
    assert done.stderr.startswith(f"smsgw: warning: {folder / 'links'}: no links: ")
    assert done.stderr.count("\n") == 1
    assert f"{folder / 'smsgw.toml'}: 0 link(s), 1 service(s), no mistakes" in done.stdout
    assert done.stdout.splitlines()[-1].split() == [
        "sun",
        "1234",
        "SUN",
        "all",
        "links",
        "GSM",
        "7",
        "bit,",
        "1",
        "SMS",
    ]


@pytest.mark.parametrize(
    ("characters", "told"),
    [
        ("allow", "UCS-2, 2 SMS 1 SMS if transliterated: GSM 7 bit, 1 SMS"),
        ("transliterate", "GSM 7 bit, 1 SMS 1 SMS by transliteration; as written: UCS-2, 2 SMS"),
    ],
)
def test_check_shows_what_answers_cost_and_what_other_letters_would_save(
    folder: Path, characters: str, told: str
) -> None:
    reply = "Кодът Ви за достъп до времето: {code}. Благодарим Ви за доверието! Помощ: help@x.example"
    put(folder, "services/sun.toml", SERVICE.replace("{code}", reply) + f'characters = "{characters}"\n')
    done = smsgw(folder, "check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split()[5:] == told.split()


MERCHANT: Final = """
title = "Golden Games"
support = "help@games.example"
reply_addresses = ["1777"]
return_url = "https://games.example/back"
[products.gold-250]
title = { en = "250 gold", bg = "250 злато" }
tariffs = ["small"]
[products.gold-1000]
title = { en = "1000 gold" }
tariffs = ["large"]
[tariffs.small]
amount_minor = 250
currency = "EUR"
[tariffs.small.operators.north]
charge = "billed"
[tariffs.small.operators.south]
charge = "premium"
short_code = "1920"
[tariffs.large]
amount_minor = 1000
currency = "JPY"
[tariffs.large.operators]
"""
PAYING: Final = '[charging.billed]\nway = "mt"\nproof = "response"\n[charging.premium]\nway = "mo"\n'


def test_check_shows_what_merchants_sell_where_and_what_its_question_takes(folder: Path) -> None:
    for link in ("north", "south"):
        put(folder, f"links/{link}.toml", LINK + PAYING)
    put(folder, "links/north.password", "secret")
    put(folder, "merchants/gold.toml", MERCHANT)
    done = smsgw(folder, "check")
    assert done.returncode == 0, done.stderr
    assert ": 2 link(s), 1 service(s), 1 merchant(s), no mistakes" in done.stdout
    assert [re.split(" {2,}", line.strip()) for line in done.stdout.splitlines()[-3:]] == [
        ["merchant", "product", "price", "charged at", "question"],
        [
            *("gold", "gold-250", "2.50 EUR", "north (mt), south (mo 1920)"),
            "en: GSM 7 bit, 1 SMS; bg: UCS-2, 2 SMS",
        ],
        ["gold", "gold-1000", "-", "nowhere", "-"],
    ]


def test_check_names_what_is_wrong_with_a_merchant_and_its_operators_credentials(folder: Path) -> None:
    direct = '[charging.premium]\nway = "direct"\nurl = "https://api.example"\ncredentials_file = "api.secret"\n'
    put(folder, "links/north.toml", LINK + PAYING)
    put(folder, "links/south.toml", LINK + PAYING.partition("[charging.premium]")[0] + direct)
    put(folder, "links/north.password", "secret")
    put(folder, "merchants/gold.toml", MERCHANT.replace('"250 gold"', f'"{"x" * 160}"').replace("https", "gopher"))
    done = smsgw(folder, "check")
    assert done.returncode == 78
    assert [line.split(": ")[1:3] for line in done.stderr.splitlines()] == [
        [str(folder / "merchants" / "gold.toml"), "return_url"],
        [str(folder / "merchants" / "gold.toml"), "tariffs.small.operators.south.short_code"],
        [str(folder / "merchants" / "gold.toml"), "charge_text.en"],
        [str(folder / "links" / "south.toml"), "charging.premium.credentials_file"],
    ]


def test_check_names_characters_that_are_refused_and_their_places(folder: Path) -> None:
    put(folder, "services/sun.toml", SERVICE.replace("{code}", "Да {code}") + 'characters = "refuse"\n')
    done = smsgw(folder, "check")
    assert done.returncode == 78
    assert done.stderr.endswith(
        'sun.toml: reply: "Д" (at 1), "а" (at 2) cannot be sent in GSM 7 bit, and characters = "refuse"\n'  # noqa: RUF001 - Cyrillic is meant
    )


def test_check_names_every_mistake_each_on_a_line(folder: Path) -> None:
    put(folder, "links/north.toml", "port = 0\n")
    put(folder, "services/sun.toml", SERVICE.replace("{code}", "{kode}").replace("SUN", "A B"))
    done = smsgw(folder, "check")
    assert (done.returncode, done.stdout) == (78, "")
    lines = done.stderr.splitlines()
    assert all(line.startswith(f"smsgw: {folder}/") for line in lines)
    assert [line.removeprefix(f"smsgw: {folder}/").split(": ")[:2] for line in lines] == [
        ["links/north.toml", "port"],
        ["links/north.toml", "system_id"],
        ["links/north.toml", "password_file"],
        ["links/north.toml", "host"],
        ["services/sun.toml", "keywords"],
        ["services/sun.toml", "reply"],
        ["services/sun.toml", "reply"],
    ]


def test_the_settings_may_be_named_by_the_environment(folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "check"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=environment() | {"SMSGW_CONFIG": str(folder / "smsgw.toml")},
    )
    assert done.returncode == 0


@pytest.mark.parametrize("arguments", [["fly"], ["run", "--fast"], ["run", "extra"]])
def test_what_is_no_command_is_told_how_to_ask(arguments: list[str]) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


# --- migrate --------------------------------------------------------------------------------------------------------


def test_migrate_applies_each_migration_once(folder: Path) -> None:
    done = smsgw(folder, "migrate")
    applied = "".join(f"applied {name}\n" for name in MIGRATED)
    assert (done.returncode, done.stdout, done.stderr) == (0, applied, "")
    done = smsgw(folder, "migrate")
    assert (done.returncode, done.stdout) == (0, "nothing to do: the database is up to date\n")


def test_the_database_stands_in_the_state_folder_for_its_owner_only(folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    assert smsgw(folder, "migrate", STATE_DIRECTORY=str(state)).returncode == 0
    assert (state / "smsgw.db").stat().st_mode & 0o777 == 0o600
    assert not (folder / "smsgw.db").exists()


# --- a start that fails ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "migrate", "check"])
def test_missing_settings(tmp_path: Path, command: str) -> None:
    assert complaint(smsgw(tmp_path, command), 78) == f"{tmp_path / 'smsgw.toml'}: no such file"


def test_bad_settings(ready: Path) -> None:
    put(ready, "smsgw.toml", "node = 1\n")
    assert complaint(smsgw(ready, "run"), 78).startswith(f"{ready / 'smsgw.toml'}: node: 1 is not allowed")


@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_missing_state_folder(folder: Path, command: str) -> None:
    found = complaint(smsgw(folder, command, STATE_DIRECTORY=f"{folder}/missing"), 73)
    assert found.startswith(f"{folder}/missing")
    assert "no such f" in found.lower()


def test_a_taken_port(ready: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        put(ready, "smsgw.toml", f"[web]\nport = {port}\n")
        done = smsgw(ready, "run")
    found = complaint(done, 69)
    assert found == f"web.host, web.port: cannot listen on 127.0.0.1:{port}: Address already in use"


def test_a_database_that_was_never_made(folder: Path) -> None:
    missing = ", ".join(MIGRATED)
    assert complaint(smsgw(folder, "run"), 65) == f"the database lacks {missing}: run smsgw migrate"


@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_newer_schema(ready: Path, command: str) -> None:
    with closing(sqlite3.connect(ready / "smsgw.db")) as raw, raw:
        raw.execute("insert into schema_migrations (name, sha256, applied_at_ms) values ('9999_later', 'x', 0)")
    found = complaint(smsgw(ready, command), 65)
    assert (
        found == f"the database has migration 9999, this program knows up to {MIGRATED[-1][:4]}: use the newer program"
    )


@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_file_that_is_no_database(folder: Path, command: str) -> None:
    put(folder, "smsgw.db", "this is a letter to my mother\n" * 1_000)
    assert "file is not a database" in complaint(smsgw(folder, command), 74)


def test_a_folder_in_the_place_of_the_database(folder: Path) -> None:
    (folder / "smsgw.db").mkdir()
    found = complaint(smsgw(folder, "migrate"), 73)
    assert found == f"{folder / 'smsgw.db'}: not a file that may be read and written"


def test_a_missing_key_while_codes_exist(ready: Path) -> None:
    insert(ready, "codes", code("code_1"))
    found = complaint(smsgw(ready, "run"), 78)
    assert found == f"{ready / 'codes.key'}: the key file is missing, and codes exist; restore it from the backup"
    assert not (ready / "codes.key").exists()


def test_a_missing_key_while_answers_wait(ready: Path) -> None:
    insert(ready, "mts", mt("mt_1"), status="queued")
    put(ready, "smsgw.toml", "[web]\nport = 0\nhost = 'no such host.example'\n")  # so that it ends by itself
    complaint(smsgw(ready, "run"), 78)
    assert not (ready / "codes.key").exists()


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        ("", 0o600, "not a key file; each of its lines must hold a name of its own and the base64 of 32 bytes"),
        (f"k1 {base64.b64encode(bytes(16)).decode()}\n", 0o600, "the key k1 has 16 bytes; it must have 32"),
        (f"k1 {base64.b64encode(bytes(32)).decode()}\n", 0o644, "everybody may read the key; run: chmod o= "),
    ],
)
def test_a_bad_key(ready: Path, content: str, mode: int, told: str) -> None:
    file = put(ready, "codes.key", content)
    file.chmod(mode)
    assert complaint(smsgw(ready, "run"), 78).startswith(f"{file}: {told}")


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_missing_password(ready: Path, command: str) -> None:
    put(ready, "links/north.toml", LINK)
    found = complaint(smsgw(ready, command), 78)
    assert found.startswith(
        f"{ready / 'links' / 'north.toml'}: password_file: {ready / 'links' / 'north.password'}: No such file"
    )


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_password_of_nine_characters_is_refused_and_not_cut(ready: Path, command: str) -> None:
    put(ready, "links/north.toml", LINK)
    put(ready, "links/north.password", "ninechars")
    found = complaint(smsgw(ready, command), 78)
    assert "not a password that SMPP can carry; allowed are 1 to 8 characters of ASCII" in found
    assert "ninechars" not in found


def test_a_postgres_that_is_not_there_may_be_there_later(folder: Path) -> None:
    put(folder, "smsgw.toml", f'[store]\nengine = "postgres"\ndsn = "postgresql:///x?host={folder}&user=u"\n')
    assert complaint(smsgw(folder, "migrate"), 75).startswith("PostgreSQL: ")


def test_a_postgres_dsn_that_is_none(folder: Path) -> None:
    put(folder, "smsgw.toml", '[store]\nengine = "postgres"\ndsn = "mysql://x"\n')
    assert complaint(smsgw(folder, "migrate"), 78).startswith("store.dsn: ")


# --- a start that succeeds, and its end -----------------------------------------------------------------------------


def running(folder: Path) -> subprocess.Popen[str]:
    """Start the daemon, and wait until it says that it listens."""
    process = subprocess.Popen(
        [*COMMAND, "run", "--config", str(folder / "smsgw.toml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    deadline = time.monotonic() + PATIENCE_S
    while "web.listening" not in (line := process.stderr.readline()):
        assert line, "it ended before it listened"
        assert time.monotonic() < deadline
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_ends_cleanly_when_it_is_asked_to(ready: Path, number: signal.Signals) -> None:
    put(ready, "links/north.toml", LINK)
    put(ready, "links/north.password", "secret")
    process = running(ready)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert out == ""
    assert "Traceback" not in err
    assert "secret" not in err


def test_a_second_daemon_on_the_same_file_is_told_so(ready: Path) -> None:
    process = running(ready)
    try:
        assert complaint(smsgw(ready, "run"), 69).startswith(f"{ready / 'smsgw.db'}.lock: another smsgw runs")
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def test_a_second_daemon_of_the_same_name_is_told_so(folder: Path, postgres_dsn: str) -> None:
    store = f'[store]\nengine = "postgres"\ndsn = "{postgres_dsn}"\n'
    put(folder, "smsgw.toml", f'node = "left"\n[web]\nport = 0\n{store}')
    assert smsgw(folder, "migrate").returncode == 0
    process = running(folder)
    try:
        assert complaint(smsgw(folder, "run"), 69).startswith('node: another smsgw runs as "left" on this database')
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def test_the_first_start_makes_the_key_and_later_ones_keep_it(ready: Path) -> None:
    keys = set()
    for _ in range(2):
        process = running(ready)
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        keys.add((ready / "codes.key").read_text())
    assert len(keys) == 1
    assert (ready / "codes.key").stat().st_mode & 0o777 == 0o600


def test_a_kill_at_the_first_start_does_not_stand_in_the_way_of_the_next(ready: Path) -> None:
    process = running(ready)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    process = running(ready)
    process.terminate()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_help_lists_what_runs_a_gateway_first() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    listed = re.findall(r"^\W*([a-z]+)  +[A-Z]", done.stdout.partition("Commands")[2], re.MULTILINE)
    assert listed == [
        "run",
        "check",
        "migrate",
        "demo",
        "simulate",
        "bench",
        "codes",
        "keys",
        "messages",
        "numbers",
        "payments",
        "webhooks",
        "trace",
        "version",
    ]


def test_a_key_that_nobody_may_use_is_warned_of(ready: Path) -> None:
    vault.make_key(ready / "codes.key", bytes)
    done = smsgw(ready, "keys", "create", "--service", "sun")
    assert "warning: sun has no allowed_ips" in done.stderr
    assert "within a second or two" in done.stderr
    assert done.stdout.startswith("smsgw_live_")
    assert len(done.stdout.splitlines()) == 1, "a program reads the key only"
    put(ready, "services/sun.toml", SERVICE + 'allowed_ips = ["192.0.2.1"]\n')
    assert "warning" not in smsgw(ready, "keys", "create", "--service", "sun").stderr


def scopes_of(done: subprocess.CompletedProcess[str], folder: Path) -> set[str]:
    assert done.returncode == 0, done.stderr
    name = f"api_{done.stdout.split('_')[2]}"
    with closing(sqlite3.connect(folder / "smsgw.db")) as raw:
        [(scopes,)] = raw.execute("select scopes from api_keys where id = ?", (name,))
    return set(json.loads(scopes))


def test_keys_are_for_services_and_merchants(ready: Path) -> None:
    vault.make_key(ready / "codes.key", bytes)
    for link in ("north", "south"):
        put(ready, f"links/{link}.toml", LINK + PAYING)
    put(ready, "links/north.password", "secret")
    put(ready, "merchants/gold.toml", MERCHANT)
    done = smsgw(ready, "keys", "create", "--merchant", "gold")
    assert "warning: gold has no allowed_ips" in done.stderr
    assert scopes_of(done, ready) == {"payments:read", "payments:write"}
    both = smsgw(ready, "keys", "create", "--service", "sun", "--service", "gold")
    assert scopes_of(both, ready) == {"payments:read", "payments:write", "codes:verify", "codes:redeem"}
    one = smsgw(ready, "keys", "create", "--merchant", "gold", "--scope", "payments:refund")
    assert scopes_of(one, ready) == {"payments:refund"}
    wrong = smsgw(ready, "keys", "create", "--merchant", "sun")
    assert (wrong.returncode, wrong.stderr) == (1, "smsgw: there is no merchant sun; there are gold\n")
    assert smsgw(ready, "keys", "create").returncode == 2
    assert smsgw(ready, "keys", "create", "-m", "gold", "--scope", "payments:steal").returncode == 2


def test_a_new_return_key_says_until_when_the_one_before_signs(ready: Path) -> None:
    vault.make_key(ready / "codes.key", bytes)
    assert smsgw(ready, "keys", "return", "new", "sun", "--overlap", "0").stdout.count("\n") == 1
    before, after = smsgw(ready, "keys", "return", "new", "sun").stdout.splitlines()
    assert re.match(r"key_\w+ signs until 20[-0-9T:.]+Z; merchants check with it for 120 seconds more$", before)
    assert re.match(r"key_\w+ signs from 20", after)
    assert before.split()[3].rstrip(";") == after.split()[3].rstrip(";")


def test_services_and_merchants_have_return_keys(ready: Path) -> None:
    vault.make_key(ready / "codes.key", bytes)
    for link in ("north", "south"):
        put(ready, f"links/{link}.toml", LINK + PAYING)
    put(ready, "links/north.password", "secret")
    put(ready, "merchants/gold.toml", MERCHANT)
    assert smsgw(ready, "keys", "return", "new", "gold", "--overlap", "0").returncode == 0
    before, after = smsgw(ready, "keys", "return", "new", "gold").stdout.splitlines()
    assert before.endswith("merchants check with it for 3600 seconds more"), "return_valid_s of a merchant"
    listed = smsgw(ready, "keys", "return", "list", "gold").stdout
    assert all(line.split()[0] in listed for line in (before, after))
    wrong = smsgw(ready, "keys", "return", "list", "moon")
    assert (wrong.returncode, wrong.stderr) == (1, "smsgw: there is no service or merchant moon; there are sun, gold\n")
