"""Who may see and change which payments."""

from typing import Final

from msgspec import Struct

from smsgw.store.payments import PaymentRow


class Whose(Struct, frozen=True, kw_only=True):
    """Who may see and change a payment."""

    merchants: frozenset[str] | None  # None: all of them: carrier staff
    test: bool | None  # None: both kinds


STAFF: Final = Whose(merchants=None, test=None)


def is_theirs(row: PaymentRow, whose: Whose) -> bool:
    """Whether somebody may see and change a payment."""
    mine = whose.merchants is None or row.merchant in whose.merchants
    return mine and whose.test in {None, bool(row.test)}
