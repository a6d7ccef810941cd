"""What is sold: the services of a configuration, made ready once for the decisions that need them."""

from collections.abc import Callable, Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct, structs

from smsgw.domain import codes, costs, goods_checks, replies, statuses, strength
from smsgw.domain.addresses import is_network
from smsgw.domain.keywords import MARKS, first_word, fold
from smsgw.domain.manner import Manner, of_service
from smsgw.domain.routing import CATCH_ALL, conflicts
from smsgw.errors import TextError
from smsgw.settings import Configuration, Guessing, LinkSettings, ServiceSettings
from smsgw.text.segments import Outlet, Segment, split
from smsgw.text.transliteration import transliterate

MAX_ANSWER_PARTS = 3  # SMS that a free answer may take

# A moment with every part of its text at full length, for trying a template before it is used.
_SAMPLE_MS = 1_797_000_000_000

# Characters that an answer leaves free: a code grows when all of its length are taken (flows/access.py).
_SPARE = 4

_ANY = Outlet()


class Service(Struct, frozen=True, kw_only=True):
    """One merchant's service, ready for use."""

    name: str
    settings: ServiceSettings
    policy: codes.Policy
    policy_json: str  # the snapshot that each code keeps
    zone: ZoneInfo
    manner: Manner  # in which its answers are submitted


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
        manner=of_service(settings),
    )


def replies_to(service: Service, code: str, issued_ms: int) -> list[str]:
    """Return the texts that a subscriber gets: the one with the code, then the instructions."""
    texts = _as_written(service, code, issued_ms)
    settings = service.settings
    if settings.characters == "transliterate":
        return [transliterate(text, settings.language) for text in texts]
    return texts


def _as_written(service: Service, code: str, issued_ms: int) -> list[str]:
    settings, policy = service.settings, service.policy
    values = {
        "code": codes.grouped(code, settings.group),
        "valid_until": _valid_until(service, issued_ms),
        "uses": str(policy.uses) if policy.uses else "-",
        "price": settings.price,
        "service": settings.title or service.name,
        "support": settings.support,
    }
    return [replies.render(template, values) for template in (settings.reply, *settings.instructions)]


def _valid_until(service: Service, issued_ms: int) -> str:
    policy = service.policy
    if policy.valid_ms is None:
        return "-"
    if policy.counted_from == "receipt":
        return replies.local_time(issued_ms + policy.valid_ms, service.zone)
    return replies.after_first_use(policy.valid_ms, service.settings.language)


def reply_segments(service: Service, code: str, issued_ms: int, reference: int, outlet: Outlet = _ANY) -> list[Segment]:
    """Return the answers cut into SMS, at most `max_replies` in all.

    A code that had to be made longer than its policy asks for may need a part more than was checked: the code goes out,
    and what does not fit of the instructions does not.
    """
    most = service.settings.max_replies
    first, *others = replies_to(service, code, issued_ms)
    segments = split(first, reference=reference, max_parts=most, outlet=outlet)
    for number, text in enumerate(others, 1):
        more = split(text, reference=reference + number, outlet=outlet)
        if sum(one.sms for one in segments) + sum(one.sms for one in more) > most:
            break
        segments += more
    return segments


def problems(configuration: Configuration) -> list[str]:
    """Find what is wrong with the services beyond their types; sentences in the form of settings problems."""
    folder = configuration.file.parent / "services"
    found: list[str] = []
    for name, settings in configuration.services.items():
        guessing = configuration.main.guessing
        links = sold_at(settings, configuration.links)
        found += [
            f"{folder / f'{name}.toml'}: {problem}" for problem in _service_problems(name, settings, guessing, links)
        ]
    for name, keyword, owner in conflicts(configuration.services, configuration.links):
        found.append(f'{folder / f"{name}.toml"}: keywords: "{keyword}" already belongs to service "{owner}"')
    found += _answer_problems(configuration)
    for name, link in configuration.links.items():
        file = configuration.file.parent / "links" / f"{name}.toml"
        found += [f"{file}: {problem}" for problem in _zone_problems(link.time_zone)]
        found += [f"{file}: {problem}" for problem in statuses.problems(link.status)]
    found += [
        f'{configuration.file}: web.{setting}: "{text}" is no address and no network; allowed are such as "10.0.0.0/8"'
        for setting in ("proxies", "metrics_ips")
        for text in getattr(configuration.main.web, setting)
        if not is_network(text)
    ]
    zone = configuration.main.payments.time_zone
    found += [f"{configuration.file}: payments.{problem}" for problem in _zone_problems(zone)]
    return found + goods_checks.problems(configuration)


def sold_at(settings: ServiceSettings, links: Mapping[str, LinkSettings]) -> dict[str, LinkSettings]:
    """Return the links that a service is sold at."""
    return {name: link for name, link in links.items() if name in settings.links or not settings.links}


def _service_problems(
    name: str, settings: ServiceSettings, guessing: Guessing, links: Mapping[str, LinkSettings]
) -> list[str]:
    found = []
    for setting, words in (("keywords", settings.keywords), ("again_keywords", settings.again_keywords)):
        found += [f"{setting}: {problem}" for word in words if (problem := _keyword_problem(word))]
        found += [
            f'{setting}: "{word}" stands there twice' for word in sorted({one for one in words if words.count(one) > 1})
        ]
    if CATCH_ALL in settings.again_keywords:
        found.append('again_keywords: "*" is not allowed: every message would be free')
    found += _template_problems(name, settings, links)
    return found + _weakness(settings, guessing) + _network_problems(settings)


