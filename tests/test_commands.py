"""`smsgw simulate` and `smsgw bench` as a person uses them: at a keyboard, and for figures."""

import subprocess
import sys
from typing import IO, Any

import smpplib.client

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


def test_simulate_is_an_operator_at_a_keyboard() -> None:
    with subprocess.Popen(
        [*SMSGW, "simulate", "--port", "0", "--system-id", "gw", "--password", "pw"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as simulator:
        assert simulator.stdin is not None
        assert simulator.stdout is not None
        port = int(read_until(simulator.stdout, "SMSC on").split(":")[1].split(",")[0])
        client: Any = smpplib.client.Client("127.0.0.1", port)  # type: ignore[no-untyped-call]  # carries no types
        try:
            client.connect()
            client.bind_transceiver(system_id="gw", password="pw")
            read_until(simulator.stdout, "bound: gw (transceiver)")
            simulator.stdin.write("nonsense\n359888123456 1234 SUN\n")
            simulator.stdin.flush()
            read_until(simulator.stdout, "that is not a message")
            received: list[bytes] = []
            client.set_message_received_handler(lambda pdu: received.append(pdu.short_message))
            client.read_once()
            assert received == [b"SUN"]
            read_until(simulator.stdout, "gateway answered 0x00000000")
            client.send_message(source_addr="1234", destination_addr="359888123456", short_message=b"Your code is X")
            read_until(simulator.stdout, "1234 to 359888123456: Your code is X")
        finally:
            client.disconnect()
            simulator.terminate()
        assert simulator.wait(timeout=20) == 0
