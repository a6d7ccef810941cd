"""A rehearsal as it stands in a file: how the SMSC is set up, and what happens then, step by step. TOML or Python.

A Python file defines ``scenario``, a dictionary of the same shape, for rehearsals that a loop writes better.
"""

import runpy
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from smsgw.errors import SettingsError
from smsgw.settings import words
from smsgw.simulator import steps
from smsgw.simulator.operations import Operation
from smsgw.simulator.steps import AnyStep, Kind, StatusName
from smsgw.smpp import pdus, status

SHIPPED: Final = Path(__file__).with_name("scenarios")
_HIGHEST: Final = 0xFFFFFFFF
_LAST_TAG: Final = 0xFFFF
_STATUSES: Final[Mapping[str, int]] = {name: number for number, name in status.NAMES.items()}
_REQUESTS: Final[Mapping[str, type[pdus.Pdu]]] = {pdu.name: pdu for pdu in pdus.ALL}
_HEX_FIELDS: Final = frozenset({"octets"})


class SmscSetup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the SMSC is set up, beyond what the command line says."""

    interface_version: Literal["3.3", "3.4", "5.0"] = "3.4"
    kinds: tuple[Kind, ...] = ("transceiver", "transmitter", "receiver")
    most_binds: Annotated[int, Meta(ge=1, le=1000)] = 32
    window: Annotated[int, Meta(ge=1, le=1000)] = 10
    first_sequence_number: Annotated[int, Meta(ge=1, le=0x7FFFFFFF)] = 1
    answer_timeout_s: Annotated[float, Meta(ge=0.05, le=600)] = 10.0  # then a message is delivered again
    redeliver_after_s: Annotated[float, Meta(ge=0.01, le=600)] = 1.0
    offers: tuple[Operation, ...] = ()
    tls: bool = False
    listens: bool = True  # false: it connects to the gateway ("outbind")


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rehearsal."""

    name: str = ""  # the file's
    description: str
    smsc: SmscSetup = SmscSetup()
    link: dict[str, Any] = {}  # what must stand in the gateway's file of this link
    service: dict[str, Any] = {}  # likewise of a service
    records: dict[str, int] = {}  # what must stand in the gateway's records afterwards
    steps: tuple[AnyStep, ...] = ()


