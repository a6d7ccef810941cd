"""Reads the settings' files, and names every mistake at once: file, path, what is allowed."""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from smsgw.errors import SettingsError
from smsgw.settings import link as links_settings, places, submission, words
from smsgw.settings.charging import ChargeProfile
from smsgw.settings.link import LinkSettings
from smsgw.settings.main import Settings
from smsgw.settings.merchant import Cap, Charge, MerchantSettings, Product, Tariff
from smsgw.settings.service import ServiceSettings

S = TypeVar("S", bound=Struct)

_NEEDED_URLS = frozenset({"success_url", "expired_url", "invalid_url"})


class Configuration(Struct, frozen=True, kw_only=True):
    """Everything that was read, with the folders that relative names are relative to."""

    file: Path
    state_dir: Path
    main: Settings
    links: dict[str, LinkSettings]
    services: dict[str, ServiceSettings]
    merchants: dict[str, MerchantSettings] = {}


_WRONG: Final = object()


class _Told(Struct, frozen=True):
    """What is wrong with a file, as it is found."""

    file: str
    problems: list[str]

    def say(self, where: str, sentence: str) -> None:
        """Add a problem of one setting."""
        self.problems.append(f"{self.file}: {where}: {sentence}")


# What takes the place of a value that is wrong or missing: it has no fault of its own, so that the other checks go on.
# Where nothing stands here the default serves. "?" is what nothing else is called.
_STAND_INS: Final[Mapping[type[Struct], Mapping[str, Any]]] = {
    LinkSettings: {"host": "?", "port": 1, "system_id": "", "password_file": ""},
    ServiceSettings: {
        "short_code": "?",
        "links": ["?"],
        "keywords": [],
        "reply": "{code}",
        "success_url": "",
        "expired_url": "",
        "invalid_url": "",
        "length": 4,
        "valid_for_s": 1,
        "uses": 1,
        "max_replies": 10,
    },
    MerchantSettings: {
        "title": "?",
        "support": "?",
        "reply_addresses": [],
        "products": {},
        "tariffs": {},
        "return_url": "",
        "language": "?",
    },
    Product: {"title": {}, "tariffs": []},
    Tariff: {"amount_minor": 1, "currency": "?", "operators": {}},
    Charge: {"charge": "?"},
    Cap: {"over": "?", "per": "?", "currency": "?", "amount_minor": -1, "count": 1},
    ChargeProfile: {"way": "?"},
}


def _stand_ins(kind: type[Struct], file: str) -> Mapping[str, Any]:
    """Return the stand-ins of a kind; a service's are where no other service has its keywords."""
    found = _STAND_INS.get(kind, {})
    return {**found, "short_code": f"? {file}", "links": [f"? {file}"]} if kind is ServiceSettings else found


def load(file: Path, *, environment: Mapping[str, str], check: Callable[["Configuration"], list[str]]) -> Configuration:
    """Read the main file and the folders beside it.

    Args:
        file: the main file.
        environment: for $STATE_DIRECTORY (systemd).
        check: finds what one file cannot know, such as a template that does not fit; returns sentences.

    Raises:
        SettingsError: with every problem found, not only the first.
    """
    problems: list[str] = []
    # What cannot be read is a problem already; its defaults let the rest be checked all the same.
    main = _read(file, Settings, problems) or Settings()
    link_files = _files(file.parent / "links", problems)
    links = _read_all(link_files, LinkSettings, problems)
    services = _read_all(_files(file.parent / "services", problems), ServiceSettings, problems)
    merchants = _read_all(_files(file.parent / "merchants", problems), MerchantSettings, problems)
    state = main.state_dir or environment.get("STATE_DIRECTORY", "").split(":")[0] or "."
    configuration = Configuration(
        file=file, state_dir=file.parent / state, main=main, links=links, services=services, merchants=merchants
    )
    told = {_subject(problem) for problem in problems}
    cross = _cross_check(configuration, {one.stem for one in link_files}) + check(configuration)
    problems += [problem for problem in cross if not _is_told(problem, told)]
    if problems:
        files = list(dict.fromkeys(_subject(problem)[0] for problem in problems))
        raise SettingsError(sorted(problems, key=lambda problem: files.index(_subject(problem)[0])))
    return configuration


