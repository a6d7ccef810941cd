"""One merchant's use of a short code and keyword."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from smsgw.settings.kinds import Seconds
from smsgw.settings.submission import OptionalNpi, OptionalTon, Priority, ProtocolId, ServiceType, SourceAddress, Tlv


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
