"""What the operator's charging API says: two dialects over one core.

*camara* has the shape of CAMARA's carrier billing (createPayment, retrievePayment and createRefund of carrier-billing
0.4 and carrier-billing-refund 0.2): JSON, amounts as decimal numbers of major units. *example* is an operator's own:
forms in, one line of plain text out, minor units.
"""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from smsgw.errors import SmsgwError
from smsgw.kit.clock import rfc3339
from smsgw.simulator.billing import Refund
from smsgw.simulator.direct import (
    Broken,
    Conflict,
    Declined,
    DirectCharging,
    NotRefunded,
    Payment,
    Purchase,
    Throttled,
)

_CORRELATOR: Final = "x-correlator"
# ISO 4217: minor digits of a currency where they are not two.
_DIGITS: Final = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "UGX": 0, "BHD": 3, "KWD": 3, "OMR": 3, "TND": 3}
_TWO: Final = 2
# How the errors of the core are told: HTTP status, CAMARA's code, the word of the other dialect.
_ERRORS: Final[dict[type[SmsgwError], tuple[int, str, str]]] = {
    Declined: (403, "CARRIER_BILLING.PAYMENT_DENIED", "DECLINED"),
    Throttled: (429, "TOO_MANY_REQUESTS", "BUSY"),
    Broken: (500, "INTERNAL", "ERROR"),
    Conflict: (409, "ALREADY_EXISTS", "CONFLICT"),
    NotRefunded: (422, "CARRIER_BILLING_REFUND.REFUND_DENIED", "DECLINED"),
}
_WORDS: Final = {"succeeded": "OK", "processing": "PENDING", "denied": "DECLINED"}

MANNER: Final = web.RequestKey("manner", str)  # of a request: how its answer is given
Repeats = Literal["replay", "conflict"]  # a repeated request to pay gets the payment, or 409

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Camara:
    """CAMARA's shape."""

    def __init__(self, core: DirectCharging, repeats: Repeats) -> None:
        self._core = core
        self._repeats = repeats

    def route(self, app: web.Application) -> None:
        """Add the addresses."""
        app.router.add_post("/camara/payments", partial(_answered, self._create, _problem))
        app.router.add_get("/camara/payments", partial(_answered, self._list, _problem))
        app.router.add_get("/camara/payments/{id}", partial(_answered, self._retrieve, _problem))
        for word in ("refund", "refunds"):  # the second is CAMARA's own
            app.router.add_post(f"/camara/payments/{{id}}/{word}", partial(_answered, self._refund, _problem))

    async def _create(self, request: web.Request) -> web.Response:
        asked = _member(await _json(request), "amountTransaction", dict)
        charging = _charging(_member(asked, "paymentAmount", dict))
        currency = _currency(_member(charging, "currency", str))
        purchase = Purchase(
            msisdn=_msisdn(asked),
            amount_minor=_minor(charging.get("amount"), currency),
            currency=currency,
            reference=_member(asked, "referenceCode", str),
            correlator=str(asked.get("clientCorrelator") or request.headers.get(_CORRELATOR, "")),
            description=_member(charging, "description", str),
        )
        told = self._core.charge(purchase)
        request[MANNER] = told.manner
        if told.repeated and self._repeats == "conflict":
            raise Conflict(f"{told.payment.payment_id} exists already")
        return _reply(request, self._payment(told.payment), 201)

    async def _list(self, request: web.Request) -> web.Response:
        """Return the payment with ``?referenceCode=``, as a list; CAMARA lists by dates, operators add this."""
        payment = self._core.find_reference(request.query.get("referenceCode", ""))
        return _reply(request, [] if payment is None else [self._payment(payment)])

    async def _retrieve(self, request: web.Request) -> web.Response:
        return _reply(request, self._payment(self._found(request)))

    async def _refund(self, request: web.Request) -> web.Response:
        payment, asked = self._found(request), await _json(request)
        transaction = _member(asked, "amountTransaction", dict) if "amountTransaction" in asked else asked
        amount = None
        if asked.get("type", "total") == "partial":
            charging = _charging(_member(transaction, "refundAmount", dict))
            if charging.get("currency") != payment.purchase.currency:
                raise _Malformed("currency is another one than that of the payment")
            amount = _minor(charging.get("amount"), payment.purchase.currency)
        reference = str(transaction.get("referenceCode") or transaction.get("clientCorrelator") or "")
        refund = self._core.refund(payment, amount, reference)
        return _reply(request, _refunded(refund, payment.purchase.currency, payment), 201)

    def _found(self, request: web.Request) -> Payment:
        payment = self._core.find(request.match_info["id"])
        if payment is None:
            raise _Missing("there is no such payment")
        return payment

    def _payment(self, payment: Payment) -> dict[str, Any]:
        purchase = payment.purchase
        amount = {"amount": _major(purchase.amount_minor, purchase.currency), "currency": purchase.currency}
        told: dict[str, Any] = {
            "paymentId": payment.payment_id,
            "paymentStatus": payment.status,
            "paymentCreationDate": rfc3339(payment.created_ms),
            "amountTransaction": {
                "phoneNumber": f"+{purchase.msisdn}",
                "clientCorrelator": purchase.correlator,
                "referenceCode": purchase.reference,
                "serverReferenceCode": payment.payment_id,
                "paymentAmount": {"chargingInformation": amount | {"description": purchase.description}},
            },
        }
        if payment.done_ms is not None:
            told["paymentDate"] = rfc3339(payment.done_ms)
        return told


