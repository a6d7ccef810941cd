"""What is posted to merchants' servers, as the OpenAPI document describes it: made of the types that write it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, structs

from smsgw.flows import events
from smsgw.flows.payments.events import ABOUT, PaymentEvent

BODIES: Final = (*events.BODIES, PaymentEvent)

Document = dict[str, Any]


def webhooks(schemas: Mapping[Any, Document]) -> Document:
    """Return every type of event with what is posted of it."""
    of_codes = {_type_of(kind): _webhook(_type_of(kind), kind.__doc__, schemas[kind]) for kind in events.BODIES}
    of_payments = {kind: _webhook(kind, about, schemas[PaymentEvent]) for kind, about in ABOUT.items()}
    return {kind: {"post": one} for kind, one in (of_codes | of_payments).items()}


def _type_of(kind: type[Struct]) -> str:
    """Return an event's type: the default of its field, and all that the field may be."""
    [found] = [str(field.default) for field in structs.fields(kind) if field.name == "type"]
    return found


def _webhook(kind: str, about: str | None, schema: Document) -> Document:
    """Describe what we post to a merchant (Standard Webhooks 1.0)."""
    first, *others = re.split("[._]", kind)
    return {
        "operationId": first + "".join(map(str.capitalize, others)),
        "summary": kind,
        "description": f"{about}\n\n{_POSTED}",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in _SIGNED
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "2XX": {"description": "Taken. Do the work later: the answer must come within 15 seconds."},
            "410": {"description": "No more, please: nothing is posted until `smsgw webhooks enable`."},
            "default": {"description": "Tried again for three days, with the same `webhook-id`."},
        },
    }


_POSTED: Final = (
    "Posted to the service's or merchant's `webhook_url`, signed as Standard Webhooks 1.0 says. It may come twice, "
    "with the same `webhook-id`; the events of one code or payment come in their order. Fields may be added: pass over "
    "what you do not know."
)
_SIGNED: Final = (
    ("webhook-id", "The event's id, the same on every try: take each once."),
    ("webhook-timestamp", "Seconds since 1970, of this try: refuse what is older than five minutes."),
    (
        "webhook-signature",
        (
            "One or more, with a blank between, each `v1,` and the base64 of an HMAC-SHA256 over `id.timestamp.body` "
            "under a secret of yours. One that fits is enough: while a secret is replaced there are several."
        ),
    ),
)
