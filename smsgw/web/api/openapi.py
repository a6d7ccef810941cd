"""The OpenAPI 3.1 document, made from the operations and the very types that read and write them."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from smsgw.flows import events
from smsgw.web.api.operations import Operation
from smsgw.web.api.plain import WORDS
from smsgw.web.api.problem import MEDIA_TYPE, PROBLEMS, Problem

_TEMPLATE: Final = "#/components/schemas/{name}"
_ALWAYS: Final = (
    "key_missing",
    "key_unknown",
    "scope_missing",
    "address_not_allowed",
    "too_many_requests",
    "internal",
    "unavailable",
)
_WITH_BODY: Final = (
    "bad_request",
    "body_unreadable",
    "request_timeout",
    "body_too_large",
    "media_type",
    "body_invalid",
)
_PLAIN: Final = (
    "bad_request",
    "query_invalid",
    "key_unknown",
    "scope_missing",
    "service_not_allowed",
    "address_not_allowed",
    "not_found",
    "request_timeout",
    "body_too_large",
    "body_invalid",
    "too_many_requests",
    "internal",
    "unavailable",
)
_ABOUT: Final = (
    "For merchants' servers. Every request carries an API key (`Authorization: Bearer smsgw_…`) and comes from one of "
    "the service's allowed addresses. Whatever comes of a code is an answer with status 200; only faults are problems "
    "(RFC 9457), with a `code` that never changes. A key of test mode sees test codes only, a live key live ones. "
    "`smsgw keys create` makes keys."
)

Document = dict[str, Any]


def document(operations: Sequence[Operation]) -> Document:
    """Return the document as plain values, ready for JSON."""
    kinds = {kind for one in operations for kind in (one.takes, one.gives, one.query) if kind} | {
        Problem,
        *events.BODIES,
    }
    types = sorted(kinds, key=lambda kind: kind.__name__)
    refs, components = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    schemas = dict(zip(types, refs, strict=True))
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas, components)
    paths["/v1/plain/{service}"] = {"get": _plain("get"), "post": _plain("post")}
    queries = {kind.__name__ for one in operations if (kind := one.query)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "smsgw", "version": version("smsgw"), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "webhooks": {_type_of(kind): {"post": _webhook(kind, schemas[kind])} for kind in events.BODIES},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
            "schemas": {name: schema for name, schema in sorted(components.items()) if name not in queries},
        },
    }


def _operation(one: Operation, schemas: dict[Any, Any], components: dict[str, Any]) -> Document:
    parameters = [_path("id", "^[a-z]{2,5}_[0-9a-z]{1,40}$")] if "{id}" in one.path else []
    if one.query:
        parameters += _query(components[one.query.__name__])
    if one.idempotent:
        parameters.append(_IDEMPOTENCY_KEY)
    described: Document = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"{one.text}\n\nScope: `{one.scope}`.",
        "parameters": parameters,
        "responses": {
            "200": {"description": "What came of it.", "content": {"application/json": {"schema": schemas[one.gives]}}},
            **_problems((*_ALWAYS, *(_WITH_BODY if one.takes else ()), *one.problems)),
        },
    }
    if one.takes:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas[one.takes]}}}
    return described


_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A new UUID for each new request; the same when you repeat one.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,255}$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


def _type_of(kind: type[Struct]) -> str:
    """Return an event's type: the default of its field, and all that the field may be."""
    [found] = [str(field.default) for field in structs.fields(kind) if field.name == "type"]
    return found


def _webhook(kind: type[Struct], schema: Document) -> Document:
    """Describe what we post to a merchant (Standard Webhooks 1.0)."""
    return {
        "operationId": kind.__name__[0].lower() + kind.__name__[1:],
        "summary": _type_of(kind),
        "description": f"{kind.__doc__}\n\n{_POSTED}",
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
    "Posted to the service's `webhook_url`, signed as Standard Webhooks 1.0 says. It may come twice, with the same "
    "`webhook-id`; the events of one code come in their order. Fields may be added: pass over what you do not know."
)
_SIGNED: Final = (
    ("webhook-id", "The event's id, the same on every try: take each once."),
    ("webhook-timestamp", "Seconds since 1970, of this try: refuse what is older than five minutes."),
    (
        "webhook-signature",
        (
            "One or more, with a blank between, each `v1,` and the base64 of an HMAC-SHA256 over `id.timestamp.body` "
            "under a secret of the service. One that fits is enough: while a secret is replaced there are several."
        ),
    ),
)


def _path(name: str, pattern: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}


def _query(schema: Document) -> list[Document]:
    """Return a struct's fields as parameters; null means that one is left out."""
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _without_null(field),
        }
        for name, field in schema["properties"].items()
    ]


def _without_null(field: Document) -> Document:
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds:
        return field
    plain: Document = {key: value for key, value in field.items() if key not in {"anyOf", "default"}} | kinds[0]
    return plain


def _problems(codes: Sequence[str]) -> Document:
    """Return the responses of problems, those of one status together."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    return {
        str(status): {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in names)}.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": _TEMPLATE.format(name="Problem")}}},
        }
        for status, names in sorted(by_status.items())
    }


def _plain(method: str) -> Document:
    """Describe the plain address, which speaks no JSON."""
    fields: Document = {
        "code": {"type": "string", "maxLength": 64},
        "visitor_ip": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        "state": {"type": "string", "maxLength": 512, "pattern": "^[^\\u0000]*$"},
    }
    described: Document = {
        "operationId": f"{method}Plain",
        "summary": "One word for old sites",
        "description": (
            "Uses the code, and answers with one line of plain text: `OK`, `EXPIRED` (also when used up), `INVALID`, "
            "or `WAIT` after too many wrong codes. The allowed address is enough; an API key may be given."
        ),
        "security": [{}, {"key": []}],
        "parameters": [_path("service", "^[a-z0-9][a-z0-9_-]{0,39}$")],
        "responses": {
            "200": {
                "description": "The word.",
                "content": {
                    "text/plain": {
                        "schema": {"type": "string", "enum": sorted({f"{word}\n" for word in WORDS.values()})}
                    }
                },
            },
            **_problems(_PLAIN),
        },
    }
    if method == "get":
        described["parameters"] += [
            {"name": name, "in": "query", "required": name == "code", "schema": schema}
            for name, schema in fields.items()
        ]
    else:
        form = {"type": "object", "properties": fields, "required": ["code"]}
        described["requestBody"] = {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": form}},
        }
    return described
