"""`smsgw webhooks` as an administrator uses it, beside a daemon or without one."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from smsgw.kit import vault
from tests.store.rows import event
from tests.test_cli import SERVICE, insert, put, smsgw

HOOKED: Final = f'{SERVICE}webhook_url = "https://x.example/hook"\n'
IDS: Final = [f"evt_01hf7yat00e54s31zmpp6327j{letter}" for letter in "abc"]
NEW_YEAR: Final = "evt_01hk153x00e54s31zmpp6327ja"  # 2024-01-01T00:00:00Z


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a few events of different fates."""
    put(tmp_path, "smsgw.toml", "")
    put(tmp_path, "services/sun.toml", HOOKED)
    assert smsgw(tmp_path, "migrate").returncode == 0
    vault.make_key(tmp_path / "codes.key", bytes)
    given_up = {"status": "given_up", "tries": 10, "http_status": 500, "error": "HTTP status 500", "settled_ms": 9}
    insert(tmp_path, "events", event(IDS[0]), **waiting(given_up))
    insert(
        tmp_path, "events", event(IDS[1], place=1), **waiting({"status": "delivered", "http_status": 204, "tries": 1})
    )
    insert(tmp_path, "events", event(IDS[2], service="moon", subject="code_2"), **waiting({"node": "left"}))
    insert(tmp_path, "events", event(NEW_YEAR, subject="code_3"), **waiting({"status": "delivered", "tries": 1}))
    return tmp_path


def waiting(more: dict[str, Any]) -> dict[str, Any]:
    return {"next_ms": 5} | more


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return smsgw(folder, "webhooks", *arguments)


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "smsgw.db")) as raw:
        return raw.execute(sql).fetchall()


def pending(folder: Path) -> list[str]:
    return [name for (name,) in rows(folder, "select id from events where status = 'pending' order by id")]


def listed(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [line.split()[0] for line in done.stdout.splitlines()[1:]]


def test_list_shows_the_latest_first_and_chooses(folder: Path) -> None:
    assert listed(run(folder, "list")) == [NEW_YEAR, *reversed(IDS)]
    assert listed(run(folder, "list", "--service", "moon")) == [IDS[2]]
    assert listed(run(folder, "list", "--status", "given_up")) == [IDS[0]]
    assert listed(run(folder, "list", "--since", "2024-01-01")) == [NEW_YEAR]
    assert listed(run(folder, "list", "--until", "2024-01-01T01:00:00+01:00", "-n", "2")) == [IDS[2], IDS[1]]
    assert "HTTP status 500" in run(folder, "list", "--status", "given_up").stdout


def test_show_tells_everything_about_one(folder: Path) -> None:
    done = run(folder, "show", IDS[0])
    facts, _, body = done.stdout.partition("{")
    assert "status       given_up" in facts
    assert "HTTP status  500" in facts
    assert json.loads("{" + body) == {"type": "code.issued", "data": {}}
    done = run(folder, "show", "evt_")
    assert (done.returncode, done.stderr) == (1, "smsgw: there is no event evt_\n")


def test_replay_by_id_by_service_and_time_and_all_that_were_given_up(folder: Path) -> None:
    assert run(folder, "replay", IDS[1]).stdout == "1 event(s) will be posted again\n"
    assert pending(folder) == [IDS[1], IDS[2]]
    assert run(folder, "replay", "--given-up").returncode == 0
    assert pending(folder) == IDS
    assert run(folder, "replay", "--service", "sun", "--since", "2024-01-01").returncode == 0
    assert pending(folder) == [*IDS, NEW_YEAR]
    assert rows(folder, f"select tries, settled_ms from events where id = '{IDS[0]}'") == [(0, None)]
    audit = rows(folder, "select action, subject, detail from audit order by id")
    assert audit == [("webhooks.replayed", name, '{"events":1}') for name in (IDS[1], "given_up", "sun")]


def test_replay_says_what_it_cannot_do(folder: Path) -> None:
    done = run(folder, "replay", IDS[2], "evt_nothing")
    assert (done.returncode, done.stdout) == (1, "0 event(s) will be posted again\n")
    assert done.stderr == f"smsgw: not there, or being posted just now: {IDS[2]}, evt_nothing\n"
    for arguments in ([], ["--service", "sun"], [IDS[0], "--given-up"], ["--service", "sun", "--since", "yesterday"]):
        assert run(folder, "replay", *arguments).returncode == 2
    done = run(folder, "replay", "--service", "moon", "--since", "2020-01-01")
    assert "moon has no webhook_url now: its events wait until it has one" in done.stdout


def test_secret_is_made_shown_and_audited(folder: Path) -> None:
    first, second = run(folder, "secret", "show", "sun"), run(folder, "secret", "show", "sun")
    assert first.stdout.startswith("whsec_")
    assert first.stdout == second.stdout
    assert len(rows(folder, "select 1 from audit where action = 'webhook_secret.revealed'")) == 2
    for command in (["secret", "show"], ["secret", "new"], ["secret", "revoke"], ["enable"]):
        done = run(folder, *command, "mars")
        assert (done.returncode, done.stderr) == (1, "smsgw: there is no service or merchant mars in the settings\n")


def test_a_secret_is_replaced_with_an_overlap_or_without(folder: Path) -> None:
    old = run(folder, "secret", "show", "sun").stdout.strip()
    done = run(folder, "secret", "new", "sun", "--overlap", "3600")
    new = done.stdout.strip()
    assert "the one before signs beside it until 20" in done.stderr
    shown = run(folder, "secret", "show", "sun").stdout.splitlines()
    assert shown[0] == new
    assert shown[1].startswith(f"{old}  until 20")
    assert run(folder, "secret", "revoke", "sun").stdout == "1 older secret(s) of sun are revoked\n"
    assert run(folder, "secret", "revoke", "sun").stdout == "sun has one secret only\n"
    assert run(folder, "secret", "show", "sun").stdout.split() == [new]
    last = run(folder, "secret", "new", "sun", "--overlap", "0")
    assert run(folder, "secret", "show", "sun").stdout == last.stdout
    actions = {action for (action,) in rows(folder, "select action from audit")}
    assert actions == {f"webhook_secret.{what}" for what in ("revealed", "created", "revoked")}


def test_an_address_that_is_gone_is_told_and_used_again(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "smsgw.db")) as raw:
        raw.execute("insert into gone_endpoints values ('sun', 'https://x.example/hook', 0)")
        raw.commit()
    assert "sun: its address answered 410 Gone at 1970" in run(folder, "list").stderr
    run(folder, "replay", IDS[0])
    assert run(folder, "enable", "sun").stdout == "sun: events are posted again, 1 of them wait\n"
    assert run(folder, "enable", "sun").stdout == "sun: its address is in use\n"
    assert run(folder, "list").stderr == ""


def test_an_empty_list_says_so(folder: Path) -> None:
    assert run(folder, "list", "--service", "mars").stdout.startswith("no such events: ")
    put(folder, "services/sun.toml", SERVICE)
    done = run(folder, "list", "--service", "mars")
    assert (done.stdout, done.stderr) == ("no events: no service or merchant has a webhook_url in its settings\n", "")


def test_what_is_missing_is_one_line(folder: Path) -> None:
    (folder / "codes.key").unlink()
    done = run(folder, "list")
    assert done.returncode == 78
    assert "the key file cannot be read" in done.stderr
    assert len(done.stderr.splitlines()) == 1
