"""What is sold: the services of a configuration, made ready once for the decisions that need them."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct, structs

from smsgw.domain import codes, replies, statuses, strength
from smsgw.domain.addresses import is_network
from smsgw.domain.keywords import MARKS, first_word, fold
from smsgw.domain.routing import CATCH_ALL, conflicts
from smsgw.errors import TextError
from smsgw.settings import Configuration, Guessing, ServiceSettings
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


def policy_of(settings: ServiceSettings) -> codes.Policy:
    """Return the conditions of the codes that a service sells now."""
    return codes.Policy(
        length=settings.length,
        alphabet=settings.alphabet,
        valid_ms=settings.valid_for_s * 1000 or None,
        counted_from=settings.counted_from,
        uses=settings.uses or None,
        vowels=settings.vowels,
    )


def _service(name: str, settings: ServiceSettings) -> Service:
    policy = policy_of(settings)
    return Service(
        name=name,
        settings=settings,
        policy=policy,
        policy_json=msgspec.json.encode(policy).decode(),
        zone=ZoneInfo(settings.time_zone),
    )


def replies_to(service: Service, code: str, issued_ms: int) -> list[str]:
    """Return the texts that a subscriber gets: the one with the code, then the instructions."""
    settings, policy = service.settings, service.policy
    if policy.valid_ms is None:
        valid_until = "-"
    elif policy.counted_from == "receipt":
        valid_until = replies.local_time(issued_ms + policy.valid_ms, service.zone)
    else:
        valid_until = replies.after_first_use(policy.valid_ms, settings.language)
    values = {
        "code": codes.grouped(code, settings.group),
        "valid_until": valid_until,
        "uses": str(policy.uses) if policy.uses else "-",
        "price": settings.price,
        "service": settings.title or service.name,
        "support": settings.support,
    }
    return [replies.render(template, values) for template in (settings.reply, *settings.instructions)]


def reply_segments(service: Service, code: str, issued_ms: int, reference: int) -> list[Segment]:
    """Return the answers cut into SMS, at most `max_replies` in all.

    A code that had to be made longer than its policy asks for may need a part more than was checked: the code goes out,
    and what does not fit of the instructions does not.
    """
    most = service.settings.max_replies
    first, *others = replies_to(service, code, issued_ms)
    segments = split(first, reference=reference, max_parts=most)
    for number, text in enumerate(others, 1):
        more = split(text, reference=reference + number)
        if len(segments) + len(more) > most:
            break
        segments += more
    return segments


def problems(configuration: Configuration) -> list[str]:
    """Find what is wrong with the services beyond their types; sentences in the form of settings problems."""
    folder = configuration.file.parent / "services"
    found: list[str] = []
    for name, settings in configuration.services.items():
        guessing = configuration.main.guessing
        found += [f"{folder / f'{name}.toml'}: {problem}" for problem in _service_problems(name, settings, guessing)]
    for name, keyword, owner in conflicts(configuration.services, configuration.links):
        found.append(f'{folder / f"{name}.toml"}: keywords: "{keyword}" already belongs to service "{owner}"')
    found += _answer_problems(configuration)
    links = configuration.file.parent / "links"
    for name, link in configuration.links.items():
        found += [f"{links / f'{name}.toml'}: {problem}" for problem in statuses.problems(link.status)]
    found += [
        f'{configuration.file}: web.proxies: "{text}" is no address and no network; allowed are such as "10.0.0.0/8"'
        for text in configuration.main.web.proxies
        if not is_network(text)
    ]
    return found


def _service_problems(name: str, settings: ServiceSettings, guessing: Guessing) -> list[str]:
    found = []
    for setting, words in (("keywords", settings.keywords), ("again_keywords", settings.again_keywords)):
        found += [f"{setting}: {problem}" for word in words if (problem := _keyword_problem(word))]
        found += [
            f'{setting}: "{word}" stands there twice' for word in sorted({one for one in words if words.count(one) > 1})
        ]
    if CATCH_ALL in settings.again_keywords:
        found.append('again_keywords: "*" is not allowed: every message would be free')
    found += _template_problems(name, settings)
    return found + _weakness(settings, guessing) + _network_problems(settings)


def _template_problems(name: str, settings: ServiceSettings) -> list[str]:
    found: list[str] = []
    allowed = ", ".join(f"{{{placeholder}}}" for placeholder in replies.PLACEHOLDERS)
    for setting, template in (("reply", settings.reply), *(("instructions", text) for text in settings.instructions)):
        for unknown in replies.unknown_placeholders(template):
            shown = unknown if unknown in "{}" and unknown else f"{{{unknown}}}"
            found.append(f'{setting}: "{shown}" is no placeholder; allowed are {allowed}')
    if "{code}" not in settings.reply:
        found.append("reply: does not tell the code; put {code} in")
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found.append(f'time_zone: "{settings.time_zone}" is unknown; allowed are names such as "Europe/Kyiv"')
    return found or _reply_problems(_service(name, settings))


def _keyword_problem(keyword: str) -> str:
    if len(keyword.split()) != 1:
        return f'"{keyword}" is not one word; allowed are single words, or "*" for all others'
    if keyword == CATCH_ALL or ((word := first_word(keyword)) and word == fold(keyword)):
        return ""
    shown = " ".join(MARKS)
    return f'"{keyword}" matches no message; allowed are letters and digits, with one of {shown} between two'


def _reply_problems(service: Service) -> list[str]:
    settings = service.settings
    texts = replies_to(service, "W" * (settings.length + _SPARE), _SAMPLE_MS)
    try:
        counts = [len(split(text, reference=0)) for text in texts]
    except TextError as error:
        return [f"reply: {error}"]
    if sum(counts) <= settings.max_replies:
        return []
    each = " + ".join(map(str, counts))
    return [f"reply: takes {each} SMS with its longest values; max_replies allows {settings.max_replies}"]


def _weakness(settings: ServiceSettings, guessing: Guessing) -> list[str]:
    """Say what is wrong with a code that could be guessed (domain/strength.py)."""
    policy = policy_of(settings)
    live, tries, most = settings.expected_codes, guessing.service_failures_per_day, guessing.most_chance_per_year
    chance = strength.chance_per_year(policy, live, tries)
    if chance <= most:
        return []
    enough = strength.shortest(policy, live, tries, most)
    way_out = f"the shortest length that passes is {enough}" if enough else "no length passes: take another alphabet"
    problem = (
        f"length: with {live:,} live codes and {tries:,} wrong guesses a day, the chance that somebody guesses one "
        f"within a year is {chance:.2%}; guessing.most_chance_per_year allows {most:.2%}; {way_out}"
    )
    return [problem]


def _network_problems(settings: ServiceSettings) -> list[str]:
    return [
        f'allowed_ips: "{text}" is no address and no network; allowed are such as "192.0.2.7" or "2001:db8::/48"'
        for text in settings.allowed_ips
        if not is_network(text)
    ]


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
