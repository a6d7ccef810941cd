"""What a buyer's browser brings back to the merchant: claims about the payment, signed with the merchant's own key."""

from collections.abc import Mapping
from typing import Any, Final

from smsgw.domain.goods import Merchant
from smsgw.flows.returns import ISSUER
from smsgw.store.payments import PaymentRow

KIND: Final = "smsgw-payment+jws"  # typ of the token: none of another purpose is taken for one


def claims(row: PaymentRow, merchant: Merchant, now_ms: int) -> Mapping[str, Any]:
    """Return what the token says; times in seconds, as RFC 7519 has them. The number is not in it."""
    return {
        "iss": ISSUER,
        "aud": row.merchant,
        "jti": row.id,
        "outcome": row.status,
        "product": row.product,
        "units": row.units,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "merchant_reference": row.merchant_reference,
        "state": row.state,
        "test": bool(row.test),
        "iat": now_ms // 1000,
        "exp": now_ms // 1000 + merchant.settings.return_valid_s,
    }
