"""One operator's SMSC: how it is reached, what it takes, what its answers mean; and what does not fit together."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from smsgw.settings import places, submission, words
from smsgw.settings.charging import ChargeProfile
from smsgw.settings.kinds import Host, Name, Npi, Seconds, Status, Ton
from smsgw.settings.submission import Codings, OptionalNpi, OptionalTon, Priority, ServiceType, SourceAddress, Tag, Tlv

_LINK_FILES = ("password_file", "outbind_password_file", "tls_ca_file", "tls_certificate", "tls_key")
_TLS_FIELDS = ("tls_ca_file", "tls_certificate", "tls_key", "tls_server_name")
_LEAST_RATE = 0.001  # the smallest that kit/limits.py can count


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
    # Whose phones these are, and how they pay (domain/operators.py)
    country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z")] = ""  # ISO 3166, for numbers in national form
    prefixes: list[Annotated[str, Meta(pattern=r"^\+?[0-9]{2,15}\Z")]] = []  # the longest that fits decides
    carriers: list[str] = []  # names as the numbering plan has them (phonenumbers), where no prefix fits
    charging: dict[Name, ChargeProfile] = {}

    def __repr__(self) -> str:
        """Name the peer only: settings end up in tracebacks."""
        return f"LinkSettings({', '.join(f'{host}:{port}' for host, port in self.addresses)})"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """All hosts of the SMSC, with their ports, in the order in which they are named."""
        own = [(self.host, self.port)] if self.host else []
        return own + [found for text in self.hosts if (found := places.parse(text, self.port)) is not None]


def problems(link: LinkSettings) -> list[str]:
    """Find what is wrong with a link's settings beyond their types; sentences that begin with the setting."""
    found = places.host_problems("host", link.host) if link.host else []
    found += [problem for text in link.hosts for problem in places.place_problems("hosts", text, link.port)]
    for field in _LINK_FILES:
        found += places.name_problems(field, getattr(link, field))
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
