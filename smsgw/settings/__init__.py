"""The settings: typed values read from TOML files, with every mistake named at once: file, path, what is allowed.

One main file, and beside it a folder with a file for each link and one for each service:

    smsgw.toml   links/<link>.toml   services/<service>.toml
"""

from smsgw.settings.link import LinkSettings
from smsgw.settings.main import Answers, Guessing, Log, Retention, Settings, Store, Web, Webhooks
from smsgw.settings.reading import Configuration, load, warnings
from smsgw.settings.service import ServiceSettings

__all__ = [
    "Answers",
    "Configuration",
    "Guessing",
    "LinkSettings",
    "Log",
    "Retention",
    "ServiceSettings",
    "Settings",
    "Store",
    "Web",
    "Webhooks",
    "load",
    "warnings",
]
