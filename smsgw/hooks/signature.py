"""The headers of Standard Webhooks 1.0, by which a merchant knows that an event is ours."""

import hmac
from base64 import b64encode

from smsgw.flows.ports import Letter


def headers(letter: Letter) -> dict[str, str]:
    """Return the id, the time in seconds, and ``v1,`` with an HMAC-SHA256 for each of the secrets."""
    signed = f"{letter.id}.{letter.timestamp_s}.".encode() + letter.body
    signatures = [b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in letter.secrets]
    return {
        "webhook-id": letter.id,
        "webhook-timestamp": str(letter.timestamp_s),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