def warnings(configuration: Configuration) -> list[str]:
    """Return what is allowed, and hardly meant, or not yet as it must be when the daemon runs."""
    folder, state = configuration.file.parent, configuration.state_dir
    found = []
    if not configuration.links:
        found.append(f"{folder / 'links'}: no links: no operator's messages will come; write a file for each operator")
    if not configuration.services and not configuration.merchants:
        found.append(f"{folder / 'services'}: no services: messages buy nothing; write a file for each service")
    tariffs = [tariff for one in configuration.merchants.values() for tariff in one.tariffs.values()]
    charging = {link for tariff in tariffs for link in tariff.operators}
    found += [
        f"{folder / 'links' / f'{name}.toml'}: no prefixes, no carriers: no phone is this operator's, nobody pays here"
        for name, link in configuration.links.items()
        if name in charging and not link.prefixes and not link.carriers
    ]
    if not state.is_dir():
        found.append(
            f"{state}: no such folder (state_dir); make it, or let systemd do it with StateDirectory= in the unit"
        )
    elif not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        found.append(f"{state}: this user may not write there (state_dir); the one that smsgw runs as must")
    return found


def _subject(problem: str) -> tuple[str, ...]:
    """Return file and setting: what is wrong by itself need not fit anything else."""
    return tuple(problem.split(": ", maxsplit=2)[:2])


def _is_told(problem: str, told: set[tuple[str, ...]]) -> bool:
    """Whether the setting, or a table that it stands in, is wrong by itself."""
    file, *path = _subject(problem)
    parts = path[0].split(".") if path else []
    return any((file, ".".join(parts[:depth])) in told for depth in range(1, len(parts) + 1))


def _files(folder: Path, problems: list[str]) -> list[Path]:
    """Return a folder's settings files; there are none where there is no folder."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".toml")
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(f"{folder}: cannot be read: {error.strerror}")
        return []


def _read_all(files: Iterable[Path], kind: type[S], problems: list[str]) -> dict[str, S]:
    found: dict[str, S] = {}
    for file in files:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", file.stem):
            problems.append(f"{file}: the file's name is the name in use; allowed are 1 to 40 of a-z 0-9 _ -")
        value = _read(file, kind, problems)
        if value is not None:
            found[file.stem] = value
    return found


def _read(file: Path, kind: type[S], problems: list[str]) -> S | None:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{file}: no such file")
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        problems.append(f"{file}: cannot be read: {error}")
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{file}: not TOML: {error}")
    else:
        return _convert(raw, kind, _Told(str(file), problems), "")
    return None


def _convert(raw: dict[str, Any], kind: type[S], told: _Told, path: str) -> S:
    """Convert field by field, so that one mistake does not hide the next; what is wrong gets a stand-in."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    stand_ins = _stand_ins(kind, told.file)
    good: dict[str, Any] = {}
    for key, value in raw.items():
        field = fields.get(key)
        if field is None:
            told.say(f"{path}{key}", f"no such setting; there are {', '.join(sorted(fields))}")
            continue
        found = _value(key, value, field.type, told, f"{path}{key}")
        if found is not _WRONG:
            good[key] = found
        elif key in stand_ins:
            good[key] = stand_ins[key]
    for name, field in fields.items():
        if field.required and name not in raw:
            told.say(f"{path}{name}", "missing; it must be set")
            good[name] = stand_ins[name]
    return kind(**good)


