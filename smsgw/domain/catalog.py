"""What is sold: the services of a configuration, made ready once for the decisions that need them."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct, structs

from smsgw.domain import codes, replies
from smsgw.domain.keywords import MARKS, first_word, fold
from smsgw.domain.routing import CATCH_ALL, conflicts
from smsgw.errors import TextError
from smsgw.settings import Configuration, ServiceSettings
from smsgw.text.segments import Segment, split

MAX_ANSWER_PARTS = 3  # SMS that a free answer may take

# A moment with every part of its text at full length, for trying a template before it is used.
_SAMPLE_MS = 1_797_000_000_000

# Characters that an answer leaves free: a code grows when all of its length are taken (flows/access.py).
_SPARE = 4


class Service(Struct, frozen=True, kw_only=True):
    """One merchant's service, ready for use."""

    name: str
    settings: ServiceSettings
    policy: codes.Policy
    policy_json: str  # the snapshot that each code keeps
    zone: ZoneInfo


def build(services: Mapping[str, ServiceSettings]) -> dict[str, Service]:
    """Make the services ready; their settings have passed `problems`."""
    return {name: _service(name, settings) for name, settings in services.items()}


def _service(name: str, settings: ServiceSettings) -> Service:
    policy = codes.Policy(
        length=settings.length,
        alphabet=settings.alphabet,
        valid_ms=settings.valid_for_s * 1000 or None,
        counted_from=settings.counted_from,
        uses=settings.uses or None,
    )
    return Service(
        name=name,
        settings=settings,
        policy=policy,
        policy_json=msgspec.json.encode(policy).decode(),
        zone=ZoneInfo(settings.time_zone),
    )


def reply(service: Service, code: str, issued_ms: int) -> str:
    """Return the text that tells the subscriber the code."""
    settings, policy = service.settings, service.policy
    if policy.valid_ms is None:
        valid_until = "-"
    elif policy.counted_from == "receipt":
        valid_until = replies.local_time(issued_ms + policy.valid_ms, service.zone)
    else:
        valid_until = f"{replies.duration(policy.valid_ms)} after first use"
    values = {
        "code": code,
        "valid_until": valid_until,
        "uses": str(policy.uses) if policy.uses else "-",
        "price": settings.price,
        "service": settings.title or service.name,
        "support": settings.support,
    }
    return replies.render(settings.reply, values)


def reply_segments(service: Service, code: str, issued_ms: int, reference: int) -> list[Segment]:
    """Return the answer cut into SMS."""
    return split(reply(service, code, issued_ms), reference=reference, max_parts=service.settings.max_parts)


def problems(configuration: Configuration) -> list[str]:
    """Find what is wrong with the services beyond their types; sentences in the form of settings problems."""
    folder = configuration.file.parent / "services"
    found: list[str] = []
    for name, settings in configuration.services.items():
        found += [f"{folder / f'{name}.toml'}: {problem}" for problem in _service_problems(name, settings)]
    for name, keyword, owner in conflicts(configuration.services, configuration.links):
        found.append(f'{folder / f"{name}.toml"}: keywords: "{keyword}" already belongs to service "{owner}"')
    found += _answer_problems(configuration)
    return found


def _service_problems(name: str, settings: ServiceSettings) -> list[str]:
    shown = " ".join(MARKS)
    found = [
        f'keywords: "{keyword}" is not one word; allowed are single words, or "*" for all others'
        for keyword in settings.keywords
        if len(keyword.split()) != 1
    ]
    found += [
        f'keywords: "{keyword}" matches no message; allowed are letters and digits, with one of {shown} between two'
        for keyword in settings.keywords
        if len(keyword.split()) == 1 and keyword != CATCH_ALL and not _can_begin(keyword)
    ]
    return found + _reply_problems(name, settings)


def _can_begin(keyword: str) -> bool:
    word = first_word(keyword)
    return bool(word) and word == fold(keyword)


def _reply_problems(name: str, settings: ServiceSettings) -> list[str]:
    found: list[str] = []
    allowed = ", ".join(f"{{{placeholder}}}" for placeholder in replies.PLACEHOLDERS)
    for unknown in replies.unknown_placeholders(settings.reply):
        shown = unknown if unknown in "{}" and unknown else f"{{{unknown}}}"
        found.append(f'reply: "{shown}" is no placeholder; allowed are {allowed}')
    if "{code}" not in settings.reply:
        found.append("reply: does not tell the code; put {code} in")
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found.append(f'time_zone: "{settings.time_zone}" is unknown; allowed are names such as "Europe/Kyiv"')
    if found:
        return found
    sample = reply(_service(name, settings), "W" * (settings.length + _SPARE), _SAMPLE_MS)
    return _fit("reply", sample, settings.max_parts)


def _answer_problems(configuration: Configuration) -> list[str]:
    texts = structs.asdict(configuration.main.answers)
    return [
        f"{configuration.file}: answers.{problem}"
        for name, text in texts.items()
        for problem in _fit(name, text, MAX_ANSWER_PARTS)
    ]


def _fit(name: str, text: str, max_parts: int) -> list[str]:
    try:
        split(text, reference=0, max_parts=max_parts)
    except TextError as error:
        return [f"{name}: {error}"]
    return []
