"""Kannel's own SMPP tester plays the SMSC: a thousand messages, each acknowledged and answered.

It knows only a receiver and a transmitter apart, sends an enquire_link behind each message, and ends by itself when it
has got an answer to each.
"""

import asyncio
import errno
import re
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.peers.programs import free_port, program
from tests.system.books import Books
from tests.system.daemon import daemon_of
from tests.waiting import until

_TESTER: Final = "/usr/lib/kannel/test/drive_smpp"
_SMSBOX_PORT: Final = 13001  # the tester wants to connect there, or it panics; it cannot be told another one
_MESSAGES: Final = 1000
_PATIENCE_S: Final = 60.0


async def _smsbox() -> socket.socket:
    """Listen where the tester looks for a part of Kannel that this test does not need; one test at a time."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return socket.create_server(("127.0.0.1", _SMSBOX_PORT))  # its backlog is all it takes
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


def _start(tester: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [tester, "-v", "0", "-p", str(port), "-m", str(_MESSAGES)]
    with log.open("wb") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=log.parent)


@pytest.mark.peers
async def test_a_thousand_messages_of_kannels_tester(tmp_path: Path) -> None:
    tester, port, log = program(_TESTER, "kannel-extras"), free_port(), tmp_path / "tester.log"
    links = {"kannel": {"port": port, "bind": "separate"}}
    everything = {"short_code": "123", "keywords": ["*"]}
    async with daemon_of(tmp_path, links, service=everything) as daemon:
        smsbox, process = await _smsbox(), _start(tester, port, log)
        try:
            daemon.start()
            books = Books(file=daemon.database)
            accepted = "select count(*) from mts where status = 'accepted'"
            deadline = time.monotonic() + _PATIENCE_S
            while await books.number(accepted) < _MESSAGES:
                assert time.monotonic() < deadline, daemon.tail()
                await asyncio.sleep(0.05)
            assert await daemon.stop() == 0
            await until(lambda: process.poll() is not None, _PATIENCE_S)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            smsbox.close()

        handled = Counter(re.findall(r"Handling SMPP PDU of type (\w+)", log.read_text(errors="replace")))
        handled.pop("enquire_link", None)  # we ask when nothing else proves our acknowledgements, which depends on time
        assert handled == {
            "bind_receiver": 1,
            "bind_transmitter": 1,
            "deliver_sm_resp": _MESSAGES,
            "enquire_link_resp": _MESSAGES,
            "submit_sm": _MESSAGES,
            "unbind": 2,
        }
        bodies = {body for (body,) in await books.rows("select body from mos where outcome = 'code_issued'")}
        assert bodies == {str(number) for number in range(1, _MESSAGES + 1)}
        assert await books.number("select count(distinct mo) from codes") == _MESSAGES
        assert await books.rows("select distinct source, destination from mts") == [("123", "456")]