def _template_problems(name: str, settings: ServiceSettings, links: Mapping[str, LinkSettings]) -> list[str]:
    found: list[str] = []
    allowed = ", ".join(f"{{{placeholder}}}" for placeholder in replies.PLACEHOLDERS)
    for setting, template in (("reply", settings.reply), *(("instructions", text) for text in settings.instructions)):
        for unknown in replies.unknown_placeholders(template):
            shown = unknown if unknown in "{}" and unknown else f"{{{unknown}}}"
            found.append(f'{setting}: "{shown}" is no placeholder; allowed are {allowed}')
    if "{code}" not in settings.reply:
        found.append("reply: does not tell the code; put {code} in")
    found += _zone_problems(settings.time_zone)
    try:
        return found or _reply_problems(_service(name, settings), links)
    except ValueError:  # a TLV that is told of already (settings/submission.py)
        return []


def _zone_problems(name: str) -> list[str]:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [f'time_zone: "{name}" is unknown; allowed are names such as "Europe/Kyiv"']
    return []


def _keyword_problem(keyword: str) -> str:
    if len(keyword.split()) != 1:
        return f'"{keyword}" is not one word; allowed are single words, or "*" for all others'
    if keyword == CATCH_ALL or ((word := first_word(keyword)) and word == fold(keyword)):
        return ""
    shown = " ".join(MARKS)
    return f'"{keyword}" matches no message; allowed are letters and digits, with one of {shown} between two'


def _sample(service: Service) -> str:
    """Return the longest code that an answer can tell."""
    return "W" * (service.settings.length + _SPARE)


def _reply_problems(service: Service, links: Mapping[str, LinkSettings]) -> list[str]:
    if found := _character_problems(service):
        return found
    texts = replies_to(service, _sample(service), _SAMPLE_MS)
    return _of_links(links, lambda link: _size_problem(texts, service.settings.max_replies, link))


def _of_links(links: Mapping[str, LinkSettings], check: Callable[[LinkSettings | None], str]) -> list[str]:
    """Return what is wrong at each link; what is wrong at all of them is said once, without their names."""
    said = {name: check(link) for name, link in links.items()} or {"": check(None)}
    if len(set(said.values())) == 1:
        return [sentence for sentence in said.values() if sentence][:1]
    return [f"{sentence} (link {name})" for name, sentence in said.items() if sentence]


def _size_problem(texts: Sequence[str], max_replies: int, link: LinkSettings | None) -> str:
    try:
        taken = costs.cost(texts, costs.outlet_of(link) if link else _ANY)
    except TextError as error:
        return f"reply: {error}"
    if taken.total > max_replies:
        each = " + ".join(map(str, taken.sms))
        return f"reply: takes {each} SMS with its longest values; max_replies allows {max_replies}"
    if link and max(taken.sms) > link.max_parts:
        return (
            f"reply: takes {max(taken.sms)} SMS with its longest values; the link's max_parts allows {link.max_parts}"
        )
    return ""


def _character_problems(service: Service) -> list[str]:
    """Name what GSM 7 bit cannot carry, where it stands, unless the service allows it."""
    settings = service.settings
    if settings.characters == "allow":
        return []
    written = [("reply", settings.reply), *(("instructions", text) for text in settings.instructions)]
    written += [(field, getattr(settings, field)) for field in ("title", "price", "support")]
    why = 'characters = "refuse"' if settings.characters == "refuse" else "no transliteration knows them"
    found = [
        f"{field}: {costs.named(missing)} cannot be sent in GSM 7 bit, and {why}"
        for field, text in written
        if (missing := costs.strangers(text, settings.characters, settings.language))
    ]
    words = _valid_until(service, _SAMPLE_MS) if any("{valid_until}" in text for _, text in written) else ""
    if costs.strangers(words, settings.characters, settings.language):
        found.append(f'language: {{valid_until}} becomes "{words}", which cannot be sent in GSM 7 bit, and {why}')
    return found


def answer_costs(service: Service, link: LinkSettings | None) -> tuple[costs.Cost, costs.Cost | None]:
    """Return what a service's answers take on a link, and what they would take written the other way.

    The other way is transliterated where the characters are allowed, as written where they are transliterated; None
    where that makes no difference.

    Raises:
        TextError: the link cannot carry them.
    """
    outlet = costs.outlet_of(link) if link else _ANY
    texts = _as_written(service, _sample(service), _SAMPLE_MS)
    both = costs.saving(texts, service.settings.language, outlet)
    if both is None:
        return costs.cost(texts, outlet), None
    as_written, latin = both
    return (latin, as_written) if service.settings.characters == "transliterate" else (as_written, latin)


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
        f"{configuration.file}: answers.{name}: {problem}"
        for name, text in texts.items()
        for problem in _of_links(configuration.links, lambda link, text=text: _unfit(text, link))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    ]


def _unfit(text: str, link: LinkSettings | None) -> str:
    most = min(MAX_ANSWER_PARTS, link.max_parts) if link else MAX_ANSWER_PARTS
    try:
        split(text, reference=0, max_parts=most, outlet=costs.outlet_of(link) if link else _ANY)
    except TextError as error:
        return str(error)
    return ""