def _value(name: str, raw: Any, kind: Any, told: _Told, where: str) -> Any:
    """Convert one value; in tables and lists of tables each setting for itself. What is wrong becomes ``_WRONG``."""
    form = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if name not in words.WHOLE:
        if _is_struct(form) and isinstance(raw, dict):
            return _convert(raw, form, told, f"{where}.")
        if get_origin(form) is dict and isinstance(raw, dict):
            return _table(raw, form, told, where)
        if get_origin(form) is list and _is_struct(get_args(form)[0]) and isinstance(raw, list):
            return _rows(raw, kind, get_args(form)[0], told, where)
    if sentence := words.complaint(name, kind, raw):
        told.say(where, sentence)
        return _WRONG
    return msgspec.convert(raw, kind)


def _table(raw: dict[str, Any], form: Any, told: _Told, where: str) -> dict[str, Any]:
    """Convert a table whose names are the administrator's own."""
    names, kind = get_args(form)
    good = {}
    for name, value in raw.items():
        found = _value("", value, kind, told, f"{where}.{name}")
        if sentence := words.complaint("", names, name):
            told.say(f"{where}.{name}", sentence)
        elif found is not _WRONG:
            good[name] = found
    return good


def _rows(raw: list[Any], kind: Any, row: Any, told: _Told, where: str) -> list[Any]:
    """Convert a list of tables, each written under a line with its name in [[ ]]; the first is [1]."""
    if sentence := words.size_complaint(kind, raw):
        told.say(where, sentence)
    found = [_value("", one, row, told, f"{where}[{number}]") for number, one in enumerate(raw, 1)]
    return [row(**_stand_ins(row, told.file)) if one is _WRONG else one for one in found]


def _is_struct(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, Struct)


def _cross_check(configuration: Configuration, named: set[str]) -> list[str]:
    """Find what does not fit together; ``named`` are the links that have a file, be there mistakes in it or not."""
    folder = configuration.file.parent
    problems = []
    store = configuration.main.store
    if store.engine == "postgres" and not store.dsn:
        problems.append(f"{configuration.file}: store.dsn: missing; postgres needs postgresql://user@host/database")
    main = configuration.main
    problems += [f"{configuration.file}: {problem}" for problem in places.host_problems("web.host", main.web.host)]
    if main.web.public_url and (not places.is_url(main.web.public_url) or set(main.web.public_url) & set("?#")):
        problems.append(
            f"{configuration.file}: web.public_url: must be an absolute http or https address, without ? and #"
        )
    for field, name in (("state_dir", main.state_dir), ("key_file", main.key_file), ("store.path", store.path)):
        problems += [f"{configuration.file}: {problem}" for problem in places.name_problems(field, name)]
    for name, link in configuration.links.items():
        problems += [f"{folder / 'links' / f'{name}.toml'}: {problem}" for problem in links_settings.problems(link)]
    for name, service in configuration.services.items():
        file = folder / "services" / f"{name}.toml"
        problems += [
            f'{file}: links: there is no link "{link}"; there are {", ".join(sorted(named)) or "none"}'
            for link in service.links
            if link not in named
        ]
        problems += [
            f"{file}: {field}: must be an absolute http or https address"
            for field in (*sorted(_NEEDED_URLS), "used_up_url", "throttled_url", "webhook_url")
            if not places.is_url(getattr(service, field)) and (getattr(service, field) or field in _NEEDED_URLS)
        ]
        problems += [f"{file}: {problem}" for problem in submission.service_problems(service)]
        if service.valid_for_s == 0 and service.uses == 0:
            problems.append(f"{file}: valid_for_s: set valid_for_s, uses or both: a code must end some day")
    there = ", ".join(sorted(named)) or "none"
    for name, merchant in configuration.merchants.items():
        file = folder / "merchants" / f"{name}.toml"
        problems += [
            f"{file}: tariffs.{tariff}.operators.{link}: there is no link of this name; there are {there}"
            for tariff, one in merchant.tariffs.items()
            for link in one.operators
            if link not in named
        ]
    return problems
