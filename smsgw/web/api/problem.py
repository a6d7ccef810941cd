"""Every fault under /v1 is a problem (RFC 9457): a stable code for programs, one sentence for people."""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

from smsgw.errors import IdempotencyMismatch, StoreUnavailable
from smsgw.flows.amend import Refused

MEDIA_TYPE: Final = "application/problem+json"

# code → (status, title). The codes are for ever: merchants' programs compare them.
PROBLEMS: Final[Mapping[str, tuple[int, str]]] = {
    "bad_request": (400, "The request cannot be read"),
    "body_unreadable": (400, "The body is not JSON"),
    "query_invalid": (400, "A parameter is not as it must be"),
    "idempotency_key_missing": (400, "The Idempotency-Key is missing"),
    "idempotency_key_invalid": (400, "The Idempotency-Key is not as it must be"),
    "key_missing": (401, "No API key was given"),
    "key_unknown": (401, "The API key is unknown or revoked"),
    "forbidden": (403, "That is not allowed"),
    "scope_missing": (403, "The API key may not do this"),
    "live_key_needed": (403, "This takes a live key"),
    "merchant_not_allowed": (403, "The API key is not for this merchant"),
    "number_blocked": (403, "The phone wants no questions"),
    "service_not_allowed": (403, "The API key is not for this service"),
    "address_not_allowed": (403, "Requests from this address are not allowed"),
    "not_found": (404, "There is nothing here"),
    "method_not_allowed": (405, "The address does not take this method"),
    "request_timeout": (408, "The body took too long"),
    "already_consumed": (409, "The redemption has been spent before"),
    "revoked": (409, "The code is revoked"),
    "no_such_limit": (409, "The code has no such limit"),
    "too_much": (409, "That is more than there may be"),
    "changed_meanwhile": (409, "The code is being changed by others"),
    "service_gone": (409, "The service is not sold any more"),
    "link_gone": (409, "The operator is not connected any more"),
    "not_answerable": (409, "The phone cannot be answered"),
    "idempotency_in_progress": (409, "The first request with this Idempotency-Key is being worked on"),
    "merchant_gone": (409, "The merchant sells nothing any more"),
    "confirmation_open": (409, "The phone is being asked about another payment"),
    "reference_used": (409, "The merchant_reference was used before"),
    "not_cancelable": (409, "The payment cannot be canceled any more"),
    "not_refundable": (409, "No money was taken that could go back"),
    "numbers_not_remembered": (409, "This merchant has no numbers remembered"),
    "method_removed": (409, "The payment method was removed"),
    "method_needs_verification": (409, "The number must be asked for again"),
    "nothing_to_resolve": (409, "There is nothing to resolve"),
    "endpoint_missing": (409, "There is no webhook_url"),
    "too_many_secrets": (409, "Too many secrets are in use"),
    "body_too_large": (413, "The body is too large"),
    "media_type": (415, "The body must be application/json"),
    "body_invalid": (422, "A field is not as it must be"),
    "number_invalid": (422, "This is no phone number"),
    "product_unknown": (422, "There is no such product"),
    "method_unknown": (422, "There is no such payment method"),
    "operator_unknown": (422, "The phone's operator is not known"),
    "operator_not_supported": (422, "The product cannot be paid at the phone's operator"),
    "idempotency_key_reused": (422, "The Idempotency-Key was used with another request"),
    "too_many_requests": (429, "Too many requests"),
    "too_many_prompts": (429, "The phone was asked too often"),
    "too_many_reissues": (429, "The code was replaced too often today"),
    "internal": (500, "Something went wrong on our side"),
    "unavailable": (503, "Nothing can be decided right now"),
}
_OF_STATUS: Final = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "media_type",
    500: "internal",
    503: "unavailable",
}
_COME_AGAIN_S: Final = 5


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457)."""

    type: str  # where the code is explained
    title: str
    status: int
    code: str  # for programs; never changes
    detail: str = ""
    request_id: str = ""  # for asking us about it


class Fault(Exception):  # noqa: N818 - it ends a request with a problem, and is nobody's error here
    """Ends a request with a problem.

    Args:
        code: of PROBLEMS.
        detail: one sentence about this case; never holds what was sent.
        headers: to be sent along.
    """

    def __init__(self, code: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def fault_of(error: Exception) -> Fault | None:
    """Return what an error means to the client; None when it is a mistake of ours."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, Refused):
        headers = {"Retry-After": str(-(-error.wait_ms // 1000))} if error.wait_ms else {}
        return Fault(error.reason, str(error), headers)
    if isinstance(error, IdempotencyMismatch):
        return Fault("idempotency_key_reused", "take a new key for another request")
    if isinstance(error, StoreUnavailable | asyncio.QueueFull | TimeoutError):
        detail = "nothing was decided, unless the answer was already on its way; try again"
        return Fault("unavailable", detail, {"Retry-After": str(_COME_AGAIN_S)})
    if isinstance(error, web.HTTPException):
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return Fault(fault_of_status(error.status).code, "", headers)
    return None


def fault_of_status(status: int) -> Fault:
    """Return what an HTTP status of the library's means to the client."""
    return Fault(_OF_STATUS.get(status, "bad_request"))


def answer(fault: Fault, request_id: str) -> web.Response:
    """Return a fault as HTTP has it."""
    status, title = PROBLEMS[fault.code]
    problem = Problem(
        type=f"/docs#{fault.code}",
        title=title,
        status=status,
        code=fault.code,
        detail=fault.detail,
        request_id=request_id,
    )
    return web.Response(
        status=status, body=msgspec.json.encode(problem), content_type=MEDIA_TYPE, headers=fault.headers
    )
