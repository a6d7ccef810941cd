"""Wireshark's own reading of what the daemon says and hears: a capture that it wrote while it worked."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.peers.plain_smsc import PASSWORD, PlainSmsc
from tests.peers.programs import program
from tests.system.daemon import Daemon, daemon_of

_NUMBER = "359888000001"
_SUSPECT = "_ws.malformed or _ws.expert.severity >= 0x600000"  # warnings and errors


def read(tshark: str, capture: Path, *words: str) -> list[str]:
    """Return tshark's lines about a capture, its SMPP by content, on whatever port."""
    smpp = ["-o", "tcp.check_checksum:TRUE", "-o", "smpp.reassemble_smpp_over_tcp:TRUE"]
    done = subprocess.run(
        [tshark, "-r", capture, "--enable-heuristic", "smpp_tcp", *smpp, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


async def trace(daemon: Daemon, *words: str) -> str:
    """Run the command."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "smsgw", "trace", *words, "--config", str(daemon.file)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.peers
async def test_it_reads_a_whole_day_without_a_frown(tmp_path: Path) -> None:
    tshark = program("tshark", "tshark")
    reply = {"reply": "Вашият код: {code}. " + "Благодарим Ви! " * 5, "max_replies": 5}
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}, service=reply) as daemon:
        daemon.start()
        await smsc.until_bound()
        told = await trace(daemon, "one", "--for", "5m", "--capture")
        await daemon.until_told("link.traced")
        capture = Path(told.split()[-1])
        smsc.lines[-1].drop()  # the next bind is captured from its beginning
        await smsc.until(lambda: not smsc.live)
        await smsc.until_bound()
        for text in (b"SUN", b"nothing", b"SUN"):
            smsc.put(_NUMBER, text)
        await smsc.until(lambda: len(smsc.submitted) >= 4)
        await daemon.stop()

    assert found(tshark, capture)["0x00000004"] == len(smsc.submitted)
    lines = daemon.told("link.pdu")
    assert [entry["pdu"] for entry in lines].count("submit_sm") == len(smsc.submitted)
    assert _NUMBER not in json.dumps(daemon.entries)


def found(tshark: str, capture: Path) -> Counter[str]:
    """Return how many PDUs of each kind it finds, all of them without a frown."""
    assert capture.stat().st_mode & 0o777 == 0o600
    assert PASSWORD.encode() not in capture.read_bytes()
    assert read(tshark, capture, "-Y", _SUSPECT) == []
    commands = Counter(
        command
        for line in read(tshark, capture, "-Y", "smpp", "-T", "fields", "-e", "smpp.command_id")
        for command in line.split(",")
    )
    assert commands["0x00000009"] == commands["0x80000009"] == 1
    assert commands["0x00000005"] == commands["0x80000005"] == 3
    assert commands["0x00000004"] == commands["0x80000004"]
    assert commands["0x00000006"] == commands["0x80000006"] == 1
    return commands
