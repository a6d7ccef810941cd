"""Checks what smsgw's redirect brings back. Copy this file; it needs Python 3.9 and nothing else."""

import base64
import hashlib
import hmac
import json
import os
import random
import re
import time


class SmsgwReturn:
    """The door of one service.

    Args:
        service: the service's name at smsgw: the end of its verify address.
        keys: the return keys, {id: secret in base64}; both while one replaces the other.
        spent: a folder that only this site can write to, outside of what the web server shows.
        test: whether codes that were bought from a simulated operator open the door.
    """

    _KIND, _OUTCOME, _ID = "smsgw-return+jws", "success", "red"

    def __init__(self, service, keys, spent, test=False):
        self._service = service
        self._keys = keys
        self._spent = spent
        self._test = test

    def open(self, token, state):
        """Return what the token says if it opens the door for this visitor now, and None in every other case.

        Args:
            token: the field rt, as it came.
            state: what this site gave this visitor, from the visitor's own session.
        """
        claims = self._read(token)
        if claims is None or not self._is_good(claims, state):
            return None
        return claims if self._spend(claims["jti"]) else None

    def _is_good(self, claims, state):
        now = time.time()
        exp, iat, test = claims.get("exp"), claims.get("iat"), claims.get("test")
        return (
            claims.get("iss") == "smsgw"
            and claims.get("aud") == self._service
            and claims.get("outcome") == self._OUTCOME
            and isinstance(test, bool)
            and (self._test or not test)
            and type(exp) is int
            and exp > now
            and type(iat) is int
            and iat <= now + 60
            and bool(state)
            and isinstance(claims.get("state"), str)
            and hmac.compare_digest(state.encode(), claims["state"].encode())
            and isinstance(claims.get("jti"), str)
            and re.fullmatch(self._ID + r"_[0-9a-z]{26}", claims["jti"]) is not None
        )

    def _read(self, token):
        """Return the claims of a token that was signed with one of the keys, whatever they say."""
        try:
            head, body, signature = token.encode("ascii").split(b".")
            header = json.loads(_decode(head))
            # One algorithm and one kind, whatever the token asks for.
            if len(token) > 4096 or header["alg"] != "HS256" or header["typ"] != self._KIND:
                return None
            secret = _decode(self._keys[header["kid"]].encode("ascii"))
            expected = hmac.new(secret, head + b"." + body, hashlib.sha256).digest()
            if len(secret) < 32 or not hmac.compare_digest(expected, _decode(signature)):
                return None
            claims = json.loads(_decode(body))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return claims if isinstance(claims, dict) else None

    def _spend(self, name):
        """Return whether this one comes for the first time: of two requests that race, one makes the file."""
        try:
            os.close(os.open(os.path.join(self._spent, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError:
            return False
        if random.random() < 0.01:
            self._forget()
        return True

    def _forget(self):
        """Remove redemptions whose tokens are long too old."""
        for entry in os.scandir(self._spent):
            if entry.name.startswith("red_") and entry.stat().st_mtime < time.time() - 86_400:
                os.unlink(entry.path)


class SmsgwPaymentReturn(SmsgwReturn):
    """What a buyer's browser brings back from a payment: ``open`` says what was paid, once, and None otherwise.

    The merchant's name stands in place of the service; ``state`` is what the site gave this visitor for the payment. A
    browser may never come back: hand out the goods for the webhook payment.succeeded, and here show that they came.
    """

    _KIND, _OUTCOME, _ID = "smsgw-payment+jws", "succeeded", "pay"

    def _forget(self):
        """Keep them all: a payment's page gives a new token at each visit."""


def _decode(text):
    """Return the octets of base64 or base64url, with or without padding.

    Raises:
        ValueError: anything else.
    """
    text = text.translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
