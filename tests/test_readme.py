"""The README's way by hand: its lines are commands that do what it says, one after the other."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from smsgw import settings
from smsgw.domain import goods
from smsgw.simulator.billing import Billing, price_list
from smsgw.simulator.scenario import load, shipped
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.subscribers import MAGIC, Subscribers

ROOT: Final = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What of the project the lines use, with this test's own program in .venv."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    command = tmp_path / ".venv" / "bin" / "smsgw"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m smsgw "$@"\n')
    command.chmod(0o755)
    return tmp_path


def by_hand() -> list[list[str]]:
    """The lines of each terminal."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("### By hand\n")[2].partition("\n### ")[0]
    return [block.strip().splitlines() for block in re.findall(r"```\n(.*?)```", section, flags=re.DOTALL)]


def test_the_lines_lead_to_a_daemon_that_may_start(checkout: Path) -> None:
    first, second, third = by_hand()
    assert (first[0].split()[0], first[-1]) == ("scripts/venv", ".venv/bin/smsgw run")
    assert second == [".venv/bin/smsgw simulate"]
    assert third[0].startswith("curl ")
    for _ in range(2):  # who tries it again begins at the top
        script = "\n".join(["set -euo pipefail", *first[1:-1]])
        done = subprocess.run(
            ["bash", "-c", script], cwd=checkout, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "1 link(s), 1 service(s), 1 merchant(s), no mistakes" in done.stdout
    assert (checkout / ".smsgw" / "conf" / "smsgw.db").exists()
    password = checkout / ".smsgw" / "conf" / "links" / "example-operator.password"
    assert password.read_text() == "secret\n", "which is what simulate wants"


def by_curl() -> list[str]:
    """The lines of a payment."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("<!-- a payment by curl: ")[2].partition("<!-- end -->")[0]
    return section.partition("```\n")[2].partition("```")[0].strip().splitlines()


async def test_a_payment_by_curl_in_five_lines(checkout: Path) -> None:
    lines = by_curl()
    assert len(lines) == 5
    conf = checkout / ".smsgw" / "conf"
    await bash(checkout, by_hand()[0][1:-1])
    phones = Subscribers(otherwise=MAGIC["9000"])  # who answer YES
    operator = Smsc(SmscSettings(), billing=Billing(), subscribers=phones)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    changes = {
        "smsgw.toml": ("[web]\n", f"[web]\nport = {port}\n"),
        "links/example-operator.toml": ("\nport = 2775", f"\nport = {await operator.start()}"),
        "merchants/example-gold.toml": ("\n#allowed_ips = []", '\nallowed_ips = ["127.0.0.1"]'),
    }
    for name, (before, after) in changes.items():
        text = (conf / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, name
        (conf / name).write_text(text.replace(before, after), encoding="utf-8")
    configuration = settings.load(conf / "smsgw.toml", environment={}, check=lambda _: [])
    merchants = goods.build(configuration.merchants, configuration.links)
    assert operator.commerce.billing is not None
    operator.commerce.billing.rates = price_list(merchants, "example-operator")
    log = (checkout / "log").open("wb")
    daemon = await asyncio.create_subprocess_exec(
        str(checkout / ".venv" / "bin" / "smsgw"),
        "run",
        "--config",
        str(conf / "smsgw.toml"),
        stderr=log,
    )
    try:
        async with asyncio.timeout(60):
            await operator.until_bound()
        told = await bash(checkout, [line.replace(":8081/", f":{port}/") for line in lines], conf)
        assert '"status":"succeeded"' in told
        [charge] = operator.commerce.billing.charges
        assert (charge.msisdn, charge.amount_minor, charge.currency) == ("359888123456", 250, "EUR")
    finally:
        daemon.terminate()
        assert await daemon.wait() == 0
        log.close()
        await operator.stop()


async def bash(checkout: Path, lines: list[str], conf: Path | None = None) -> str:
    """Run lines as they stand; return what they print."""
    environment = os.environ | ({"SMSGW_CONFIG": str(conf / "smsgw.toml")} if conf else {})
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        "\n".join(["set -euo pipefail", *lines]),
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(40):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, told
    return told.decode()


def smscs() -> str:
    """The tables of what SMSCs differ in."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("### Which SMSCs\n")[2].partition("\n#### ")[0]


def test_every_point_about_smscs_names_tests_and_scenarios_that_exist() -> None:
    rows = [line for line in smscs().splitlines() if line.startswith("| ") and "---" not in line]
    rows = [row for row in rows if not row.endswith("| test, *scenario* |")]
    assert len(rows) > 35
    for row in rows:
        supported, shown = row.strip("| ").split(" | ")[1:]
        named = re.findall(r"`((?:\w+/)?test_\w+)`", shown)
        played = re.findall(r"\*([a-z0-9-]+)\*", shown)
        assert named or played, row
        assert "partly" not in supported
        assert all((ROOT / "tests" / f"{name}.py").exists() for name in named), row
        assert set(played) <= set(shipped()), row


def test_every_scenario_shows_something_about_smscs() -> None:
    told = set(re.findall(r"\*([a-z0-9-]+)\*", smscs()))
    assert set(shipped()) - told == {"good-citizen"}


def test_the_scenario_that_is_shown_can_be_played(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("#### Rehearse a cut-over\n")[2]
    file = tmp_path / "mine.toml"
    file.write_text(text.partition("```toml\n")[2].partition("```")[0])
    assert len(load(file).steps) == 4
