"""Charging in the shape of CAMARA's Carrier Billing (GSMA): carrier-billing 0.4, carrier-billing-refund 0.2.

Our attempt's id is the reference code and the correlator, so that the operator knows a repeat. Amounts are JSON numbers
of major units, exact. An error counts as a definite refusal only in CAMARA's own form: what a proxy in between says of
itself says nothing about money.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from smsgw.domain import money
from smsgw.domain.charging import Said, Told
from smsgw.flows.ports import Back, Charged, Order, Refunded
from smsgw.hooks.adapter import Answer, Call, name_of, put_off, unknown

_FINE: Final = range(200, 300)
_UNAUTHENTICATED: Final = 401
_TOO_MANY: Final = 429
_REFUSALS: Final = frozenset({400, 403, 404, 422})
_REFUND_REFUSALS: Final = frozenset({400, 403, 404, 422})  # not 409: it may be this very refund, given back before
_REASONS: Final = {"CARRIER_BILLING.PAYMENT_DENIED": "operator_refused"}
_ASKED_WRONGLY: Final = "operator_refused_request"  # the request, not the phone

_STATUSES: Final = {
    "succeeded": Told(Said.CHARGED),
    "processing": Told(Said.ACCEPTED),
    "reserved": Told(Said.ACCEPTED),
    "denied": Told(Said.FAILED, "operator_refused"),
    "cancelled": Told(Said.FAILED, "operator_refused"),
}
# Of several payments under one reference the one that took money counts.
_RANK: Final = {Said.CHARGED: 0, Said.ACCEPTED: 1, Said.FAILED: 2}


class _Charging(Struct, frozen=True):
    amount: Decimal
    currency: str


class _Amount(Struct, frozen=True, rename="camel"):
    charging_information: _Charging


class _Transaction(Struct, frozen=True, rename="camel"):
    reference_code: str
    payment_amount: _Amount


class _Payment(Struct, frozen=True, rename="camel"):
    payment_id: str
    payment_status: str
    amount_transaction: _Transaction | None = None


class _Refund(Struct, frozen=True, rename="camel"):
    refund_status: str


class _Error(Struct, frozen=True):
    status: int
    code: str


_payment = msgspec.json.Decoder(_Payment)
_payments = msgspec.json.Decoder(list[_Payment])
_refund = msgspec.json.Decoder(_Refund)
_error = msgspec.json.Decoder(_Error)
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Camara:
    """An ``Adapter``."""

    def charge(self, order: Order) -> Call:
        """Return createPayment."""
        transaction = {
            "phoneNumber": f"+{order.msisdn}",
            "clientCorrelator": order.charge,
            "referenceCode": order.charge,
            "paymentAmount": _amount(order, order.amount_minor),
        }
        return Call(
            method="POST",
            path="/payments",
            body=_encode({"amountTransaction": transaction}),
            headers={"x-correlator": order.charge},
        )

    def charged(self, order: Order, answer: Answer) -> Charged:
        """Return what createPayment says."""
        if answer.status in _FINE:
            return self._told(order, answer)
        if answer.status == _TOO_MANY:
            return put_off(_TOO_MANY, "operator_busy", "the operator has too much to do", answer.retry_after_ms)
        code = _code(answer)
        if code is not None and answer.status == _UNAUTHENTICATED:
            return put_off(_UNAUTHENTICATED, "operator_unavailable", "the operator does not know our credentials")
        if code is not None and answer.status in _REFUSALS:
            told = Told(Said.FAILED, _REASONS.get(code, _ASKED_WRONGLY))
            return Charged(told=told, http_status=answer.status, error=f"the operator says {code}")
        return unknown(answer.status, f"the operator says {code}" if code else "not an answer of CAMARA's")

    def ask(self, order: Order) -> Call:
        """Return retrievePayment, or, while the operator's name for it is not known, the list by our reference."""
        headers = {"x-correlator": order.charge}
        if order.operator_id:
            return Call(method="GET", path=f"/payments/{quote(order.operator_id, safe='')}", headers=headers)
        return Call(method="GET", path="/payments", query={"referenceCode": order.charge}, headers=headers)

    def asked(self, order: Order, answer: Answer) -> Charged:
        """Return what they say. An empty list says for certain that there is no such payment."""
        if answer.status not in _FINE:
            return unknown(answer.status, "the operator does not say")
        if order.operator_id:
            return self._told(order, answer)
        try:
            found = _payments.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return unknown(answer.status, "not a list of payments")
        if not found:
            return Charged(
                told=Told(Said.UNKNOWN), http_status=answer.status, error="the operator has none", missing=True
            )
        return self._best(order, found, answer.status)

    def _best(self, order: Order, found: Sequence[_Payment], status: int) -> Charged:
        """Return what the list says of ours; payments that do not say their reference may be anybody's."""
        ours = [
            one for one in found if one.amount_transaction and one.amount_transaction.reference_code == order.charge
        ]
        said = [one for one in (_of(order, payment, status) for payment in ours) if one.told.said in _RANK]
        if not said:
            return unknown(status, "the list does not say what became of it")
        return min(said, key=lambda one: _RANK[one.told.said])

    def _told(self, order: Order, answer: Answer) -> Charged:
        try:
            found = _payment.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return unknown(answer.status, "not a payment")
        return _of(order, found, answer.status)

    def refund(self, back: Back) -> Call | None:
        """Return createRefund."""
        order = back.order
        if not order.operator_id:
            return None
        transaction: dict[str, Any] = {"clientCorrelator": back.refund, "referenceCode": back.refund}
        whole = back.amount_minor == order.amount_minor
        if not whole:
            transaction["refundAmount"] = _amount(order, back.amount_minor)
        return Call(
            method="POST",
            path=f"/payments/{quote(order.operator_id, safe='')}/refunds",
            body=_encode({"type": "total" if whole else "partial", "amountTransaction": transaction}),
            headers={"x-correlator": back.refund},
        )

    def refunded(self, back: Back, answer: Answer) -> Refunded:  # noqa: ARG002 - an Adapter's
        """Return what createRefund says; one that is being processed is asked for again under its reference."""
        status = answer.status
        if status in _FINE:
            try:
                word = _refund.decode(answer.body).refund_status
            except (msgspec.DecodeError, UnicodeDecodeError):
                return Refunded(outcome="unknown", http_status=status, error="not a refund")
            if word == "succeeded":
                return Refunded(outcome="done", http_status=status)
            refused = word in {"denied", "cancelled"}
            return Refunded(outcome="refused" if refused else "unknown", http_status=status, error="not given back")
        code = _code(answer)
        refused = code is not None and status in _REFUND_REFUSALS
        words = f"the operator says {code}" if code else "not an answer of CAMARA's"
        return Refunded(outcome="refused" if refused else "unknown", http_status=status, error=words)


