"""What no log shows in clear: numbers, texts, codes, secrets; the one place that knows which keys hold them."""

import re
from collections.abc import Callable, MutableMapping
from typing import Any, Final

HIDDEN: Final = "[hidden]"

_SHORT: Final = 6  # a short code is no person's number
_HEAD, _TAIL, _COVERED = 5, 2, 4
_NUMBER = re.compile(r"(?<![0-9A-Za-z_.])\+?[0-9]{7,15}(?![0-9A-Za-z_.])")
_ID = re.compile(r"[a-z]+_[0-9a-z]{26}").fullmatch  # kit/ids.py: code=code_… tells which code, not what it is


def mask_number(number: str) -> str:
    """Return ``35988…45`` for ``359881234545``: country and operator stay readable, the person does not.

    At least four digits are covered. Short codes and names without many digits are returned as they are.
    """
    digits = number if number.isdecimal() else "".join(filter(str.isdecimal, number))
    if len(digits) <= _SHORT:
        return number
    return f"{digits[: min(_HEAD, len(digits) - _TAIL - _COVERED)]}…{digits[-_TAIL:]}"


def mask_prose(text: str) -> str:
    """Mask whatever looks like a phone number in text that others wrote: tracebacks, libraries' messages."""
    return _NUMBER.sub(_mask_found, text)


def mask_url(url: str) -> str:
    """Return the URL without its query, fragment, user and password."""
    head, mark, _ = url.partition("?")
    head, hash_mark, _ = head.partition("#")
    scheme, slashes, rest = head.partition("://")
    if slashes:
        authority, slash, path = rest.partition("/")
        head = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    return f"{head}{'?…' if mark else ''}{'#…' if hash_mark and not mark else ''}"


def _hide(_: str) -> str:
    return HIDDEN


def _hide_unless_id(value: str) -> str:
    return value if _ID(value) else HIDDEN


def _mask_found(found: re.Match[str]) -> str:
    return mask_number(found[0])


_MASKS: Final[dict[str, Callable[[str], str]]] = (
    dict.fromkeys(
        (
            "msisdn",
            "source",
            "destination",
            "number",
            "phone",
            "sender",
            "recipient",
            "source_addr",
            "destination_addr",
            "esme_addr",
        ),
        mask_number,
    )
    | dict.fromkeys(("text", "short_message", "message_payload", "body", "payload", "query"), _hide)
    | dict.fromkeys(("password", "secret", "token", "cookie", "authorization"), _hide)
    | dict.fromkeys(("code", "key"), _hide_unless_id)
    | dict.fromkeys(("url", "uri", "dsn", "location", "referer"), mask_url)
)
_MASKED: Final = frozenset(_MASKS)


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of keys that hold what nobody may read (a structlog processor)."""
    if not _MASKED.isdisjoint(event):
        for key in _MASKED & event.keys():
            if event[key] is not None:
                event[key] = _MASKS[key](str(event[key]))
    return event
