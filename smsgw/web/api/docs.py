"""The page at /docs: the OpenAPI document as people read it, made on the server, without any script."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp_jinja2
from aiohttp import web
from markupsafe import Markup, escape

from smsgw.web.api.openapi import Document
from smsgw.web.api.problem import PROBLEMS
from smsgw.web.api.trials import TRIALS

_CODE = re.compile(r"`([^`]+)`")
_LOOKED_AT: Final = {"service": "example-weather", "code": "ABCD-EFGH", "visitor_ip": "203.0.113.7"}
_EXAMPLES: Final = {  # a body for each type of request
    "VerifyRequest": _LOOKED_AT,
    "RedeemRequest": _LOOKED_AT,
    "ExchangeRequest": {"rt": "rt_…"},
    "Extend": {"seconds": 3600},
    "PaymentRequest": {
        "merchant": "gold",
        "product": "gold-250",
        "merchant_reference": "order 17",
        "msisdn": "+359888123456",
    },
    "RefundRequest": {"reason": "returned"},
    "ReplayRequest": {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"},
    "RotateRequest": {"overlap_s": 86_400},
}
_QUERIES: Final = {"service": "example-weather", "msisdn": "359888123456", "code": "ABCD-EFGH"}
_CHECKOUT: Final = (  # fields of the address, in the buyer's browser (web/checkout/form.py)
    ("product", "string", "What is bought; without it the buyer chooses."),
    (
        "reference",
        "string",
        (
            "Your name for the order, up to 100 visible characters of ASCII without `~`. Another try at the same "
            "order has it followed by `~2`, `~3` …, nine at most, and none while one before is paid or may still be."
        ),
    ),
    ("state", "string", "Your own, given back: random, from the visitor's session."),
    ("layout", "two_pages | one_page", "Goods and number apart or together."),
    ("lang", "en | bg | uk | ru", "Otherwise the browser's."),
)
_PROOF: Final = (  # flows/payments/returning.py
    ("iss", "string", "`smsgw`."),
    ("aud", "string", "The merchant. Check that it is you."),
    ("jti", "string", "The payment. Spend it once."),
    ("outcome", "string", "The payment's `status`; only `succeeded` means paid."),
    ("product", "string", ""),
    ("units", "integer", ""),
    ("amount_minor", "integer", "In the currency's minor units."),
    ("currency", "string", "ISO 4217."),
    ("merchant_reference", "string", "Your name for the payment."),
    ("state", "string", ""),
    ("test", "boolean", "Paid at a simulated operator: no money was taken."),
    ("iat", "integer", "Seconds since 1970."),
    ("exp", "integer", "Seconds since 1970."),
)
_CURL: Final = "Authorization: Bearer smsgw_live_…"


def page(document: Document) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler; what it shows is made ready once."""
    schemas = document["components"]["schemas"]
    operations = [
        _operation(path, method, one, schemas)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]
    values = {
        "info": document["info"] | {"description": _prose(document["info"]["description"])},
        "operations": operations,
        "events": [_event(kind, one["post"], schemas) for kind, one in document["webhooks"].items()],
        "signed": [
            {"name": part["name"], "place": "", "required": True, "kind": "string", "text": _prose(part["description"])}
            for part in next(iter(document["webhooks"].values()))["post"]["parameters"]
        ],
        "claims": _fields(schemas["Claims"], schemas),
        "proof": [_row(*one) for one in _PROOF],
        "checkout": [_row(*one, required=False) for one in _CHECKOUT],
        "trials": [
            {"digits": one.digits, "does": _prose(one.does), "events": one.events, "reason": one.reason}
            for one in TRIALS
        ],
        "problems": [{"code": code, "status": status, "title": title} for code, (status, title) in PROBLEMS.items()],
    }

    async def show(request: web.Request) -> web.Response:
        return aiohttp_jinja2.render_template("docs.html", request, values)

    return show


def _row(name: str, kind: str, text: str, *, required: bool = True) -> Document:
    return {"name": name, "place": "", "required": required, "kind": kind, "text": _prose(text)}


