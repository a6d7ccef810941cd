"""The passwords that operators gave: files of each link, read at the start, looked at by ``smsgw check``."""

import hmac
import stat
from pathlib import Path
from typing import Final

from msgspec import Struct

from smsgw.errors import SettingsError
from smsgw.kit.systemd import Systemd
from smsgw.settings import Configuration

_LONGEST: Final = 8  # SMPP 3.4 §5.2.2: nine octets with the NUL; 3.3 and 5.0 have the same
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
    """Find what is wrong with the passwords; sentences in the form of settings problems."""
    return _read(configuration, systemd)[1]


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
            secrets[setting], told = _secret(_file(folder, wanted, systemd))
            found += [f"{folder / f'{name}.toml'}: {setting}: {complaint}" for complaint in told]
        bind = secrets["password_file"]
        if bind is not None:
            passwords[name] = Passwords(bind=bind, outbind=secrets.get("outbind_password_file"))
    return passwords, found


def _secret(file: Path) -> tuple[Secret | None, list[str]]:
    """Read one password; return it with what is wrong with its file."""
    try:
        mode = file.stat().st_mode
        octets = file.read_bytes() if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else b""  # a device may never end
    except (OSError, ValueError) as error:  # a name with NUL is a ValueError
        reason = f"{file}: {(error.strerror if isinstance(error, OSError) else None) or error}"
        return None, [f"{reason}; write the operator's password into this file, chmod 600"]
    password = octets.strip()
    return Secret(password.decode("ascii", errors="replace")), _complaints(file, password, mode)


def _file(folder: Path, wanted: str, systemd: Systemd) -> Path:
    plain = "/" not in wanted and wanted not in {"", ".", ".."}
    return (systemd.credential(wanted) if plain else None) or folder / wanted


def _complaints(file: Path, password: bytes, mode: int) -> list[str]:
    """Return what is wrong, without a word of the password."""
    found = []
    if mode & _EVERYBODY:
        found.append(f"{file}: everybody may read the password; run: chmod o= {file}")
    if not password:
        found.append(f"{file}: is empty; write the operator's password into it")
    elif len(password) > _LONGEST or not (password.isascii() and password.decode().isprintable()):
        found.append(f"{file}: not a password that SMPP can carry; allowed are 1 to {_LONGEST} characters of ASCII")
    return found
