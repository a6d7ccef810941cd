"""The README's way by hand: its lines are commands that do what it says, one after the other."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

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
        assert "1 link(s), 1 service(s), no mistakes" in done.stdout
    assert (checkout / ".smsgw" / "conf" / "smsgw.db").exists()
    password = checkout / ".smsgw" / "conf" / "links" / "example-operator.password"
    assert password.read_text() == "secret\n", "which is what simulate wants"
