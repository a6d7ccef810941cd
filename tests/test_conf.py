"""The examples in conf/: ``smsgw check`` accepts them, and their comments tell the truth about the defaults."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec import Struct

from smsgw.domain import catalog
from smsgw.settings import LinkSettings, ServiceSettings, Settings, load

CONF: Final = Path(__file__).parents[1] / "conf"
FILES: Final = {
    "smsgw.toml": Settings,
    "links/example-operator.toml": LinkSettings,
    "services/example-weather.toml": ServiceSettings,
}
# Their defaults are empty, which would show nobody what to write.
EXAMPLES: Final = {"store.dsn", "links", "web.public_url"}


def uncommented(text: str) -> str:
    """What the file says when ``#key = value`` at the beginning of a line counts."""
    return re.sub(r"^#(?=[a-z_]+ = )", "", text, flags=re.MULTILINE)


def flat(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in table.items():
        # an inline table with nothing in it is a value: that of a setting whose keys are the administrator's own
        values |= flat(value, f"{path}{key}.") if isinstance(value, dict) and value else {f"{path}{key}": value}
    return values


def defaults(kind: type[Struct], path: str = "") -> dict[str, Any]:
    """What counts where nothing is written; ... where something must be."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            values |= defaults(field.type, f"{path}{field.name}.")
        elif field.required:
            values[f"{path}{field.name}"] = ...
        else:
            factory = field.default_factory
            values[f"{path}{field.name}"] = field.default if factory is msgspec.NODEFAULT else factory()
    return values


def test_check_accepts_the_folder_as_it_is_shipped(tmp_path: Path) -> None:
    shutil.copytree(CONF, tmp_path / "conf")
    password = tmp_path / "conf" / "links" / "example-operator.password"
    password.touch(0o600)
    password.write_text("secret\n")
    command = [sys.executable, "-m", "smsgw", "check", "--config", str(tmp_path / "conf" / "smsgw.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    # The state folder is systemd's, who makes it later.
    assert all(line.startswith("smsgw: warning: /var/lib/smsgw: ") for line in done.stderr.splitlines())
    assert "1 link(s), 1 service(s), no mistakes" in done.stdout
    assert "example-weather" in done.stdout


def test_nothing_else_is_in_the_folder() -> None:
    assert {str(file.relative_to(CONF)) for file in CONF.rglob("*") if file.is_file()} == set(FILES)


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_what_is_commented_out_is_the_default(name: str, kind: type[Struct]) -> None:
    text = (CONF / name).read_text(encoding="utf-8")
    written = flat(tomllib.loads(text))
    told = flat(tomllib.loads(uncommented(text)))
    known = defaults(kind)
    commented = told.keys() - written.keys()
    assert commented, "a file without comments would prove nothing"
    lies = {key: value for key, value in told.items() if key in commented and value != known[key]}
    assert lies.keys() <= EXAMPLES, lies
    called = re.findall(r"^#([a-z_]+) = .*# EXAMPLE \(default: ", text, flags=re.MULTILINE)
    assert sorted(called) == sorted(key.rpartition(".")[2] for key in lies), "an example is called one"


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_every_setting_is_shown(name: str, kind: type[Struct]) -> None:
    told = flat(tomllib.loads(uncommented((CONF / name).read_text(encoding="utf-8"))))
    assert told.keys() == defaults(kind).keys()


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_what_must_be_set_is_set(name: str, kind: type[Struct]) -> None:
    written = flat(tomllib.loads((CONF / name).read_text(encoding="utf-8")))
    assert {key for key, value in defaults(kind).items() if value is ...} <= written.keys()


def test_the_comments_are_settings_that_can_be_used(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(uncommented((CONF / name).read_text(encoding="utf-8")), encoding="utf-8")
    found = load(tmp_path / "smsgw.toml", environment={}, check=catalog.problems)
    assert found.services["example-weather"].links == ["example-operator"]