class Example:
    """An operator's own."""

    def __init__(self, core: DirectCharging) -> None:
        self._core = core

    def route(self, app: web.Application) -> None:
        """Add the addresses."""
        app.router.add_post("/example/charge", partial(_answered, self._charge, _line))
        app.router.add_get("/example/status", partial(_answered, self._status, _line))
        app.router.add_post("/example/refund", partial(_answered, self._refund, _line))

    async def _charge(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        purchase = Purchase(
            msisdn=_field(form, "msisdn").removeprefix("+"),
            amount_minor=_positive(_field(form, "amount")),
            currency=_currency(_field(form, "currency")),
            reference=_field(form, "ref"),
            description=form.get("text", ""),
        )
        told = self._core.charge(purchase)
        request[MANNER] = told.manner
        return self._told(told.payment)

    async def _status(self, request: web.Request) -> web.Response:
        payment = self._core.find_reference(request.query.get("ref", ""))
        if payment is None:
            raise _Missing("no such payment")
        return self._told(payment)

    async def _refund(self, request: web.Request) -> web.Response:
        """Give back ``amount``, or all that is left, of the payment ``ref``; ``refund`` is the refund's reference."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        payment = self._core.find_reference(_field(form, "ref"))
        if payment is None:
            raise _Missing("no such payment")
        amount = _positive(form["amount"]) if "amount" in form else None
        refund = self._core.refund(payment, amount, form.get("refund", ""))
        return web.Response(text=f"OK {refund.operator_id} {refund.amount_minor}")

    def _told(self, payment: Payment) -> web.Response:
        behind = "no credit" if payment.status == "denied" else payment.payment_id
        return web.Response(text=f"{_WORDS[payment.status]} {behind}")


# What both need


class _Malformed(SmsgwError):  # noqa: N818 - named after the condition
    """The request cannot be read; the gateway's fault."""


class _Missing(SmsgwError):  # noqa: N818 - as above
    """There is no such payment."""


_ERRORS_OF_READING: Final = {_Malformed: (400, "INVALID_ARGUMENT", "INVALID"), _Missing: (404, "NOT_FOUND", "UNKNOWN")}


async def _answered(
    handler: Handler, problem: Callable[[web.Request, int, str, str, str], web.Response], request: web.Request
) -> web.StreamResponse:
    """Answer; errors in the dialect's words. Lost goes further up: it has no words."""
    try:
        return await handler(request)
    except SmsgwError as error:
        known = (_ERRORS | _ERRORS_OF_READING).get(type(error))
        if known is None:
            raise
        return problem(request, *known, str(error))


def _problem(request: web.Request, status: int, code: str, _word: str, message: str) -> web.Response:
    return _reply(request, {"status": status, "code": code, "message": message}, status)


def _line(_request: web.Request, status: int, _code: str, word: str, message: str) -> web.Response:
    # This operator says no with 200, as those who write such an API do.
    return web.Response(text=f"{word} {message}", status=200 if status == 403 else status)  # noqa: PLR2004


def _reply(request: web.Request, told: object, status: int = 200) -> web.Response:
    correlator = request.headers.get(_CORRELATOR)
    return web.Response(
        body=msgspec.json.Encoder(decimal_format="number").encode(told),
        status=status,
        content_type="application/json",
        headers={_CORRELATOR: correlator} if correlator else None,
    )


def _refunded(refund: Refund, currency: str, payment: Payment) -> dict[str, Any]:
    return {
        "refundId": f"rf-{refund.operator_id}-{refund.at_ms}",
        "refundStatus": "succeeded",
        "type": "total" if refund.amount_minor == payment.purchase.amount_minor else "partial",
        "refundCreationDate": rfc3339(refund.at_ms),
        "refundDate": rfc3339(refund.at_ms),
        "amountTransaction": {
            "referenceCode": refund.reference,
            "refundAmount": {
                "chargingInformation": {"amount": _major(refund.amount_minor, currency), "currency": currency}
            },
        },
    }


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        read = json.loads(await request.text(), parse_float=Decimal)
    except ValueError:
        raise _Malformed("the body is not JSON") from None
    if not isinstance(read, dict):
        raise _Malformed("the body is not an object")
    return read


def _member(within: dict[str, Any], name: str, kind: type[Any]) -> Any:
    found = within.get(name)
    if not isinstance(found, kind) or not found:
        raise _Malformed(f"{name} is missing, or is not what it should be")
    return found


def _charging(within: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _member(within, "chargingInformation", dict)
    return found


def _field(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise _Malformed(f"{name} is missing")
    return form[name]


def _positive(written: str) -> int:
    if not (written.isascii() and written.isdigit() and int(written)):
        raise _Malformed("amount is not a whole number above 0")
    return int(written)


def _msisdn(asked: dict[str, Any]) -> str:
    """Return the phone: CAMARA's phoneNumber, or the endUserId of its predecessors (tel:+359…)."""
    written = str(asked.get("phoneNumber") or asked.get("endUserId") or "").removeprefix("tel:")
    digits = written.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise _Malformed("phoneNumber is missing, or is no number")
    return digits


def _currency(written: str) -> str:
    if not (len(written) == 3 and written.isascii() and written.isupper()):  # noqa: PLR2004 - ISO 4217
        raise _Malformed("currency is unknown or not authorized")
    return written


def _minor(amount: object, currency: str) -> int:
    """Return minor units of a JSON number of major units, exactly."""
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise _Malformed("amount is not a number")
    try:
        minor = Decimal(amount).scaleb(_DIGITS.get(currency, _TWO))
    except InvalidOperation:
        raise _Malformed("amount is not a number") from None
    if minor <= 0 or minor != minor.to_integral_value():
        raise _Malformed("amount is not a whole number of minor units above 0")
    return int(minor)


def _major(amount_minor: int, currency: str) -> Decimal:
    return Decimal(amount_minor).scaleb(-_DIGITS.get(currency, _TWO))
