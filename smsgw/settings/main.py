"""The main file: where things are kept, who is served, what is remembered for how long."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from smsgw.settings.kinds import Host, Name, Port, Seconds
from smsgw.settings.merchant import Cap


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
    # Addresses and networks that may read /metrics
    metrics_ips: list[str] = msgspec.field(default_factory=lambda: ["127.0.0.0/8", "::1"])
    public_url: str = ""  # how the world reaches this address, behind its proxy; "": http://HOST:PORT
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


Digits = Annotated[str, Meta(pattern=r"^\+?[0-9]{1,15}\Z")]


class Payments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payments that a phone confirms: how long each step may take, and what is refused before anybody is asked."""

    prompt_s: Seconds = 30.0  # until an SMSC must have taken the question
    confirm_s: Seconds = 900.0  # how long the buyer may answer
    grace_s: Seconds = 120.0  # beyond that, for answers that were sent in time and came late
    charge_start_s: Seconds = 300.0  # how long a confirmed payment waits for a way to the operator
    unknown_alarm_s: Seconds = 900.0  # how often is told that nobody knows about a charge
    time_zone: str = "UTC"  # in which a day and a month of the caps begin
    prompts_per_number: Annotated[int, Meta(ge=1, le=10_000)] = 5  # questions to one phone in an hour, unanswered ones
    prompts_per_range: Annotated[int, Meta(ge=0, le=1_000_000)] = 100  # the same, to numbers alike but for three digits
    first_seen_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0  # pause after the first question to a new phone
    answers_per_number: Annotated[int, Meta(ge=0, le=1_000)] = 3  # free answers to what means nothing, in an hour
    blocked: Annotated[list[Digits], Meta(max_length=10_000)] = []  # numbers, or their beginnings, that never pay
    allowed: Annotated[list[Digits], Meta(max_length=10_000)] = []  # the same, beyond the limits of questions
    caps: Annotated[list[Cap], Meta(max_length=20)] = []  # over = "all"
    keep_days: Annotated[int, Meta(ge=30, le=36_600)] = 3_660  # facts of payments that have ended


class Sandbox(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulated operator inside the daemon, for the payments of test keys."""

    enabled: bool = False


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
    payments: Payments = Payments()
    sandbox: Sandbox = Sandbox()
