"""Runs smsgw, and Kannel where it is installed, against smscload with the same parameters; prints a table of ratios."""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench_links
import bench_payments
import bench_verify
from rich.console import Console
from rich.table import Table

from smsgw.demo.bench import occasion
from smsgw.demo.throwaway import write

PORT = 2377
DESTINATION = "123"
screen = Console(soft_wrap=True, highlight=False)

# window, messages a second (0: as fast as the window lets)
CASES = [(10, 0), (50, 0), (200, 0), (50, 1000)]


def main() -> None:
    """Measure every case, both gateways in turn, as many rounds as asked."""
    options = _options()
    if options.what == "payments":
        bench_payments.measure()
        return
    if options.links:
        bench_links.measure(options.links, options.binds)
        return
    if options.verify or options.rows:
        bench_verify.measure(options.rows, options.rounds)
        return
    tools = Path(options.tools)
    if not (tools / "smscload.c").is_file():
        sys.exit(f"scripts/bench: {tools}/smscload.c: no such file; name its folder with -t, or use `smsgw bench`")
    if not shutil.which("cc"):
        sys.exit("scripts/bench: there is no C compiler; apt-get install gcc libc6-dev, or use `smsgw bench`")
    kannel = shutil.which("bearerbox") is not None and (tools / "kannel-baseline").is_file()
    with tempfile.TemporaryDirectory(prefix="smsgw-bench-") as folder:
        load = Path(folder) / "smscload"
        subprocess.run(["cc", "-O2", "-o", load, tools / "smscload.c"], check=True)
        results = {case: ([], []) for case in CASES}
        for _ in range(options.rounds):
            for window, rate in CASES:
                count = min(options.messages, 5_000) if rate else options.messages
                ours, theirs = results[window, rate]
                if kannel:
                    theirs.append(_kannel(tools, count, window, rate))
                ours.append(_smsgw(load, Path(folder), count, window, rate))
    _print(results, kannel=kannel)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["payments"], help="measure payments, from the request to the webhook"
    )
    parser.add_argument("-n", dest="messages", type=int, default=20_000, help="messages of each run")
    parser.add_argument("-k", dest="rounds", type=int, default=3, help="rounds; medians are printed")
    parser.add_argument("--verify", action="store_true", help="measure the verify address, beside a bare handler")
    parser.add_argument("--rows", type=int, default=0, help="the same, with so many other codes in the table")
    parser.add_argument("--links", type=int, default=0, help="measure so many links, and good ones beside bad ones")
    parser.add_argument("--binds", type=int, default=4, help="of each of them")
    parser.add_argument("-t", dest="tools", default="../shared/tools", help="folder of smscload.c and kannel-baseline")
    return parser.parse_args()


def _smsgw(load: Path, folder: Path, count: int, window: int, rate: int) -> dict[str, Any]:
    """Start smscload, then a fresh daemon that binds to it; return smscload's figures and the daemon's memory."""
    arguments = [
        load,
        "-p",
        str(PORT),
        "-n",
        str(count),
        "-w",
        str(window),
        "-r",
        str(rate),
        "-d",
        DESTINATION,
        "-s",
        "4",
    ]
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        file = write(occasion(Path(fresh), PORT, max(window, 50), destination=DESTINATION))
        subprocess.run([*_command("migrate"), str(file)], check=True, stdout=subprocess.DEVNULL)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as smsc, _daemon(file) as daemon:
            output, _ = smsc.communicate(timeout=600)
            figures: dict[str, Any] = json.loads(output)
            figures["complete"] = smsc.returncode == 0 and figures["duplicate_mt"] == 0
            figures["rss_mb"] = _peak_rss_mb(daemon.pid)
            figures["cpu_us"] = _cpu_s(daemon.pid) * 1e6 / count
    return figures


@contextlib.contextmanager
def _daemon(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    time.sleep(0.5)  # smscload listens by then
    with (file.parent / "log").open("wb") as log:
        daemon = subprocess.Popen([*_command("run"), str(file)], stdout=log, stderr=log)
        try:
            yield daemon
        finally:
            daemon.terminate()
            daemon.wait(timeout=30)


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", "smsgw", name, "--config"]


def _peak_rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _cpu_s(pid: int) -> float:
    """Return the processor time of all its threads: on a shared machine it tells more than the clock."""
    ticks = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        fields = (thread / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def _kannel(tools: Path, count: int, window: int, rate: int) -> dict[str, Any]:
    arguments = ["-n", str(count), "-w", str(window), "-r", str(rate), "-p", str(PORT)]
    output = subprocess.run([tools / "kannel-baseline", *arguments], stdout=subprocess.PIPE, check=False, timeout=600)
    figures: dict[str, Any] = json.loads(output.stdout)
    return figures


def _print(results: dict[tuple[int, int], tuple[list[dict[str, Any]], list[dict[str, Any]]]], *, kannel: bool) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in (
        "window",
        "paced",
        "smsgw SMS/s",
        "Kannel SMS/s",
        "ratio",
        "SMS to answer p50/p99 ms",
        "CPU µs/SMS",
        "RSS MB",
        "",
    ):
        table.add_column(heading, justify="right")
    for (window, rate), (ours, theirs) in results.items():
        mine, other = _median(ours), _median(theirs) if theirs else None
        table.add_row(
            str(window),
            f"{rate}/s" if rate else "-",
            f"{mine:,.0f}",
            f"{other:,.0f}" if other else "-",
            f"{statistics.median(a['mo_per_s'] / b['mo_per_s'] for a, b in zip(ours, theirs, strict=True)):.2f}"
            if other and not rate
            else "-",
            f"{statistics.median(run['mt_ms']['p50'] for run in ours):.1f} / "
            f"{statistics.median(run['mt_ms']['p99'] for run in ours):.1f}",
            f"{statistics.median(run['cpu_us'] for run in ours):.0f}",
            f"{max(run['rss_mb'] for run in ours):.0f}",
            "" if all(run["complete"] for run in ours) else "incomplete",
        )
    screen.print(table)
    if not kannel:
        screen.print("Kannel is not installed (apt-get install kannel): no ratios.")


def _median(runs: list[dict[str, Any]]) -> float:
    return float(statistics.median(run["mo_per_s"] for run in runs))


if __name__ == "__main__":
    main()
