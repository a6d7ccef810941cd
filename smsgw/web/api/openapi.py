"""The OpenAPI 3.1 document, made from the operations and the very types that read and write them."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec

from smsgw.web.api import posted
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
    "the allowed addresses of the service or merchant. Whatever comes of a code is an answer with status 200; only "
    "faults are problems (RFC 9457), with a `code` that never changes. A key of test mode sees test codes and test "
    "payments only, a live key live ones; of a test payment the last four digits of the number say what becomes of it "
    "(/docs#trials). `smsgw keys create` makes keys."
)

Document = dict[str, Any]


def document(operations: Sequence[Operation]) -> Document:
    """Return the document as plain values, ready for JSON."""
    kinds = {kind for one in operations for kind in (one.takes, one.gives, one.query) if kind} | {
        Problem,
        *posted.BODIES,
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
        "webhooks": posted.webhooks(schemas),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
            "schemas": {name: schema for name, schema in sorted(components.items()) if name not in queries},
        },
    }


def _operation(one: Operation, schemas: dict[Any, Any], components: dict[str, Any]) -> Document:
    parameters = [_path(name, pattern) for name, pattern in _IN_PATH.items() if f"{{{name}}}" in one.path]
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
            str(one.status): {
                "description": "What came of it.",
                "content": {"application/json": {"schema": schemas[one.gives]}},
                **({"headers": {"Location": _LOCATION}} if one.located else {}),
            },
            **_problems((*_ALWAYS, *(_WITH_BODY if one.takes else ()), *one.problems)),
        },
    }
    if one.takes:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas[one.takes]}}}
    return described


_IN_PATH: Final = {"id": "^[a-z]{2,5}_[0-9a-z]{1,40}$", "merchant": "^[a-z0-9][a-z0-9_-]{0,39}$"}
_LOCATION: Final = {"description": "Where it can be found.", "schema": {"type": "string", "format": "uri-reference"}}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A new UUID for each new request; the same when you repeat one.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,255}$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


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
