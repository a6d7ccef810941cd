"""The settings: typed values read from TOML files, with every mistake named at once: file, path, what is allowed.

One main file, and beside it a folder with a file for each link and one for each service:

    smsgw.toml   links/<link>.toml   services/<service>.toml
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from smsgw.errors import SettingsError
from smsgw.settings import places, submission, words
from smsgw.settings.submission import (
    Codings,
    OptionalNpi,
    OptionalTon,
    Priority,
    ProtocolId,
    ServiceType,
    SourceAddress,
    Tag,
    Tlv,
)

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}\Z")]
Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0.001, le=86_400 * 366)]
Host = Annotated[str, Meta(min_length=1)]
Ton = Annotated[int, Meta(ge=0, le=6)]
Npi = Annotated[int, Meta(ge=0, le=18)]
Status = Annotated[int, Meta(ge=1, le=0xFFFFFFFF)]

S = TypeVar("S", bound=Struct)


class Store(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where payments, codes and messages are kept."""

    engine: Literal["sqlite", "postgres"] = "sqlite"
    path: str = "smsgw.db"  # SQLite: file, relative to the state folder
    dsn: str = ""  # PostgreSQL: postgresql://user@host/database; the password comes from PGPASSFILE or a socket
    busy_timeout_s: Seconds = 5.0  # longest wait for a lock before the operator is told to try again


