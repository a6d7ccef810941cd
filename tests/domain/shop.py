"""A merchant and two links in which nothing is wrong, for tests that change one thing."""

from pathlib import Path
from typing import Any, Final

from msgspec import structs

from smsgw.settings import (
    ChargeProfile,
    Configuration,
    LinkSettings,
    MerchantSettings,
    Payments,
    ServiceSettings,
    Settings,
)
from smsgw.settings.merchant import Charge, Product, Tariff

BILLED: Final = ChargeProfile(way="mt", proof="response")
PREMIUM: Final = ChargeProfile(way="mo")
DIRECT: Final = ChargeProfile(way="direct", url="https://api.example/", credentials_file="api.secret")
LINK: Final = LinkSettings(
    host="smsc.example",
    system_id="us",
    password_file="x",
    charging={"billed": BILLED, "premium": PREMIUM, "wallet": DIRECT},
)
SMALL: Final = Tariff(
    amount_minor=250,
    currency="EUR",
    operators={"north": Charge(charge="billed"), "south": Charge(charge="premium", short_code="1920")},
)
LARGE: Final = Tariff(
    amount_minor=1000, currency="EUR", operators={"north": Charge(charge="wallet"), "south": Charge(charge="billed")}
)
GOLD_250: Final = Product(title={"en": "250 gold", "bg": "250 злато"}, tariffs=["small"], units=250)
GOLD_1000: Final = Product(title={"en": "1000 gold"}, tariffs=["large"], units=1000)
MERCHANT: Final = MerchantSettings(
    title="Golden Games",
    support="help@games.example",
    reply_addresses=["1777"],
    products={"gold-250": GOLD_250, "gold-1000": GOLD_1000},
    tariffs={"small": SMALL, "large": LARGE},
    return_url="https://games.example/back",
)
SERVICE: Final = ServiceSettings(
    short_code="1234",
    keywords=["SUN"],
    reply="{code}",
    success_url="https://x.example/",
    expired_url="https://x.example/",
    invalid_url="https://x.example/",
    uses=1,
)


def merchant(**changes: Any) -> MerchantSettings:
    return structs.replace(MERCHANT, **changes)


def link(**changes: Any) -> LinkSettings:
    return structs.replace(LINK, **changes)


def tariff(link: str = "north", **changes: Any) -> Tariff:
    """The small tariff, its charge at a link changed."""
    operators = {**SMALL.operators, link: structs.replace(SMALL.operators[link], **changes)}
    return structs.replace(SMALL, operators=operators)


def configuration(
    *,
    links: dict[str, LinkSettings] | None = None,
    services: dict[str, ServiceSettings] | None = None,
    payments: Payments | None = None,
    **merchants: MerchantSettings,
) -> Configuration:
    return Configuration(
        file=Path("/conf/smsgw.toml"),
        state_dir=Path("/state"),
        main=Settings(payments=payments or Payments()),
        links=links if links is not None else {"north": LINK, "south": LINK},
        services=services or {},
        merchants=merchants,
    )
