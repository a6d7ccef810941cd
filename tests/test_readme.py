"""The README's way by hand: its lines are commands that do what it says, one after the other."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from smsgw.simulator.scenario import load, shipped

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
