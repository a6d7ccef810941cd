"""The example of an operator's own charging API: forms in, one line of text out, minor units.

``POST /charge`` with msisdn, amount, currency, ref and text is answered by ``OK id``, ``PENDING id`` or
``DECLINED why``; ``GET /status?ref=`` by the same, or by 404 ``UNKNOWN``; ``POST /refund`` with ref, refund and amount
by ``OK``.
"""

from typing import Final
from urllib.parse import urlencode

from smsgw.domain.charging import Said, Told
from smsgw.flows.ports import Back, Charged, Order, Refunded
from smsgw.hooks.adapter import FORM, Answer, Call, name_of, put_off, unknown

_OK: Final = 200
_INVALID: Final = (400, "INVALID")
_MISSING: Final = (404, "UNKNOWN")
_TOO_MANY: Final = 429

_WORDS: Final = {
    "OK": Told(Said.CHARGED),
    "PENDING": Told(Said.ACCEPTED),
    "DECLINED": Told(Said.FAILED, "operator_refused"),
}


class Plain:
    """An ``Adapter``."""

    def charge(self, order: Order) -> Call:
        """Return the request that charges."""
        return _post(
            "/charge",
            msisdn=order.msisdn,
            amount=str(order.amount_minor),
            currency=order.currency,
            ref=order.charge,
            text=order.description,
        )

    def charged(self, order: Order, answer: Answer) -> Charged:  # noqa: ARG002 - an Adapter's
        """Return what its line says."""
        word, rest = _line(answer)
        if answer.status == _TOO_MANY:
            return put_off(_TOO_MANY, "operator_busy", "the operator has too much to do", answer.retry_after_ms)
        if (answer.status, word) == _INVALID:
            told = Told(Said.FAILED, "operator_refused_request")
            return Charged(told=told, http_status=answer.status, error="the operator says INVALID")
        return _told(answer.status, word, rest)

    def ask(self, order: Order) -> Call:
        """Return the question."""
        return Call(method="GET", path="/status", query={"ref": order.charge})

    def asked(self, order: Order, answer: Answer) -> Charged:  # noqa: ARG002 - an Adapter's
        """Return what its line says."""
        word, rest = _line(answer)
        if (answer.status, word) == _MISSING:
            return Charged(
                told=Told(Said.UNKNOWN), http_status=answer.status, error="the operator has none", missing=True
            )
        return _told(answer.status, word, rest)

    def refund(self, back: Back) -> Call | None:
        """Return the request that gives back."""
        return _post("/refund", ref=back.order.charge, refund=back.refund, amount=str(back.amount_minor))

    def refunded(self, back: Back, answer: Answer) -> Refunded:  # noqa: ARG002 - an Adapter's
        """Return what its line says."""
        word, _ = _line(answer)
        if (answer.status, word) == (_OK, "OK"):
            return Refunded(outcome="done", http_status=answer.status)
        refused = word == "DECLINED" or (answer.status, word) in {_INVALID, _MISSING}
        words = f"the operator says {word}" if refused else "not an answer"
        return Refunded(outcome="refused" if refused else "unknown", http_status=answer.status, error=words)


def _post(path: str, **form: str) -> Call:
    return Call(method="POST", path=path, body=urlencode(form).encode(), content_type=FORM)


def _line(answer: Answer) -> tuple[str, str]:
    word, _, rest = answer.body.decode("ascii", errors="replace").strip().partition(" ")
    return word, rest


def _told(status: int, word: str, rest: str) -> Charged:
    told = _WORDS.get(word) if status == _OK else None
    if told is None:
        return unknown(status, "not an answer")
    operator_id = None if told.said is Said.FAILED else name_of(rest)
    return Charged(told=told, operator_id=operator_id, http_status=status)
