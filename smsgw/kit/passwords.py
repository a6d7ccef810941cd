"""The passwords that operators gave: one file for each link, read at the start, looked at by ``smsgw check``."""

import stat
from pathlib import Path
from typing import Final

from smsgw.errors import SettingsError
from smsgw.kit.systemd import Systemd
from smsgw.settings import Configuration, LinkSettings

_LONGEST: Final = 8  # SMPP 3.4 §5.2.2: nine octets with the NUL
_EVERYBODY: Final = 0o007  # rights of those who are neither the owner nor of the group


def read_passwords(configuration: Configuration, systemd: Systemd) -> dict[str, str]:
    """Return each link's password.

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


def _read(configuration: Configuration, systemd: Systemd) -> tuple[dict[str, str], list[str]]:
    folder = configuration.file.parent / "links"
    passwords: dict[str, str] = {}
    found: list[str] = []
    for name, link in configuration.links.items():
        file = _file(folder, link, systemd)
        try:
            mode = file.stat().st_mode
            octets = file.read_bytes() if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else b""  # a device may never end
        except (OSError, ValueError) as error:  # a name with NUL is a ValueError
            reason = f"{file}: {(error.strerror if isinstance(error, OSError) else None) or error}"
            told = [f"{reason}; write the operator's password into this file, chmod 600"]
        else:
            password = octets.strip()
            told = _complaints(file, password, mode)
            passwords[name] = password.decode("ascii", errors="replace")
        found += [f"{folder / f'{name}.toml'}: password_file: {complaint}" for complaint in told]
    return passwords, found


def _file(folder: Path, link: LinkSettings, systemd: Systemd) -> Path:
    wanted = link.password_file
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
