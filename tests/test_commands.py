"""`smsgw simulate` and `smsgw bench` as a person uses them: at a keyboard, and for figures."""

import subprocess
import sys
from typing import IO

import pytest

from tests.peers.smpplib_client import SHORT_CODE, SUBSCRIBER, SmpplibClient

SMSGW = [sys.executable, "-m", "smsgw"]


def test_bench_prints_a_row_for_each_window() -> None:
    done = subprocess.run(
        [*SMSGW, "bench", "-n", "150", "-w", "5", "-w", "20", "-r", "100"], capture_output=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.decode().splitlines()]
    figures = [row for row in rows if row and row[0] in {"5", "20"}]
    assert [row[:2] for row in figures] == [["5", "-"], ["20", "-"], ["20", "100/s"]]
    assert b"incomplete" not in done.stdout


def read_until(stream: IO[str], words: str) -> str:
    line = ""
    while words not in line:
        line = stream.readline()
        assert line, f"ended before it said {words}"
    return line


@pytest.mark.parametrize("kind", ["pipe", "nothing"])
def test_simulate_reads_every_line_and_ends_when_told(kind: str) -> None:
    arguments = [*SMSGW, "simulate", "--port", "0", "--system-id", "gw", "--password", "pw"]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE if kind == "pipe" else subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as simulator:
        try:
            assert simulator.stdout is not None
            read_until(simulator.stdout, "SMSC on 127.0.0.1:")
            if simulator.stdin is not None:
                simulator.stdin.write("nonsense\nmore\n359888123456 1234 SUN\nagain\n")
                simulator.stdin.flush()
                for expected in (
                    "that is not a message",
                    "that is not a message",
                    "no gateway is bound; the",
                    "that is",
                ):
                    read_until(simulator.stdout, expected)
            simulator.terminate()
            assert simulator.wait(timeout=20) == 0
        finally:
            simulator.kill()


# smpplib warns of what it will do in later versions; this test does not depend on it, whatever the options.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:smpplib.client")
@pytest.mark.timeout(60)
def test_simulate_talks_with_a_gateway_that_nobody_here_wrote() -> None:
    with subprocess.Popen(
        [*SMSGW, "simulate", "--port", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as simulator:
        try:
            assert simulator.stdout is not None
            assert simulator.stdin is not None
            greeting = read_until(simulator.stdout, "SMSC on 127.0.0.1:")
            assert 'a gateway that binds as "smsgw"' in greeting
            port = int(greeting.removeprefix("SMSC on 127.0.0.1:").split(".")[0])
            read_until(simulator.stdout, "FROM TO TEXT")
            client = SmpplibClient(port)
            client.bind()
            read_until(simulator.stdout, "bound: smsgw (transceiver)")
            simulator.stdin.write(f"{SUBSCRIBER} {SHORT_CODE} SUN please\n")
            simulator.stdin.flush()
            client.receive()
            assert [pdu.short_message for pdu in client.delivered] == [b"SUN please"]
            read_until(simulator.stdout, "→ the gateway took it")
            client.submit(b"Your code is K7XM")
            assert read_until(simulator.stdout, "←") == f"← {SHORT_CODE} to {SUBSCRIBER}: Your code is K7XM\n"
            client.leave()
            read_until(simulator.stdout, "no gateway is bound now")
            simulator.terminate()
            assert simulator.wait(timeout=20) == 0
        finally:
            simulator.kill()
