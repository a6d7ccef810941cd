"""`smsgw simulate` and `smsgw bench` as a person uses them: at a keyboard, and for figures."""

import subprocess
import sys
from typing import IO

import pytest

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
                for _ in range(3):
                    read_until(simulator.stdout, "that is not a message")
            simulator.terminate()
            assert simulator.wait(timeout=20) == 0
        finally:
            simulator.kill()
