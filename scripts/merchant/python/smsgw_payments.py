"""Asks phones for payments over smsgw's API. Copy this file; it needs Python 3.9 and nothing else."""

import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request


class SmsgwError(Exception):
    """No payment was made; ``code`` is the problem's, as in /docs. With "no_answer" nobody knows whether it was."""

    def __init__(self, code, status):
        super().__init__(f"{code} ({status})")
        self.code = code


class SmsgwPayments:
    """A merchant's payments.

    Args:
        api: where the API is: "https://pay.example/v1".
        key: of `smsgw keys create --merchant NAME`.
        merchant: the merchant's name at smsgw.
        timeout_s: longest wait for an answer; the gateway takes five seconds at most.
    """

    def __init__(self, api, key, merchant, timeout_s=8):
        self._api = api
        self._key = key
        self._merchant = merchant
        self._timeout_s = timeout_s

    def create(self, reference, product, msisdn, state=""):
        """Ask a phone for a payment; return the payment. Send the buyer to its ``checkout_url``.

        The reference is the Idempotency-Key too: call this again with the same order, after a crash too, and the phone
        is still asked once. An order that is to be paid anew needs another reference.

        Args:
            reference: the order's, up to 100 visible characters of ASCII without quotes; no other order's.
            product: the product's name at smsgw; the price is there.
            msisdn: the phone's number as the buyer typed it, with its country code.
            state: what the buyer's browser brings back.

        Raises:
            SmsgwError: there is no payment. "confirmation_open": the phone waits for an answer to another question.
                Don't repeat it by yourself: have the buyer answer that SMS, and then call again with the same order.
        """
        if not re.fullmatch(r"[!#-~ ]{1,100}", reference):
            raise ValueError("no reference")
        order = {"merchant": self._merchant, "merchant_reference": reference, "product": product}
        order.update(msisdn=msisdn, state=state)
        try:
            return self._ask("POST", "/payments", order, {"Idempotency-Key": reference})
        except SmsgwError as refused:
            found = self._find(reference) if refused.code == "reference_used" else None
            if not found or (found["product"], found["state"]) != (product, state):
                raise
            return found  # the answers of the first day were lost

    def _find(self, reference):
        query = urllib.parse.urlencode({"merchant": self._merchant, "merchant_reference": reference})
        return next(iter(self._ask("GET", f"/payments?{query}")["payments"]), None)

    def _ask(self, method, path, body=None, headers=()):
        """Return what the API answers; ask again while there is none."""
        request = urllib.request.Request(  # noqa: S310 - the merchant's own setting
            self._api + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json", **dict(headers)},
            method=method,
        )
        for pause_s in (0.5, 1.5, None):
            try:
                with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310 - as above
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                code = _code(error)
                if error.code < 500 and code not in ("idempotency_in_progress", "too_many_requests"):
                    raise SmsgwError(code, error.code) from None
            except (OSError, http.client.HTTPException, ValueError):
                pass  # no connection, none in time, or cut off: it may have been heard, so the key stays the same
            if pause_s is not None:
                time.sleep(pause_s)
        raise SmsgwError("no_answer", 0)


def _code(error):
    """Return the code of a problem."""
    try:
        return json.load(error)["code"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return "unknown"  # it comes from something between
