"""`smsgw payments` as carrier staff use it, beside no daemon: what there is, its story, money back, records, blocks."""

import asyncio
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from smsgw.kit import vault
from smsgw.kit.clock import rfc3339
from tests.flows.payments.bank import DENIED, LOST, TAKEN, Api, Bank, bank
from tests.flows.payments.market import OTHER, PHONE
from tests.servers.engines import Engine
from tests.test_cli import LINK, put, smsgw

NORTH: Final = f"""{LINK}
receipts = true
prefixes = ["359"]
country = "BG"
[charging.api]
way = "direct"
url = "https://op.example"
credentials_file = "c"
refunds = true
[charging.billed]
way = "mt"
"""
GOLD: Final = """
title = "Gold"
support = "help@gold.example"
reply_addresses = ["7700"]
return_url = "https://gold.example/back"
[products.gold]
title = { en = "1000 gold" }
tariffs = ["price"]
[tariffs.price]
amount_minor = 1000
currency = "EUR"
[tariffs.price.operators.north]
charge = "api"
"""
HEAD: Final = "operator_id,msisdn,short_code,amount_minor,currency,reference,at,status"


class Case:
    """A folder, and the payments in its database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paid = self.unknown = self.failed = self.open = ""
        self.unknown_charge = self.failed_charge = ""
        self.at = ""

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return smsgw(self.folder, "payments", *words)

    def fine(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "smsgw.db")) as raw:
            return raw.execute(sql).fetchall()

    def listed(self, *words: str) -> list[str]:
        return [line.split()[0] for line in self.fine("list", *words).splitlines()[1:]]


async def _fill(case: Case) -> None:
    api = Api()
    async with bank(Engine(dialect="sqlite", place=str(case.folder / "smsgw.db")), api) as one:
        case.paid = await _paid(one, api, TAKEN)
        case.unknown = await _paid(one, api, LOST)
        case.failed = await _paid(one, api, DENIED)
        case.open = (await one.prompted("gold-api", OTHER, merchant_reference="[red]x")).id
        case.unknown_charge = (await one.attempts(case.unknown))[0].id
        case.failed_charge = (await one.attempts(case.failed))[0].id
        case.at = rfc3339(one.clock.now_ms())


async def _paid(one: Bank, api: Api, answer: Any) -> str:
    api.on_charge = [answer]
    payment = await one.confirmed()
    await one.teller.turn()
    await one.teller.hands.rest()
    one.clock.advance(1_000)
    return payment


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Payments of four fates."""
    put(tmp_path, "smsgw.toml", "")
    put(tmp_path, "links/north.toml", NORTH)
    put(tmp_path, "merchants/gold.toml", GOLD)
    assert smsgw(tmp_path, "migrate").returncode == 0
    vault.make_key(tmp_path / "codes.key", bytes)
    one = Case(tmp_path)
    asyncio.run(_fill(one))
    return one


def test_the_list_is_chosen_from(case: Case) -> None:
    assert case.listed() == [case.open, case.failed, case.unknown, case.paid]
    assert case.listed("-n", "1") == [case.open]
    assert case.listed("--unknown") == [case.unknown]
    assert case.listed("--status", "failed") == [case.failed]
    assert case.listed("--phone", f"+{OTHER}") == [case.open]
    assert case.listed("--phone", "0881234567") == [case.failed, case.unknown, case.paid]
    assert case.fine("list", "--odd") == "no such payments\n"
    assert case.fine("list", "--merchant", "silver") == "no such payments\n"
    [(made_ms,)] = case.rows(f"select created_ms from payments where id = '{case.failed}'")
    assert case.listed("--since", rfc3339(made_ms)) == [case.open, case.failed]
    assert PHONE not in case.fine("list")
    assert case.run("list", "--status", "paid").returncode == 2
    assert case.run("list", "--status", "failed", "--unknown").returncode == 2


