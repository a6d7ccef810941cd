"""Addresses of other machines and of this one, as settings write them: a host, with or without a port."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from smsgw.settings import words

_BRACKETED: Final = re.compile(r"\[([0-9A-Fa-f:.%a-z]+)\](?::([0-9]{1,5}))?")
_PLAIN: Final = re.compile(r"([^:\[\]]+)(?::([0-9]{1,5}))?")
_LAST_PORT: Final = 65_535


def parse(text: str, port: int) -> tuple[str, int] | None:
    """Return host and port of "host", "host:port", "[IPv6]:port" or a bare IPv6 address; None for anything else.

    Args:
        text: as written.
        port: where none is written.
    """
    match = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text)
    if match is None:
        return (text, port) if is_address(text) else None
    found = int(match[2]) if match[2] else port
    return (match[1], found) if 1 <= found <= _LAST_PORT else None


def is_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address, not a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_host(host: str) -> bool:
    """Whether a name server can be asked: the library raises another error for what is no name at all."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host) and host.isprintable() and " " not in host


def host_problems(field: str, host: str) -> list[str]:
    """Find what is no host; sentences of settings problems."""
    if is_host(host):
        return []
    return [f"{field}: {words.shown(host)} is not allowed; allowed are host names and addresses"]


def place_problems(field: str, text: str, port: int) -> list[str]:
    """Find what is no host with or without a port."""
    found = parse(text, port)
    if found is not None and is_host(found[0]):
        return []
    return [f'{field}: {words.shown(text)} is not allowed; allowed are such as "smsc.example" and "10.0.0.5:2775"']


def name_problems(field: str, name: str) -> list[str]:
    """Find what is wrong with a file's name."""
    if "\0" not in name:
        return []
    return [f"{field}: {words.shown(name)} is not allowed; allowed are names of files, without NUL"]


def is_url(value: str) -> bool:
    """Whether this is an absolute http or https address, in the letters that stand in a header."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    printable = value.isascii() and value.isprintable() and " " not in value
    return printable and parts.scheme in {"http", "https"} and bool(parts.hostname)
