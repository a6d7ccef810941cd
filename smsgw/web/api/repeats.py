"""The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): read, and tied to its request."""

import re

import msgspec
from aiohttp import web

from smsgw.flows import idempotency
from smsgw.flows.idempotency import Idempotency
from smsgw.web.api.operations import Call
from smsgw.web.api.problem import Fault

_KEY = re.compile(r'[!#-~ ]{1,255}|"[!#-~ ]{1,255}"').fullmatch

PROBLEMS = ("idempotency_key_missing", "idempotency_key_invalid", "idempotency_key_reused")


def asked(call: Call, service: str) -> Idempotency:
    """Return what makes a request about a service safe to repeat: its key, its address and its body.

    Raises:
        Fault: there is no key, or it cannot be one.
    """
    body = msgspec.json.encode(call.body).decode()
    request = f"{call.request.method} {call.request.path}\0{body}"
    key = _key(call.request)
    return idempotency.asked(service, test=call.caller.key.test, key=key, request=request)


def _key(request: web.Request) -> str:
    """Return the caller's key: a string, in quotes or not."""
    values = request.headers.getall("Idempotency-Key", [])
    if not values:
        raise Fault(
            "idempotency_key_missing", "send the header Idempotency-Key with a new UUID, and repeat it as it is"
        )
    if len(values) > 1 or not _KEY(values[0]):
        raise Fault("idempotency_key_invalid", "allowed are 1 to 255 printable ASCII characters")
    return values[0].strip('"')