def test_the_story(case: Case) -> None:
    told = case.fine("show", case.paid)
    for words in (
        "gold  succeeded",
        "10.00 EUR",
        "35988…67 at north (direct)",
        "confirmed",
        "answer=YES",
        "charge intended",
        "operator_id=op1",
        "+0.0 s",
        "chg_",
        "mt_",
    ):
        assert words in told, words
    assert PHONE not in told
    assert "[red]x" in case.fine("show", case.open)
    assert case.rows("select * from audit") == []
    assert PHONE in case.fine("show", case.paid, "--numbers")
    assert case.rows("select action, subject from audit") == [("payment.number_shown", case.paid)]
    assert "payment.number_shown" in case.fine("show", case.paid)
    assert "there is no payment pay_x" in case.refused("show", "pay_x")
    assert f"smsgw payments resolve {case.unknown} charged (or: failed) --note" in case.fine("show", case.unknown)


def test_an_open_one_is_canceled(case: Case) -> None:
    assert case.fine("cancel", case.open) == f"{case.open} is canceled\n"
    assert "only open ones can be canceled" in case.refused("cancel", case.paid)


def test_money_goes_back(case: Case) -> None:
    told = case.fine("refund", case.paid, "--amount", "250", "--reason", "late")
    assert "2.50 EUR on its way through the operator; 7.50 EUR left" in told
    assert "7.50 EUR on its way" in case.fine("refund", case.paid)
    assert "are left" in case.refused("refund", case.paid)
    assert "only money that was taken goes back" in case.refused("refund", case.failed)
    assert case.rows("select amount_minor, status, reason from refunds order by id") == [
        (250, "pending", "late"),
        (750, "pending", ""),
    ]
    assert "late" in case.fine("show", case.paid)


def test_what_nobody_knew_is_resolved(case: Case) -> None:
    assert case.run("resolve", case.unknown, "charged").returncode == 2, "a note must say how"
    assert case.run("resolve", case.unknown, "charged", "--note", " ").returncode == 2
    assert case.fine("resolve", case.unknown, "charged", "--note", "called them") == f"{case.unknown} is succeeded\n"
    assert "note=called them" in case.fine("show", case.unknown)
    assert "is succeeded, not charge_unknown" in case.refused("resolve", case.unknown, "failed", "--note", "no")
    assert "no discrepancy" in case.refused("resolve", case.unknown, "settled", "--note", "no")


def test_the_operators_records(case: Case) -> None:
    row = f"{PHONE},,1000,EUR"
    file = put(
        case.folder,
        "records.csv",
        f"{HEAD}\n"
        f"op7,{row},{case.unknown_charge},{case.at},charged\n"
        f"op8,{row},{case.failed_charge},{case.at},charged\n"
        f"op1,{row},{case.paid},{case.at},charged\n"
        f"op9,359880000000,,1000,EUR,,{case.at},charged\n"
        "what,is,this\n",
    )
    dry = case.run("records", str(file), "--dry-run")
    assert "4 line(s): 1 agree, 1 resolved, 1 discrepancies, 1 unknown here; nothing was changed" in dry.stdout
    assert "line 6: has more or fewer columns" in dry.stderr
    assert dry.returncode == 1
    assert case.listed("--unknown") == [case.unknown]
    done = case.run("records", str(file), "--link", "north")
    assert "1 resolved" in done.stdout
    assert "charged, and failed here" in done.stdout
    assert PHONE not in done.stdout + done.stderr
    assert "359880000000" not in done.stdout + done.stderr
    assert case.fine("list", "--unknown") == "no such payments\n"
    assert case.listed("--odd") == [case.failed]
    again = case.run("records", str(file))
    assert "3 agree, 0 resolved, 0 discrepancies" in again.stdout, "what was found out is known"
    assert len(case.rows(f"select 1 from facts where payment = '{case.failed}' and kind = 'discrepancy'")) == 1
    assert "no column operator_id" in case.refused("records", str(case.folder / "smsgw.toml"))
    assert "there is no link south" in case.refused("records", str(file), "--link", "south")


def test_a_phone_is_blocked(case: Case) -> None:
    assert case.fine("block", f"+{PHONE}", "--merchant", "gold") == "blocked for gold\n"
    assert case.fine("block", "0881234567") == "blocked for all\n"
    assert case.fine("block", PHONE) == "was blocked for all before\n"
    assert case.fine("unblock", PHONE, "--merchant", "gold") == "unblocked for gold\n"
    assert case.fine("unblock", PHONE) == "unblocked for all\n"
    assert case.fine("unblock", PHONE) == "was not blocked\n"
    assert "no merchant silver" in case.refused("block", PHONE, "--merchant", "silver")
    assert "no phone's number" in case.refused("block", "12")
