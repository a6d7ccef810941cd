"""What an SMSC's command_status means for the message that it answers: one table, and what a link changes in it.

The specification names errors and leaves open what to do about them. Only what says that the SMSC did not take the
message, and that it may do so later, is tried again; what says that it gets too much slows the link down as well. All
else is final. Operators add statuses of their own, or mean others by the usual ones: a link's table [status] says so.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from smsgw.smpp import status

_LARGEST: Final = 0xFFFFFFFF
_LONGEST_MS: Final = 86_400_000
_NUMBER: Final = re.compile(r"0x[0-9A-Fa-f]{1,8}|[0-9]{1,10}")
_MEANING: Final = re.compile(r"(sent|refuse|unknown)|(again|slow)(?: ([0-9]{1,5}(?:\.[0-9]{1,3})?)s)?")
_WORDS: Final = '"sent", "again", "again 30s", "slow", "slow 30s", "refuse", "unknown"'


class Verdict(StrEnum):
    """What became of the message."""

    SENT = "sent"  # the SMSC has taken it
    AGAIN = "again"  # it has not, and may later
    REFUSE = "refuse"  # it has not, and never will
    UNKNOWN = "unknown"  # nobody knows; the same as no answer at all


class Rule(Struct, frozen=True):
    """What a status means."""

    verdict: Verdict
    slow: bool = False  # the link sends too fast
    after_ms: int | None = None  # when to try again; None: after the link's own growing pauses


_REFUSE: Final = Rule(Verdict.REFUSE)
_AGAIN: Final = Rule(Verdict.AGAIN)
_SLOW: Final = Rule(Verdict.AGAIN, slow=True)

# SMPP 3.4 §5.1.3, 5.0 §4.7.6; what is not here is final.
TABLE: Final[Mapping[int, Rule]] = {
    status.ESME_ROK: Rule(Verdict.SENT),
    status.ESME_RINVBNDSTS: _AGAIN,  # the SMSC has lost the bind: nothing is wrong with the message
    status.ESME_RSYSERR: _AGAIN,
    status.ESME_RMSGQFUL: _SLOW,
    status.ESME_RTHROTTLED: _SLOW,
    status.ESME_RX_T_APPN: _AGAIN,
    0x102: _AGAIN,  # ESME_RSERTYPUNAVAIL: not available now
}


class Rules:
    """The table as it stands for one link.

    Args:
        overrides: the link's ``[status]``, which has passed ``problems``.
    """

    def __init__(self, overrides: Mapping[str, str]) -> None:
        changed = {_status(key): _rule(value) for key, value in overrides.items()}
        self._own: Final = frozenset(key for key, rule in changed.items() if key is not None and rule)
        self._table: Final = {**TABLE, **{key: rule for key, rule in changed.items() if key is not None and rule}}
        self.longest_ms: Final = max((rule.after_ms or 0 for rule in self._table.values()), default=0)

    def of(self, command_status: int) -> Rule:
        """Return what an answer with this status means."""
        return self._table.get(command_status, _REFUSE)

    def names(self, command_status: int) -> bool:
        """Whether the overrides speak of this status."""
        return command_status in self._own


def problems(overrides: Mapping[str, str]) -> list[str]:
    """Find what is wrong with a link's ``[status]``; "setting: sentence" each."""
    found = []
    seen: dict[int, str] = {}
    for key, value in overrides.items():
        number = _status(key)
        if number is None:
            found.append(
                f"status.{key}: no command_status; allowed are numbers such as 0x440, and names such as ESME_RSYSERR"
            )
        elif number == status.ESME_ROK:
            found.append(f"status.{key}: 0 means that the message was sent; nothing else can be said of it")
        elif number in seen:
            found.append(f"status.{key}: the same status as {seen[number]}; say it once")
        else:
            seen[number] = key
        if _rule(value) is None:
            found.append(f'status.{key}: "{value[:40]}" is not allowed; allowed are {_WORDS}, a pause up to a day')
    return found


def _status(key: str) -> int | None:
    if _NUMBER.fullmatch(key):
        number = int(key, 0) if key.startswith("0x") else int(key)
        return number if number <= _LARGEST else None
    return next((value for value, name in status.NAMES.items() if name == key), None)


def _rule(value: str) -> Rule | None:
    match = _MEANING.fullmatch(value)
    if match is None:
        return None
    plain, again, pause = match.groups()
    if plain:
        return Rule(Verdict(plain))
    after_ms = round(float(pause) * 1000) if pause else None
    if after_ms is not None and after_ms > _LONGEST_MS:
        return None
    return Rule(Verdict.AGAIN, slow=again == "slow", after_ms=after_ms)
