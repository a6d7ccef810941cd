"""An SMSC on node's package smpp: it reads our binds and messages with its own code, and writes its own."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from smsgw.simulator import certificates
from tests.peers.programs import node_modules, program
from tests.system.books import Books
from tests.system.daemon import Daemon, daemon_of

_FOLDER: Final = Path(__file__).with_name("node")
_WAIT_S: Final = 20.0
BOUND: Final = {"kind": "bind_transceiver", "status": 0, "version": 0x34}
SUBSCRIBER: Final = {"source_addr": "359888123456", "source_addr_ton": 1, "destination_addr": "1234"}


class NodeSmsc:
    """The program, spoken to in lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, *events: str) -> dict[str, dict[str, Any]]:
        """Return what it tells next: these events, each once, in any order."""
        assert self._process.stdout is not None
        told: dict[str, dict[str, Any]] = {}
        async with asyncio.timeout(_WAIT_S):
            while len(told) < len(events):
                line = json.loads(await self._process.stdout.readline())
                told[line.pop("event")] = line
        assert told.keys() == set(events), told
        return told

    async def every(self, **times: int) -> dict[str, list[dict[str, Any]]]:
        """Return what it tells next: these events, each so often, in any order."""
        told: dict[str, list[dict[str, Any]]] = {}
        for _ in range(sum(times.values())):
            line = json.loads(await asyncio.wait_for(self._process.stdout.readline(), _WAIT_S))  # type: ignore[union-attr]  # it is a pipe
            told.setdefault(line.pop("event"), []).append(line)
        assert {event: len(lines) for event, lines in told.items()} == times, told
        return told

    def deliver(self, **fields: object) -> None:
        """Have it send a deliver_sm."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields).encode() + b"\n")


@asynccontextmanager
async def _node_smsc(**options: object) -> AsyncIterator[NodeSmsc]:
    node = program("node", "nodejs")
    node_modules(_FOLDER)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        node, _FOLDER / "smsc.js", json.dumps(options), stdin=pipe, stdout=pipe
    )
    try:
        yield NodeSmsc(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_WAIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@pytest.mark.peers
@pytest.mark.parametrize(
    "fields",
    [
        {"short_message": "SUN"},
        {"short_message": "слънце"},  # it chooses UCS-2 by itself
        {"short_message": "", "message_payload": "SUN and much more " * 20},
    ],
    ids=["default alphabet", "ucs2", "message_payload"],
)
async def test_a_code_is_bought_and_answered(tmp_path: Path, fields: dict[str, str]) -> None:
    async with _node_smsc() as smsc:
        port = (await smsc.told("listening"))["listening"]["port"]
        async with daemon_of(tmp_path, {"node": {"port": port}}, service={"reply": "Кодът Ви: {code}"}) as daemon:
            daemon.start()
            assert await smsc.told("bound") == {"bound": BOUND}

            smsc.deliver(**SUBSCRIBER, **fields)
            told = await smsc.told("answered", "submitted")
            assert told["answered"] == {"status": 0}
            text = told["submitted"].pop("text")
            assert told["submitted"] == {"source": "1234", "destination": "359888123456", "coding": 8}
            code = text.removeprefix("Кодът Ви: ")
            assert (await daemon.verify(code)).place == "http://shop.example/in"

            assert await daemon.stop() == 0
            await smsc.told("unbound", "closed")
            message_ids = await Books(file=daemon.database).rows("select status, message_id from mts")
            assert message_ids == [("accepted", "node-1")]


async def _delivered(daemon: Daemon, count: int = 1) -> None:
    """Wait until so many messages are delivered, by their receipts."""
    books, deadline = Books(file=daemon.database), time.monotonic() + _WAIT_S
    while await books.rows("select status, count(*) from mts group by status") != [("delivered", count)]:
        assert time.monotonic() < deadline, await books.rows("select status from mts")
        await asyncio.sleep(0.02)


@pytest.mark.peers
@pytest.mark.parametrize(("version", "told"), [("3.4", 0x34), ("5.0", 0x50)])
@pytest.mark.parametrize("bind", ["transceiver", "separate"])
async def test_each_kind_of_bind_in_each_version_with_a_receipt(
    tmp_path: Path, bind: str, version: str, told: int
) -> None:
    kinds = ["bind_transceiver"] if bind == "transceiver" else ["bind_receiver", "bind_transmitter"]
    async with _node_smsc(version=told) as smsc:
        link = {"bind": bind, "interface_version": version, "receipts": True}
        link["port"] = (await smsc.told("listening"))["listening"]["port"]
        async with daemon_of(tmp_path, {"node": link}) as daemon:
            daemon.start()
            bound = [(await smsc.told("bound"))["bound"] for _ in kinds]
            assert sorted(one["kind"] for one in bound) == kinds
            assert {(one["status"], one["version"]) for one in bound} == {(0, told)}
            smsc.deliver(**SUBSCRIBER, short_message="SUN")
            await smsc.told("answered", "submitted", "reported")
            await _delivered(daemon)


@pytest.mark.peers
async def test_long_messages_both_ways(tmp_path: Path) -> None:
    reply = {"reply": "Благодарим Ви! " * 6 + "{code}", "max_replies": 5}
    async with _node_smsc() as smsc:
        port = (await smsc.told("listening"))["listening"]["port"]
        async with daemon_of(tmp_path, {"node": {"port": port, "receipts": True}}, service=reply) as daemon:
            daemon.start()
            await smsc.told("bound")
            smsc.deliver(**SUBSCRIBER, udh="050003070202", text=" and more")
            assert await smsc.told("answered") == {"answered": {"status": 0}}
            smsc.deliver(**SUBSCRIBER, udh="050003070201", text="SUN")
            told = await smsc.every(answered=1, submitted=2, reported=2)
            parts = [one["udh"][0][-4:] for one in told["submitted"]]
            assert sorted(parts) == ["0201", "0202"], "total and number"
            assert "".join(one["text"] for one in told["submitted"]).startswith("Благодарим Ви! Благодарим")
            await _delivered(daemon, 2)
            assert await Books(file=daemon.database).number("select count(*) from codes") == 1


@pytest.mark.peers
async def test_it_throttles_and_unbinds(tmp_path: Path) -> None:
    async with _node_smsc() as smsc:
        port = (await smsc.told("listening"))["listening"]["port"]
        link = {"port": port, "retry_first_s": 0.05, "retry_ceiling_s": 0.1}
        async with daemon_of(tmp_path, {"node": link}) as daemon:
            daemon.start()
            await smsc.told("bound")
            smsc.deliver(do="throttle", times=3)
            smsc.deliver(**SUBSCRIBER, short_message="SUN")
            await smsc.every(answered=1, throttled=3, submitted=1)
            smsc.deliver(do="unbind")
            await smsc.told("agreed", "closed", "bound")
            smsc.deliver(**SUBSCRIBER, short_message="SUN")
            await smsc.told("answered", "submitted")
            books, deadline = Books(file=daemon.database), time.monotonic() + _WAIT_S
            while await books.rows("select tries from mts order by id") != [
                (4,),
                (1,),
            ]:  # it is told before it is stored
                assert time.monotonic() < deadline, daemon.tail()
                await asyncio.sleep(0.02)


@pytest.mark.peers
async def test_over_tls(tmp_path: Path) -> None:
    authority, key = certificates.make(tmp_path, "127.0.0.1")
    async with _node_smsc(key=str(key), cert=str(authority)) as smsc:
        port = (await smsc.told("listening"))["listening"]["port"]
        link = {"port": port, "tls": True, "tls_ca_file": str(authority)}
        async with daemon_of(tmp_path, {"node": link}) as daemon:
            daemon.start()
            assert await smsc.told("bound") == {"bound": BOUND}
            smsc.deliver(**SUBSCRIBER, short_message="SUN")
            await smsc.told("answered", "submitted")
