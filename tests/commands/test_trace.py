"""`smsgw trace` as an administrator types it, beside no daemon."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import LINK, SERVICE, put, smsgw


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one link."""
    put(tmp_path, "smsgw.toml", "")
    put(tmp_path, "links/north.toml", LINK)
    put(tmp_path, "links/north.password", "secret")
    put(tmp_path, "services/sun.toml", SERVICE)
    return tmp_path


def switch(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "traces/north.json").read_text())
    return found


def test_a_link_alone_is_enough(folder: Path) -> None:
    done = smsgw(folder, "trace", "north")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("north: traced until ")
    shown = smsgw(folder, "trace")
    assert (shown.returncode, shown.stdout.split()[:3]) == (0, ["north:", "traced", "until"])
    assert smsgw(folder, "trace", "north", "--off").stdout == "north: traced no more\n"
    assert smsgw(folder, "trace").stdout == "no link is traced\n"


def test_the_help_tells_the_time_as_it_is_typed(folder: Path) -> None:
    assert "[default: 10m]" in smsgw(folder, "trace", "--help").stdout


@pytest.mark.parametrize("time", ["", "10", "0m", "25h", "-5m", "1e3s", "٣m"])
def test_what_is_no_time_is_refused(folder: Path, time: str) -> None:
    done = smsgw(folder, "trace", "north", "--for", time)
    assert done.returncode == 2
    assert "such as 90s, 10m or 2h; at most 24h" in " ".join(done.stderr.replace("│", " ").split())
    assert not (folder / "traces").exists()
