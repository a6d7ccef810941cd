"""The real daemon and a merchant's server: told within a second, again after a kill with the same id, never a code."""

import asyncio
import json
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from standardwebhooks import Webhook

from smsgw.kit.masking import mask_number
from tests.hooks.server import Answer, Server, fine, server
from tests.peers.plain_smsc import PlainSmsc
from tests.system.books import Books
from tests.system.daemon import SERVICE, Daemon, daemon_of, toml
from tests.test_cli import smsgw
from tests.waiting import until

MAIN: Final = {"webhooks": {"private_networks": True}}
PHONE: Final = "359881234567"


def hooked(one: Server) -> dict[str, Any]:
    return {"webhook_url": f"http://127.0.0.1:{one.port}/hook"}


def ids(one: Server) -> list[str]:
    return [headers["webhook-id"] for headers, _ in one.requests]


async def secret(daemon: Daemon) -> str:
    done = await asyncio.to_thread(smsgw, daemon.folder, "webhooks", "secret", "show", "sun")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_a_merchant_is_told_within_a_second_and_never_the_code_or_the_number(tmp_path: Path) -> None:
    async with (
        server() as one,
        PlainSmsc(window=50) as smsc,
        daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=MAIN, service=hooked(one)) as daemon,
    ):
        daemon.start()
        await smsc.until_bound()
        smsc.put(PHONE)
        await smsc.until(lambda: smsc.idle and smsc.codes)
        began = time.monotonic()
        await until(lambda: len(one.requests) == 1, 5)
        assert time.monotonic() - began < 1
        code = smsc.codes[PHONE][0]
        assert (await daemon.verify(code)).location.startswith("http://shop.example/in")
        await until(lambda: len(one.requests) == 2, 1)
        key = await secret(daemon)
        kinds = [Webhook(key).verify(body, headers)["type"] for headers, body in one.requests]
        assert kinds == ["code.issued", "code.redeemed"]
        await daemon.until_told("webhook.delivered", times=2)
        assert await daemon.stop() == 0
        told = b"".join(body for _, body in one.requests).decode() + str(daemon.entries)
        assert code not in told
        assert PHONE not in told


async def _killed_before_the_record(tmp_path: Path, books: Books, main: dict[str, Any]) -> None:
    """The merchant's answer is written, and the daemon is dead before it can be recorded."""
    daemon: Daemon
    kills = 3

    async def deadly(_: web.Request) -> web.Response:
        nonlocal kills
        if kills:
            kills -= 1
            daemon.process.kill()  # type: ignore[union-attr]  # it runs: it has asked
        return web.Response(status=204)

    answer: Answer = deadly
    async with (
        server(answer) as one,
        PlainSmsc(window=50) as smsc,
        daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=MAIN | main, service=hooked(one)) as daemon,
    ):
        smsc.put(PHONE)
        for _ in range(kills):
            daemon.start()
            await daemon.ended()
        daemon.start()
        await daemon.until_told("webhook.delivered")
        assert await daemon.stop() == 0
        assert Counter(ids(one)) == {ids(one)[0]: 4}, "one event, the same id each time"
        assert await books.rows("select status, tries from events") == [("delivered", 1)]


async def test_killed_between_the_answer_and_its_record_it_posts_again_with_the_same_id(tmp_path: Path) -> None:
    await _killed_before_the_record(tmp_path, Books(file=tmp_path / "smsgw.db"), {})


async def test_the_same_on_postgresql(tmp_path: Path, postgres_dsn: str) -> None:
    store = {"engine": "postgres", "dsn": postgres_dsn}
    await _killed_before_the_record(tmp_path, Books(dsn=postgres_dsn), {"store": store})


async def test_a_merchant_who_hangs_holds_up_neither_sms_nor_the_stop(tmp_path: Path) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with (
        server(never) as one,
        PlainSmsc(window=50) as smsc,
        daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=MAIN, service=hooked(one)) as daemon,
    ):
        daemon.start()
        await smsc.until_bound()
        for number in range(30):
            smsc.put(f"35988123{number:04}")
        await smsc.until(lambda: smsc.idle and len(smsc.codes) == 30)
        await until(lambda: len(one.requests) >= 8, 5)
        began = time.monotonic()
        assert await daemon.stop() == 0
        assert time.monotonic() - began < 6
        books = Books(file=tmp_path / "smsgw.db")
        assert await books.rows("select distinct status, tries, node from events") == [("pending", 0, None)]


async def test_while_sms_come_as_fast_as_they_can_merchants_are_still_told_within_a_second(tmp_path: Path) -> None:
    """One merchant sells all the time, and has a long line of events; another one sells now and then."""
    began: dict[str, float] = {}
    took: list[float] = []

    async def moon(request: web.Request) -> web.Response:
        if request.path == "/moon":
            body = json.loads(await request.read())
            took.append(time.monotonic() - began.pop(body["data"]["msisdn"]))
        return web.Response(status=204)

    async with (
        server(moon) as one,
        PlainSmsc(window=50) as smsc,
        daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=MAIN, service=hooked(one)) as daemon,
    ):
        url = f"http://127.0.0.1:{one.port}/moon"
        (tmp_path / "services" / "moon.toml").write_text(toml({**SERVICE, "keywords": ["MOON"], "webhook_url": url}))
        daemon.start()
        await smsc.until_bound()
        for number in range(20):
            for _ in range(10):
                for _ in range(max(0, 100 - len(smsc.queue))):
                    smsc.put(PHONE)
                await asyncio.sleep(0.01)
            phone = f"35989{number:07}"
            began[mask_number(phone)] = time.monotonic()
            smsc.put(phone, b"MOON")
        await until(lambda: len(took) == 20, 20, daemon.tail)
        books = Books(file=tmp_path / "smsgw.db")
        [(pending, told)] = await books.rows(
            "select sum(status = 'pending'), sum(status = 'delivered') from events where service = 'sun'"
        )
        assert pending > 100, "there was a line of events"
        assert told > 100, "and it moved"
        assert statistics.median(took) < 1.0
        assert max(took) < 5.0


async def test_a_replay_by_command_is_found_by_the_daemon(tmp_path: Path) -> None:
    async with (
        server(fine) as one,
        PlainSmsc(window=50) as smsc,
        daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=MAIN, service=hooked(one)) as daemon,
    ):
        daemon.start()
        await smsc.until_bound()
        smsc.put(PHONE)
        await daemon.until_told("webhook.delivered")
        done = await asyncio.to_thread(smsgw, tmp_path, "webhooks", "replay", ids(one)[0])
        assert done.stdout == "1 event(s) will be posted again\n"
        await daemon.until_told("webhook.delivered", times=2)
        assert len(set(ids(one))) == 1
        assert await daemon.stop() == 0


async def test_without_leave_nothing_is_posted_to_this_machine(tmp_path: Path) -> None:
    async with (
        server(fine) as one,
        PlainSmsc(window=50) as smsc,
        daemon_of(tmp_path, {"one": {"port": smsc.port}}, service=hooked(one)) as daemon,
    ):
        daemon.start()
        await smsc.until_bound()
        smsc.put(PHONE)
        told = await daemon.until_told("webhook.failed")
        assert told["error"] == "the address is not allowed: private, loopback or link-local"
        assert one.requests == []
        assert await daemon.stop() == 0