def _of(order: Order, payment: _Payment, status: int) -> Charged:
    """Return what one payment says, if it is ours and about the same money."""
    told, name = _STATUSES.get(payment.payment_status), name_of(payment.payment_id)
    if told is None or name is None:
        return unknown(status, "a payment that says nothing known")
    transaction = payment.amount_transaction
    if transaction is not None:
        charging = transaction.payment_amount.charging_information
        wanted = _major(order.amount_minor, order.currency)
        if transaction.reference_code != order.charge:
            return unknown(status, "another payment")
        if (charging.amount, charging.currency) != (wanted, order.currency):
            return unknown(status, "another amount")
    return Charged(told=told, operator_id=name, http_status=status)


def _code(answer: Answer) -> str | None:
    """Return CAMARA's code of an error that is in CAMARA's form."""
    try:
        error = _error.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    known = error.status == answer.status and name_of(error.code) is not None
    return error.code if known else None


def _amount(order: Order, amount_minor: int) -> dict[str, Any]:
    amount = _major(amount_minor, order.currency)
    charging = {"amount": amount, "currency": order.currency, "description": order.description}
    return {"chargingInformation": charging}


def _major(amount_minor: int, currency: str) -> Decimal:
    return Decimal(amount_minor).scaleb(-money.exponent(currency))