def _event(kind: str, one: Document, schemas: Document) -> Document:
    whole = _resolved(one["requestBody"]["content"]["application/json"]["schema"], schemas)
    return {
        "id": one["operationId"],
        "type": kind,
        "text": [_prose(paragraph) for paragraph in one["description"].split("\n\n")],
        "fields": _fields(whole["properties"]["data"], schemas),
        "refund": [
            {"name": f"refund.{row['name']}"} | {key: row[key] for key in row if key != "name"}
            for part in whole["properties"].get("refund", {}).get("anyOf", ())
            if "$ref" in part
            for row in _fields(part, schemas)
        ]
        if kind in {"payment.refunded", "payment.refund_failed"}
        else [],
    }


def _operation(path: str, method: str, one: Document, schemas: Document) -> Document:
    parameters = [
        {"name": part["name"], "place": part["in"], "required": part.get("required", False)}
        | _told(part["schema"], schemas)
        | ({"text": _prose(part["description"])} if "description" in part else {})
        for part in one["parameters"]
    ]
    body = next(iter(one.get("requestBody", {}).get("content", {}).items()), None)
    good = next(status for status in one["responses"] if status.startswith("2"))
    answer_type, answer = next(iter(one["responses"][good]["content"].items()))
    fields = _fields(body[1]["schema"], schemas) if body else []
    return {
        "id": one["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": one["summary"],
        "text": [_prose(paragraph) for paragraph in one["description"].split("\n\n")],
        "parameters": parameters,
        "fields": fields,
        "example": _curl(path, method, parameters, body),
        "answer_type": answer_type,
        "answer": _fields(answer["schema"], schemas),
        "words": answer["schema"].get("enum", []),
        "problems": [
            code
            for status, response in one["responses"].items()
            if status != good
            for code in _CODE.findall(response["description"])
        ],
    }


def _fields(schema: Document, schemas: Document) -> list[Document]:
    whole = _resolved(schema, schemas)
    required = whole.get("required", ())
    return [
        {"name": name, "place": "", "required": name in required} | _told(field, schemas)
        for name, field in whole.get("properties", {}).items()
    ]


def _told(schema: Document, schemas: Document) -> Document:
    text = schema.get("description") or next(
        (kind["description"] for kind in schema.get("anyOf", ()) if "description" in kind), ""
    )
    return {"kind": _kind(schema, schemas), "text": _prose(text)}


def _kind(schema: Document, schemas: Document) -> str:
    """Say in a word or two what a value is."""
    if "$ref" in schema:
        whole = _resolved(schema, schemas)
        return " | ".join(map(str, whole["enum"])) if "enum" in whole else str(whole.get("title", "object"))
    if "enum" in schema:
        return " | ".join("null" if one is None else str(one) for one in schema["enum"])
    if "type" not in schema and "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one, schemas) for one in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'], schemas)}"
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{schema.get('type', 'anything')}{f' {low} to {high}' if low is not None else ''}"


def _resolved(schema: Document, schemas: Document) -> Document:
    found: Document = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _curl(path: str, method: str, parameters: list[Document], body: tuple[str, Any] | None) -> str:
    """Return a line that can be pasted and changed."""
    lines = [f"curl https://gateway.example{path}", f"-H '{_CURL}'"]
    if any(one["name"] == "Idempotency-Key" for one in parameters):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if body is not None and body[0] == "application/json":
        name = body[1]["schema"]["$ref"].rpartition("/")[2]
        lines += [
            "-H 'Content-Type: application/json'",
            f"-d '{json.dumps(_EXAMPLES[name], ensure_ascii=False)}'",
        ]
    elif body is not None:
        lines.append("-d code=ABCD-EFGH -d visitor_ip=203.0.113.7")
    elif method == "post":
        lines.append("-X POST")
    queries = [
        f"-d {one['name']}={_QUERIES[one['name']]}" for one in parameters if one["place"] == "query" and one["required"]
    ]
    return " \\\n  ".join([*lines, *(["-G", *queries] if queries else [])])


def _prose(text: str) -> Markup:
    """Return text with `words` set as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
