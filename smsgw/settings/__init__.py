"""The settings: typed values read from TOML files, with every mistake named at once: file, path, what is allowed.

One main file, and beside it folders with a file for each link, each service, each merchant:

    smsgw.toml   links/<link>.toml   services/<service>.toml   merchants/<merchant>.toml
"""

from smsgw.settings.charging import ChargeProfile
from smsgw.settings.link import LinkSettings
from smsgw.settings.main import (
    Answers,
    Guessing,
    Log,
    Payments,
    Retention,
    Sandbox,
    Settings,
    Store,
    Web,
    Webhooks,
)
from smsgw.settings.merchant import MerchantSettings
from smsgw.settings.reading import Configuration, load, warnings
from smsgw.settings.service import ServiceSettings

__all__ = [
    "Answers",
    "ChargeProfile",
    "Configuration",
    "Guessing",
    "LinkSettings",
    "Log",
    "MerchantSettings",
    "Payments",
    "Retention",
    "Sandbox",
    "ServiceSettings",
    "Settings",
    "Store",
    "Web",
    "Webhooks",
    "load",
    "warnings",
]
