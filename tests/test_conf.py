"""The examples in conf/: ``smsgw check`` accepts them, and their comments tell the truth about the defaults."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct

from smsgw.domain import catalog
from smsgw.settings import LinkSettings, MerchantSettings, ServiceSettings, Settings, load
from smsgw.settings.submission import Tlv

CONF: Final = Path(__file__).parents[1] / "conf"
FILES: Final = {
    "smsgw.toml": Settings,
    "links/example-operator.toml": LinkSettings,
    "services/example-weather.toml": ServiceSettings,
    "merchants/example-gold.toml": MerchantSettings,
}
# Their defaults are empty, which would show nobody what to write.
EXAMPLES: Final = {"store.dsn", "links", "prompt", "charge_text", "receipt_text", "web.public_url"}


def uncommented(text: str) -> str:
    """What the file says when ``#key = value`` and ``#[table]`` at the beginning of a line count."""
    return re.sub(r"^#(?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)


def without_examples(text: str) -> str:
    """The file without the tables that are commented out: nothing of them is a default."""
    return re.sub(r"^#\[.*\n(?:#.*\n)*", "", text, flags=re.MULTILINE)


def flat(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Every value by its path; of tables in a list the number is part of it."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = dict(enumerate(value, 1))  # noqa: PLW2901 - a list of tables is a table with numbers for names
        # an inline table with nothing in it is a value: that of a setting whose keys are the administrator's own
        values |= flat(value, f"{path}{key}.") if isinstance(value, dict) and value else {f"{path}{key}": value}
    return values


def inner(kind: Any) -> tuple[type[Struct] | None, bool]:
    """The settings that a table of this type has, and whether there are several, with names or numbers."""
    form = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    several = get_origin(form) in {dict, list}
    form = get_args(form)[-1] if several else form
    is_table = isinstance(form, type) and issubclass(form, Struct) and form is not Tlv
    return (form if is_table else None), several


def defaults(kind: type[Struct], path: str = "") -> dict[str, Any]:
    """What counts where nothing is written; ... where something must be. "*" stands for names and numbers."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        table, several = inner(field.type)
        if table is not None:
            values |= defaults(table, f"{path}{field.name}.{'*.' if several else ''}")
        elif field.required:
            values[f"{path}{field.name}"] = ...
        else:
            factory = field.default_factory
            values[f"{path}{field.name}"] = field.default if factory is msgspec.NODEFAULT else factory()
    return values


def setting(key: str, known: Collection[str]) -> str:
    """The setting that a path leads to, or into; the path itself when there is none."""
    for one in known:
        if re.fullmatch(re.escape(one).replace(r"\*", r"[^.]+") + r"(\..+)?", key):
            return one
    return key


def settings_in(text: str, kind: type[Struct]) -> set[str]:
    known = defaults(kind)
    return {setting(key, known) for key in flat(tomllib.loads(text))}


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
    assert "1 link(s), 1 service(s), 1 merchant(s), no mistakes" in done.stdout
    assert "example-weather" in done.stdout
    assert "example-gold" in done.stdout


def test_nothing_else_is_in_the_folder() -> None:
    assert {str(file.relative_to(CONF)) for file in CONF.rglob("*") if file.is_file()} == set(FILES)


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_what_is_commented_out_is_the_default(name: str, kind: type[Struct]) -> None:
    text = without_examples((CONF / name).read_text(encoding="utf-8"))
    written = flat(tomllib.loads(text))
    told = flat(tomllib.loads(uncommented(text)))
    known = defaults(kind)
    commented = told.keys() - written.keys()
    assert commented, "a file without comments would prove nothing"
    lies = {setting(key, known) for key in commented if told[key] != known[setting(key, known)]}
    assert lies <= EXAMPLES, lies
    called = re.findall(r"^#([a-z_]+) = .*# EXAMPLE \(default: ", text, flags=re.MULTILINE)
    assert sorted(called) == sorted(key.rpartition(".")[2] for key in lies), "an example is called one"


@pytest.mark.parametrize("name", FILES)
def test_a_table_that_is_commented_out_is_called_an_example(name: str) -> None:
    lines = (CONF / name).read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        assert not line.startswith("#[") or "EXAMPLE" in before, line


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_every_setting_is_shown(name: str, kind: type[Struct]) -> None:
    text = uncommented((CONF / name).read_text(encoding="utf-8"))
    assert settings_in(text, kind) == defaults(kind).keys()


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_what_must_be_set_is_set(name: str, kind: type[Struct]) -> None:
    written = settings_in((CONF / name).read_text(encoding="utf-8"), kind)
    tables = {key.rpartition(".")[0] for key in written if "*" in key}
    needed = {key for key, value in defaults(kind).items() if value is ...}
    assert {key for key in needed if "*" not in key or key.rpartition(".")[0] in tables} <= written


def test_the_comments_are_settings_that_can_be_used(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(uncommented((CONF / name).read_text(encoding="utf-8")), encoding="utf-8")
    found = load(tmp_path / "smsgw.toml", environment={}, check=catalog.problems)
    assert found.services["example-weather"].links == ["example-operator"]
    assert found.links["example-operator"].charging["wallet"].way == "direct"
    assert found.main.payments.caps[0].over == "all"
    assert found.merchants["example-gold"].prompt.keys() == {"en"}