class Web(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address at which visitors' codes are verified, and merchants' servers find the API."""

    host: Host = "127.0.0.1"
    port: Port = 8081  # 0: any free port
    max_connections: Annotated[int, Meta(ge=1, le=50_000)] = 500  # open at a time; more are told to come back
    headers_timeout_s: Seconds = 15.0  # longest wait for a request on an open connection, to the end of its headers
    body_timeout_s: Seconds = 10.0  # longest wait for a request's body
    proxies: list[str] = []  # addresses and networks whose X-Forwarded-For is believed
    verify_timeout_s: Seconds = 5.0  # longest wait for the store before a visitor is told to try again
    api_rate_per_s: Annotated[float, Meta(ge=0.001, le=100_000)] = (
        100.0  # requests of one API key; a second's worth at once
    )


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written about the work, and where."""

    destination: Literal["auto", "console", "journald", "plain", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Answers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a subscriber is told when a message buys nothing; an empty text means no answer."""

    unknown_keyword: str = ""
    unknown_short_code: str = ""
    empty: str = ""
    unreadable: str = ""


class Guessing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many wrong codes may be tried. Counted for each service, apart from all others."""

    visitor_failures: Annotated[int, Meta(ge=1, le=100)] = 5  # of one address, or IPv6 /64; the last costs a pause
    visitor_window_s: Seconds = 600.0  # in which they count, wherever it begins
    visitor_attempts_kept: Annotated[int, Meta(ge=1, le=10_000)] = 20  # in a window, of those that change nothing
    first_pause_s: Seconds = 60.0  # every further failure doubles it
    longest_pause_s: Seconds = 3_600.0
    service_failures_per_hour: Annotated[int, Meta(ge=1, le=1_000_000)] = 100  # then: an alarm, and one failure pauses
    service_failures_per_day: Annotated[int, Meta(ge=1, le=10_000_000)] = 1_000  # then: nothing is checked any more
    most_chance_per_year: Annotated[float, Meta(gt=0, le=1)] = 0.01  # of one lucky guess; above it a policy is refused


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long records are kept."""

    attempts_days: Annotated[int, Meta(ge=7, le=36_600)] = 400  # attempts to use codes, and what was spent of them
    unmatched_receipts_h: Annotated[int, Meta(ge=1, le=8_784)] = 72  # receipts that name no message of ours


class Webhooks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How events are posted to the merchants' servers (``webhook_url`` of each service)."""

    timeout_s: Annotated[float, Meta(ge=0.1, le=60)] = 15.0  # of one try, from the look-up of the name to the answer
    parallel: Annotated[int, Meta(ge=1, le=1_000)] = 200  # tries at a time, of all services
    parallel_per_service: Annotated[int, Meta(ge=1, le=100)] = 8  # one at a time while a service's tries fail
    max_tries: Annotated[int, Meta(ge=1, le=10)] = 10  # then an event is given up, until somebody replays it
    keep_days: Annotated[int, Meta(ge=1, le=36_500)] = 90  # delivered events; those that were not delivered stay
    private_networks: bool = False  # whether a merchant's server may have a private or loopback address


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The main file."""

    node: Name = "node1"  # names this daemon among those on one database; keep it the same over restarts
    node_lease_s: Seconds = 30.0  # silence after which the other nodes take over what this one left
    state_dir: str = ""  # folder for the database and the key; default: $STATE_DIRECTORY, else the file's own folder
    key_file: str = "codes.key"  # relative to the state folder; made at the first start
    stop_timeout_s: Seconds = 15.0  # budget for finishing what is in flight at SIGTERM
    store: Store = Store()
    web: Web = Web()
    log: Log = Log()
    answers: Answers = Answers()
    guessing: Guessing = Guessing()
    retention: Retention = Retention()
    webhooks: Webhooks = Webhooks()


class LinkSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One operator's SMSC; the file's name is the link's name."""

    host: Host = ""  # needed, unless hosts or listen say where the SMSC is
    port: Annotated[int, Meta(ge=1, le=65535)] = 2775
    hosts: Annotated[list[str], Meta(max_length=16)] = []  # more of the same SMSC, "host" or "host:port"
    source_host: str = ""  # this machine's address to connect from
    system_id: Annotated[str, Meta(max_length=15)]  # SMPP 3.4 §5.2.1
    password_file: str  # a systemd credential's name, or a file relative to this one
    bind: Literal["transceiver", "separate"] = "transceiver"  # separate: a transmitter and a receiver
    binds: Annotated[int, Meta(ge=1, le=32)] = 1  # transceivers, or pairs; spread over the hosts
    system_type: Annotated[str, Meta(max_length=12)] = ""  # §5.2.3
    interface_version: Literal["3.3", "3.4", "5.0"] = "3.4"
    address_range: Annotated[str, Meta(max_length=40)] = ""  # §5.2.7
    addr_ton: Ton = 0  # of the address range, §5.2.5
    addr_npi: Npi = 0  # §5.2.6
    listen: str = ""  # "host:port" where the SMSC connects and asks for our bind (outbind, §4.1.7)
    outbind_system_id: Annotated[str, Meta(max_length=15)] = ""  # the SMSC's own
    outbind_password_file: str = ""  # likewise
    tls: bool = False
    tls_ca_file: str = ""  # who may vouch for the SMSC; default: whom this machine trusts
    tls_certificate: str = ""  # ours, where the SMSC wants one
    tls_key: str = ""  # default: in the same file
    tls_server_name: str = ""  # that the SMSC's certificate must have; default: the host's
    default_alphabet: Literal["gsm7", "gsm7_packed", "latin1", "ascii", "utf8"] = (
        "gsm7"  # what data_coding 0 means here
    )
    window: Annotated[int, Meta(ge=1, le=1000)] = 10  # unanswered submit_sm per bind
    rate_per_s: Annotated[float, Meta(ge=0, le=100_000)] = 0.0  # submit_sm a second, 0 = no limit
    connect_timeout_s: Seconds = 10.0
    response_timeout_s: Seconds = 30.0  # how long we wait for the SMSC's responses
    enquire_link_s: Seconds = 30.0
    inactivity_s: Annotated[float, Meta(ge=0, le=86_400 * 366)] = 0.0  # without messages, then bind anew; 0 = never
    host_return_s: Seconds = 60.0  # how often a bind that had to move looks for its own host
    smsc_response_timer_s: Seconds = 10.0  # how long the SMSC waits for ours before it delivers again
    redelivery_window_s: Seconds = 86_400.0  # how long an unproven acknowledgement absorbs a redelivery
    reconnect_first_s: Seconds = 0.5
    reconnect_ceiling_s: Seconds = 30.0
    credentials_retry_s: Seconds = 60.0  # pause after a wrong system_id or password
    temporary_error: Status = 0x64  # ESME_RX_T_APPN: "try again", when the store cannot write
    message_id_tlv: Annotated[int, Meta(ge=0, le=0xFFFF)] = 0  # tag of the operator's own MO id, 0 = sends none
    part_expiry_s: Seconds = 600.0  # longest wait for the missing parts of a long message
    receipts: bool = False  # ask for delivery receipts
    # How message ids are written in responses and in receipts, where the two differ (domain/receipts.py)
    response_ids: Literal["text", "caseless", "decimal", "hex"] = "text"
    receipt_ids: Literal["text", "caseless", "decimal", "hex"] = "text"
    receipt_states: dict[str, Literal["delivered", "failed", "progress"]] = {}  # the operator's own words, in capitals
    time_zone: str = "UTC"  # of the SMSC's clock, for dates in receipts and absolute validity periods
    ask_after_s: Annotated[float, Meta(ge=0, le=86_400 * 30)] = 0.0  # no receipt so long: query_sm; 0: never
    supports: list[Literal["query_sm", "cancel_sm", "replace_sm"]] = []  # operations that the operator offers
    test: bool = False  # a simulated operator: what is bought here is a test, and only test keys see it
    retry_first_s: Seconds = 1.0  # first pause after a refusal that may be tried again
    retry_ceiling_s: Seconds = 60.0
    # What is sent, and how
    codings: Codings = msgspec.field(default_factory=lambda: ["default", "ucs2"])  # what it takes, the best first
    long_messages: Literal["udh8", "udh16", "sar", "payload"] = "udh8"  # how texts of several SMS are handed over
    max_parts: Annotated[int, Meta(ge=1, le=255)] = 10  # SMS that one text may take here
    validity_period: Literal["none", "relative", "absolute"] = "none"  # whether and how the SMSC is told it (§7.1.1)
    receipts_of: Literal["all", "failures"] = "all"  # what receipts are asked for (§5.2.17)
    receipts_intermediate: bool = False  # also notifications on the way
    service_type: ServiceType = ""
    messaging_mode: Literal["default", "datagram", "forward", "store_and_forward"] = "default"  # esm_class, §5.2.12
    protocol_id: Annotated[int, Meta(ge=0, le=255)] = 0
    priority_flag: Priority = 0
    replace_if_present: bool = False  # a later answer replaces one that was not delivered yet; never parts
    source_addr: SourceAddress = ""  # instead of the short code that was written to
    source_ton: OptionalTon = -1  # -1: as the message that is answered has it; of a name 5
    source_npi: OptionalNpi = -1
    dest_ton: OptionalTon = -1
    dest_npi: OptionalNpi = -1
    tlvs: list[Tlv] = []
    echo_tlvs: list[Tag] = []  # tags that an answer has from the message that it answers
    status: dict[str, str] = {}  # what an answer's command_status means here: domain/statuses.py

    def __repr__(self) -> str:
        """Name the peer only: settings end up in tracebacks."""
        return f"LinkSettings({', '.join(f'{host}:{port}' for host, port in self.addresses)})"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """All hosts of the SMSC, with their ports, in the order in which they are named."""
        own = [(self.host, self.port)] if self.host else []
        return own + [found for text in self.hosts if (found := places.parse(text, self.port)) is not None]


class ServiceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One merchant's use of a short code and keyword; the file's name is the service's name."""

    short_code: Annotated[str, Meta(pattern=r"^[0-9A-Za-z+]{1,20}\Z")]
    keywords: Annotated[list[str], Meta(min_length=1, max_length=50)]  # "*": every text that no other keyword takes
    reply: Annotated[str, Meta(min_length=1, max_length=1600)]
    success_url: str
    expired_url: str
    invalid_url: str
    links: list[str] = []  # operators that this service is sold at; none named: all
    title: str = ""  # the service's name as subscribers know it; default: the file's name
    price: str = ""  # as shown to subscribers, for the reply only
    support: str = ""  # whom to ask, for the reply only
    length: Annotated[int, Meta(ge=4, le=16)] = 8
    alphabet: Literal["digits", "letters", "both"] = "both"
    vowels: bool = True  # false: no A, E, U and Y, so that no code is a word
    group: Annotated[int, Meta(ge=0, le=8)] = 0  # characters between dashes in the reply (ABCD-EFGH); 0: none
    expected_codes: Annotated[int, Meta(ge=1, le=1_000_000_000)] = (
        10_000  # live at once; decides how long a code must be
    )
    valid_for_s: Annotated[int, Meta(ge=0, le=86_400 * 3660)] = 0  # 0: not limited by time
    counted_from: Literal["receipt", "first_use"] = "receipt"
    uses: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # 0: not limited by number
    instructions: Annotated[list[Annotated[str, Meta(min_length=1, max_length=1600)]], Meta(max_length=5)] = []
    max_replies: Annotated[int, Meta(ge=1, le=10)] = 3  # SMS that one message may cause; each part of a long one counts
    again_keywords: Annotated[list[str], Meta(max_length=50)] = []  # free: sends the latest code of that phone again
    again_per_day: Annotated[int, Meta(ge=1, le=100)] = 5  # for one phone
    reissues_per_day: Annotated[int, Meta(ge=1, le=100)] = 3  # new codes, each with its SMS, for one that was bought
    reply_valid_s: Seconds = 86_400.0  # how long we go on trying to hand the answer to the operator
    time_zone: str = "UTC"
    language: Literal["en", "bg", "uk", "ru"] = "en"  # of the words in {valid_until}
    used_up_url: str = ""  # default: expired_url
    throttled_url: str = ""  # after too many wrong codes; default: invalid_url
    return_mode: Literal["signed", "handle"] = "signed"  # what `rt` is: a JWS, or a handle to exchange at the API
    return_valid_s: Annotated[int, Meta(ge=5, le=120)] = 60
    allowed_ips: Annotated[list[str], Meta(max_length=100)] = []  # who may use the API; empty: nobody
    webhook_url: str = ""  # where the merchant is told what happens; empty: nowhere
    characters: Literal["allow", "refuse", "transliterate"] = "allow"  # that GSM 7 bit cannot carry
    # How the answers are submitted; what is not set here is the link's
    service_type: ServiceType = ""
    priority: Priority = 0
    protocol_id: ProtocolId = -1
    source_addr: SourceAddress = ""
    source_ton: OptionalTon = -1
    source_npi: OptionalNpi = -1
    tlvs: list[Tlv] = []


class Configuration(Struct, frozen=True, kw_only=True):
    """Everything that was read, with the folders that relative names are relative to."""

    file: Path
    state_dir: Path
    main: Settings
    links: dict[str, LinkSettings]
    services: dict[str, ServiceSettings]


_LEAST_RATE = 0.001  # the smallest that kit/limits.py can count


def _stand_ins(kind: type[Struct], file: str) -> Mapping[str, Any]:
    """Return what takes the place of a value that is wrong or missing: it has no fault of its own.

    So the other checks go on. Where nothing stands here the default serves.
    """
    if kind is LinkSettings:
        return {"host": "?", "port": 1, "system_id": "", "password_file": ""}
    if kind is ServiceSettings:
        return {
            "short_code": f"? {file}",  # where no other service has its keywords
            "links": [f"? {file}"],
            "keywords": [],
            "reply": "{code}",
            "success_url": "",
            "expired_url": "",
            "invalid_url": "",
            "length": 4,
            "valid_for_s": 1,
            "uses": 1,
            "max_replies": 10,
        }
    return {}


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
    state = main.state_dir or environment.get("STATE_DIRECTORY", "").split(":")[0] or "."
    configuration = Configuration(file=file, state_dir=file.parent / state, main=main, links=links, services=services)
    told = {_subject(problem) for problem in problems}
    cross = _cross_check(configuration, {one.stem for one in link_files}) + check(configuration)
    problems += [problem for problem in cross if _subject(problem) not in told]
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
    if not configuration.services:
        found.append(f"{folder / 'services'}: no services: messages buy nothing; write a file for each service")
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
        return _convert(raw, kind, str(file), "", problems)
    return None


def _convert(raw: dict[str, Any], kind: type[S], file: str, path: str, problems: list[str]) -> S:
    """Convert field by field, so that one mistake does not hide the next; what is wrong gets a stand-in."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    stand_ins = _stand_ins(kind, file)
    good: dict[str, Any] = {}
    for key, value in raw.items():
        where = f"{path}{key}"
        field = fields.get(key)
        if field is None:
            problems.append(f"{file}: {where}: no such setting; there are {', '.join(sorted(fields))}")
        elif isinstance(field.type, type) and issubclass(field.type, Struct) and isinstance(value, dict):
            good[key] = _convert(value, field.type, file, f"{where}.", problems)
        elif sentence := words.complaint(key, field.type, value):
            problems.append(f"{file}: {where}: {sentence}")
            if key in stand_ins:
                good[key] = stand_ins[key]
        else:
            good[key] = msgspec.convert(value, field.type)
    for name, field in fields.items():
        if field.required and name not in raw:
            problems.append(f"{file}: {path}{name}: missing; it must be set")
            good[name] = stand_ins[name]
    return kind(**good)


def _cross_check(configuration: Configuration, named: set[str]) -> list[str]:
    """Find what does not fit together; ``named`` are the links that have a file, be there mistakes in it or not."""
    folder = configuration.file.parent
    problems = []
    store = configuration.main.store
    if store.engine == "postgres" and not store.dsn:
        problems.append(f"{configuration.file}: store.dsn: missing; postgres needs postgresql://user@host/database")
    main = configuration.main
    problems += [f"{configuration.file}: {problem}" for problem in places.host_problems("web.host", main.web.host)]
    for field, name in (("state_dir", main.state_dir), ("key_file", main.key_file), ("store.path", store.path)):
        problems += [f"{configuration.file}: {problem}" for problem in _name_problems(field, name)]
    for name, link in configuration.links.items():
        problems += [f"{folder / 'links' / f'{name}.toml'}: {problem}" for problem in _link_problems(link)]
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
            if not _is_url(getattr(service, field)) and (getattr(service, field) or field in _NEEDED_URLS)
        ]
        problems += [f"{file}: {problem}" for problem in submission.service_problems(service)]
        if service.valid_for_s == 0 and service.uses == 0:
            problems.append(f"{file}: valid_for_s: set valid_for_s, uses or both: a code must end some day")
    return problems


def _name_problems(field: str, name: str) -> list[str]:
    if "\0" not in name:
        return []
    return [f"{field}: {words.shown(name)} is not allowed; allowed are names of files, without NUL"]


def _link_problems(link: LinkSettings) -> list[str]:
    found = places.host_problems("host", link.host) if link.host else []
    found += [problem for text in link.hosts for problem in places.place_problems("hosts", text, link.port)]
    for field in _LINK_FILES:
        found += _name_problems(field, getattr(link, field))
    if not link.host and not link.hosts and not link.listen:
        found.append("host: missing; set host, hosts or listen: where the SMSC is")
    if 0 < link.rate_per_s < _LEAST_RATE:
        limits = f"0 (no limit) and numbers from {_LEAST_RATE} to 100000"
        found.append(f"rate_per_s: {words.shown(link.rate_per_s)} is not allowed; allowed are {limits}")
    found += submission.link_problems(link)
    found += [
        f"{field}: {words.shown(value)} is not allowed; allowed are the visible characters of ASCII and spaces"
        for field in (
            "system_id",
            "system_type",
            "address_range",
            "outbind_system_id",
        )  # C-octet strings: SMPP 3.4 §3.1
        if not ((value := getattr(link, field)).isascii() and value.isprintable())
    ]
    if link.bind == "transceiver" and link.interface_version == "3.3":
        found.append('bind: "transceiver" needs interface_version "3.4" or "5.0"; version 3.3 has "separate" only')
    if link.source_host and not places.is_address(link.source_host):
        found.append(f"source_host: {words.shown(link.source_host)} is not allowed; allowed are addresses, not names")
    return found + _listen_problems(link) + _tls_problems(link)


def _listen_problems(link: LinkSettings) -> list[str]:
    if not link.listen:
        return []
    if link.tls:
        return ["listen: not possible with tls = true: an SMSC that sends outbind connects without it"]
    found = places.place_problems("listen", link.listen, 0)
    if found:
        found = [f'listen: {words.shown(link.listen)} is not allowed; allowed are such as "10.0.0.5:2775"']
    return found + [
        f"{field}: missing; who connects to the address in listen must say who it is"
        for field in ("outbind_system_id", "outbind_password_file")
        if not getattr(link, field)
    ]


def _tls_problems(link: LinkSettings) -> list[str]:
    named = [field for field in _TLS_FIELDS if getattr(link, field)]
    if not link.tls:
        return [f"{field}: means nothing without tls = true" for field in named]
    if link.tls_key and not link.tls_certificate:
        return ["tls_key: means nothing without tls_certificate"]
    return places.host_problems("tls_server_name", link.tls_server_name) if link.tls_server_name else []


_TLS_FIELDS = ("tls_ca_file", "tls_certificate", "tls_key", "tls_server_name")
_LINK_FILES = ("password_file", "outbind_password_file", "tls_ca_file", "tls_certificate", "tls_key")
_NEEDED_URLS = frozenset({"success_url", "expired_url", "invalid_url"})


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    printable = value.isascii() and value.isprintable() and " " not in value
    return printable and parts.scheme in {"http", "https"} and bool(parts.hostname)
