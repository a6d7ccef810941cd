"""An SMSC on node's package smpp: it reads our binds and messages with its own code, and writes its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.peers.programs import node_modules, program
from tests.system.books import Books
from tests.system.daemon import daemon_of

_FOLDER: Final = Path(__file__).with_name("node")
_WAIT_S: Final = 20.0


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

    def deliver(self, **fields: object) -> None:
        """Have it send a deliver_sm."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields).encode() + b"\n")


@asynccontextmanager
async def _node_smsc() -> AsyncIterator[NodeSmsc]:
    node = program("node", "nodejs")
    node_modules(_FOLDER)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(node, _FOLDER / "smsc.js", stdin=pipe, stdout=pipe)
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
            assert await smsc.told("bound") == {"bound": {"status": 0, "version": 0x34}}

            smsc.deliver(source_addr="359888123456", source_addr_ton=1, destination_addr="1234", **fields)
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