def shipped() -> list[str]:
    """Return the names of the scenarios that come with the program."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def find(wanted: str) -> Scenario:
    """Read a scenario by its file, or by its name when it comes with the program.

    Raises:
        SettingsError: it is not there, or there are mistakes in it: one sentence each, with its place.
    """
    return load(SHIPPED / f"{wanted}.toml" if wanted in shipped() else Path(wanted))


def load(file: Path) -> Scenario:
    """Read a file; see ``find``."""
    problems: list[str] = []
    raw = _raw(file, problems)
    made = None if raw is None else _scenario(raw, file.stem, problems)
    if made is None or problems:
        raise SettingsError([f"{file}: {problem}" for problem in problems])
    return made


def status_code(written: StatusName) -> int:
    """Return the number of a status; it has been checked."""
    return written if isinstance(written, int) else _STATUSES[written]


def _raw(file: Path, problems: list[str]) -> dict[str, Any] | None:
    try:
        if file.suffix == ".py":
            found = runpy.run_path(str(file)).get("scenario")
            if not isinstance(found, dict):
                problems.append("scenario: missing; the file must define a dictionary of this name")
                return None
            return found
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"no such file; of the shipped scenarios there are {', '.join(shipped())}")
    except OSError as error:
        problems.append(f"cannot be read: {error.strerror}")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"not TOML: {error}")
    except Exception as error:  # noqa: BLE001 - whatever the user's program raises is a mistake in it
        problems.append(f"not a Python program that runs: {type(error).__name__}: {error}")
    return None


def _scenario(raw: dict[str, Any], name: str, problems: list[str]) -> Scenario:
    top = {key: value for key, value in raw.items() if key not in {"smsc", "steps"}}
    good = _fields(top, Scenario, "", problems)
    if "description" not in raw:
        problems.append("description: missing; say in a sentence what is rehearsed")
    setup = raw.get("smsc", {})
    if isinstance(setup, dict):
        good["smsc"] = SmscSetup(**_fields(setup, SmscSetup, "smsc.", problems))
    else:
        problems.append("smsc: must be a table, below a line with [smsc]")
    listed = raw.get("steps", [])
    if not (isinstance(listed, list) and listed and all(isinstance(one, dict) for one in listed)):
        problems.append("steps: missing; each step is a table below a line with [[steps]]")
        listed = []
    made = [_step(step, number, problems) for number, step in enumerate(listed, 1)]
    good["steps"] = tuple(one for one in made if one is not None)
    if not problems:  # what is wrong by itself need not fit anything else
        _cross_check(good["steps"], good.get("smsc", SmscSetup()), problems)
    return Scenario(**{"description": "", **good, "name": good.get("name") or name})


def _step(raw: dict[str, Any], number: int, problems: list[str]) -> AnyStep | None:
    word = raw.get("do")
    kind = steps.BY_WORD.get(word) if isinstance(word, str) else None
    if kind is None:
        told = "missing" if word is None else f"{words.shown(word)} is not allowed"
        problems.append(f"step {number}: do: {told}; allowed are {', '.join(sorted(steps.BY_WORD))}")
        return None
    place = f"step {number} ({word}): "
    before = len(problems)
    good = _fields({key: value for key, value in raw.items() if key != "do"}, kind, place, problems)
    fields = steps.FIELDS[kind]
    problems += [
        f"{place}{name}: missing; it must be set"
        for name, field in fields.items()
        if field.required and name not in raw
    ]
    problems += [f"{place}{problem}" for key, value in good.items() if (problem := _meaning_problem(key, value))]
    if len(problems) > before:
        return None
    return kind(**{fields[key].name: value for key, value in good.items()})


def _fields(raw: dict[str, Any], kind: type[Struct], place: str, problems: list[str]) -> dict[str, Any]:
    """Convert field by field, so that one mistake does not hide the next."""
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    good: dict[str, Any] = {}
    for key, value in raw.items():
        field = known.get(key)
        if field is None:
            problems.append(f"{place}{key}: no such setting; there are {', '.join(sorted(known))}")
        elif complaint := words.complaint("", field.type, value):
            problems.append(f"{place}{key}: {complaint}")
        else:
            good[key] = msgspec.convert(value, field.type)
    return good


def _meaning_problem(key: str, value: Any) -> str | None:
    """Find what a type cannot say."""
    if key == "status":
        known = value in _STATUSES if isinstance(value, str) else 0 <= value <= _HIGHEST
        return None if known else _refused(key, value, "names such as ESME_RTHROTTLED, and numbers")
    if key == "pdu":
        return None if value in _REQUESTS else _refused(key, value, ", ".join(sorted(_REQUESTS)))
    if key in _HEX_FIELDS and value is not None and not _is_hex(value):
        return _refused(key, value, "pairs of hexadecimal digits")
    if key == "tlvs":
        for tag, octets in value.items():
            if not (_is_number(tag) and _is_hex(octets)):
                return _refused(key, f"{tag} = {octets}", 'such as {"0x1400" = "0a0b"}')
    return None


def _refused(key: str, value: object, allowed: str) -> str:
    return f"{key}: {words.shown(value)} is not allowed; allowed are {allowed}"


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        return 0 <= int(text, 0) <= _LAST_TAG
    except ValueError:
        return False


def _cross_check(played: tuple[AnyStep, ...], setup: SmscSetup, problems: list[str]) -> None:
    """Find what does not fit together."""
    names = [step.name for step in played if isinstance(step, steps.Deliver) and step.name]
    for number, step in enumerate(played, 1):
        place = f"step {number} ({steps.word(step)}): "
        if isinstance(step, steps.ExpectAnswer) and step.message and step.message not in names:
            problems.append(f"{place}message: no step delivers one named {words.shown(step.message)}")
        if isinstance(step, steps.Deliver) and step.apart and not (step.source.isdigit() or "{" in step.source):
            problems.append(f"{place}from: {words.shown(step.source)} is no number, from which others could follow")
        if isinstance(step, steps.ExpectPdu):
            fields = {field.name for field in msgspec.structs.fields(_REQUESTS[step.pdu])}
            problems += [
                f"{place}fields: {step.pdu} has no {name}; it has {', '.join(sorted(fields))}"
                for name in step.fields
                if name not in fields
            ]
    if played and not any(steps.word(step).startswith("expect") for step in played):
        problems.append('steps: nothing is expected of the gateway; there is no step "expect …"')
    if not setup.listens and not any(isinstance(step, steps.Outbind) for step in played):
        problems.append('smsc.listens: false, and no step does "outbind": nobody would ever be bound')
