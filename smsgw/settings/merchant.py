"""One merchant who sells goods for a YES from a phone: products, what they cost where, and whom to tell."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from smsgw.settings.kinds import Name
from smsgw.settings.submission import ServiceType, Tlv

Language = Literal["en", "bg", "uk", "ru"]
Text = Annotated[str, Meta(min_length=1, max_length=480)]
ShortCode = Annotated[str, Meta(pattern=r"^[0-9]{3,15}\Z")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]  # ISO 4217
Amount = Annotated[int, Meta(ge=1, le=100_000_000)]  # minor units


class Product(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that is sold; ``[products.<name>]``."""

    title: dict[Language, Text]  # at least in the merchant's language
    tariffs: Annotated[list[Name], Meta(min_length=1, max_length=50)]  # of which each operator has one at most
    units: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1  # told to the merchant, for counting


class Charge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a tariff is charged at one operator; ``[tariffs.<name>.operators.<link>]``."""

    charge: Name  # one of the link's [charging.<name>]
    short_code: str = ""  # mo: where the YES costs this; mt: the address that the billed message comes from
    service_type: ServiceType = ""  # mt
    tlvs: Annotated[list[Tlv], Meta(max_length=10)] = []  # mt


class Tariff(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price, and where it can be charged; ``[tariffs.<name>]``."""

    amount_minor: Amount
    currency: Currency
    operators: dict[Name, Charge]


class Cap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most that one phone may pay; ``[[caps]]``. One of the two limits at least."""

    over: Literal["product", "merchant", "all"] = "merchant"  # "all" in the main file only
    per: Literal["payment", "day", "month"]
    currency: Annotated[str, Meta(pattern=r"^([A-Z]{3})?\Z")] = ""  # of the amount
    amount_minor: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0  # 0: no limit
    count: Annotated[int, Meta(ge=0, le=100_000)] = 0  # payments; 0: no limit


class MerchantSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One merchant; the file's name is the merchant's name, and no service has the same."""

    title: Annotated[str, Meta(min_length=1, max_length=40)]  # as subscribers know it
    support: Annotated[str, Meta(min_length=1, max_length=80)]  # whom subscribers ask
    reply_addresses: Annotated[
        list[ShortCode], Meta(min_length=1, max_length=10)
    ]  # prompts come from there, YES goes there
    products: dict[Name, Product]
    tariffs: dict[Name, Tariff]
    return_url: str  # where a buyer comes back to after the checkout, whatever came of it
    language: Language = "en"  # where the buyer's is not known
    references: bool = False  # prompts have a number that the answer may repeat: several can be open for one phone
    prompt: dict[Language, Text] = {}  # instead of ours; {product} {price} {merchant} {support} {yes}
    receipt: bool = False  # a free SMS after a success
    receipt_text: dict[Language, Text] = {}  # instead of ours; {product} {price} {merchant} {support} {reference}
    charge_text: dict[Language, Text] = {}  # of a billed message, instead of ours; the same placeholders
    caps: Annotated[list[Cap], Meta(max_length=20)] = []
    webhook_url: str = ""
    webhook_events: Annotated[list[str], Meta(max_length=20)] = []  # the types that are posted; none named: all
    allowed_ips: Annotated[list[str], Meta(max_length=100)] = []  # who may use the API; empty: nobody
    authorize_url: str = ""  # asked before money is taken: may this payment go on? Empty: nobody is asked
    authorize_default: Literal["allow", "deny"] = "deny"  # when there is no answer within two seconds
    late_proof: Literal["refund", "grant"] = "refund"  # of a charge that is proven after its payment had ended
    checkout: Literal["two_pages", "one_page"] = "two_pages"  # the layout where the address does not say
    checkout_open: bool = False  # whether buyers may begin a payment at /pay/<merchant> without the merchant's server
    remember_numbers: bool = True  # whether a buyer may have a phone number remembered
    verify_number_days: Annotated[int, Meta(ge=1, le=3_660)] = 180  # then a remembered number is asked for again
    return_valid_s: Annotated[int, Meta(ge=5, le=3_600)] = 300  # of the token that comes with return_url
