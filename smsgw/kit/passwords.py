"""The passwords that operators gave, to SMSCs and to charging APIs: files of each link, read at the start.

``smsgw check`` looks at them too.
"""

import hmac
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from smsgw.errors import SettingsError
from smsgw.kit.systemd import Systemd
from smsgw.settings import Configuration

_LONGEST: Final = 8  # SMPP 3.4 §5.2.2: nine octets with the NUL; 3.3 and 5.0 have the same
_LONGEST_CREDENTIALS: Final = 4_096  # a bearer token stands in a header
_EVERYBODY: Final = 0o007  # rights of those who are neither the owner nor of the group


class Secret:
    """A text that nobody sees by accident: not in a log, a repr, or a traceback that shows values."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text; only where it is written to the peer."""
        return self._text

    def matches(self, text: str) -> bool:
        """Whether this is the text; how long it takes does not tell how much of it is right."""
        return hmac.compare_digest(self._text.encode(), text.encode())

    def __repr__(self) -> str:
        return "***"


class Passwords(Struct, frozen=True, kw_only=True):
    """Those of one link."""

    bind: Secret  # ours
    outbind: Secret | None = None  # the SMSC's, when it connects to us


Credentials = Mapping[tuple[str, str], Secret]
"""Those of charging APIs, "user:password" or a bearer token each, by link and charge profile."""


def read_passwords(configuration: Configuration, systemd: Systemd) -> dict[str, Passwords]:
    """Return each link's passwords.

    Raises:
        SettingsError: with a sentence for each that cannot be used.
    """
    passwords, problems = _read(configuration, systemd)
    if problems:
        raise SettingsError(problems)
    return passwords


def problems(configuration: Configuration, systemd: Systemd) -> list[str]:
    """Find what is wrong with passwords and credentials; sentences in the form of settings problems."""
    return _read(configuration, systemd)[1] + _read_credentials(configuration, systemd)[1]


def read_credentials(configuration: Configuration, systemd: Systemd) -> Credentials:
    """Return the credentials of each charge profile that has some.

    Raises:
        SettingsError: with a sentence for each that cannot be used.
    """
    credentials, problems = _read_credentials(configuration, systemd)
    if problems:
        raise SettingsError(problems)
    return credentials


def _read_credentials(
    configuration: Configuration, systemd: Systemd
) -> tuple[dict[tuple[str, str], Secret], list[str]]:
    folder = configuration.file.parent / "links"
    credentials: dict[tuple[str, str], Secret] = {}
    found: list[str] = []
    for link, settings in configuration.links.items():
        for profile, charging in settings.charging.items():
            if not charging.credentials_file:
                continue
            secret, told = _secret(_file(folder, charging.credentials_file, systemd), _API)
            where = f"{folder / f'{link}.toml'}: charging.{profile}.credentials_file"
            found += [f"{where}: {complaint}" for complaint in told]
            if secret is not None:
                credentials[link, profile] = secret
    return credentials, found


def _read(configuration: Configuration, systemd: Systemd) -> tuple[dict[str, Passwords], list[str]]:
    folder = configuration.file.parent / "links"
    passwords: dict[str, Passwords] = {}
    found: list[str] = []
    for name, link in configuration.links.items():
        secrets: dict[str, Secret | None] = {}
        for setting, wanted in (
            ("password_file", link.password_file),
            *((("outbind_password_file", link.outbind_password_file),) if link.outbind_password_file else ()),
        ):
            secrets[setting], told = _secret(_file(folder, wanted, systemd), _SMSC)
            found += [f"{folder / f'{name}.toml'}: {setting}: {complaint}" for complaint in told]
        bind = secrets["password_file"]
        if bind is not None:
            passwords[name] = Passwords(bind=bind, outbind=secrets.get("outbind_password_file"))
    return passwords, found


class _Sort(Struct, frozen=True, kw_only=True):
    """What a secret is called, and how long it may be."""

    name: str
    longest: int  # characters
    refusal: str


_SMSC: Final = _Sort(name="password", longest=_LONGEST, refusal="not a password that SMPP can carry")
_API: Final = _Sort(name="credentials", longest=_LONGEST_CREDENTIALS, refusal="no credentials that HTTP can carry")


def _secret(file: Path, sort: _Sort) -> tuple[Secret | None, list[str]]:
    """Read one secret; return it with what is wrong with its file."""
    try:
        mode = file.stat().st_mode
        octets = file.read_bytes() if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else b""  # a device may never end
    except (OSError, ValueError) as error:  # a name with NUL is a ValueError
        reason = f"{file}: {(error.strerror if isinstance(error, OSError) else None) or error}"
        return None, [f"{reason}; write the operator's {sort.name} into this file, chmod 600"]
    password = octets.strip()
    return Secret(password.decode("ascii", errors="replace")), _complaints(file, password, mode, sort)


def _file(folder: Path, wanted: str, systemd: Systemd) -> Path:
    plain = "/" not in wanted and wanted not in {"", ".", ".."}
    return (systemd.credential(wanted) if plain else None) or folder / wanted


def _complaints(file: Path, password: bytes, mode: int, sort: _Sort) -> list[str]:
    """Return what is wrong, without a word of the secret."""
    found = []
    if mode & _EVERYBODY:
        found.append(f"{file}: everybody may read the {sort.name}; run: chmod o= {file}")
    if not password:
        found.append(f"{file}: is empty; write the operator's {sort.name} into it")
    elif len(password) > sort.longest or not (password.isascii() and password.decode().isprintable()):
        allowed = f"allowed are 1 to {sort.longest} characters of ASCII"
        found.append(f"{file}: {sort.refusal}; {allowed}")
    return found
