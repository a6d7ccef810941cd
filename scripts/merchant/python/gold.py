"""A site that sells gold: a form, the way to the gateway's checkout and back, and the address where events come in.

Try it: SMSGW_API=http://127.0.0.1:8081/v1 SMSGW_API_KEY=… SMSGW_MERCHANT=… SMSGW_WEBHOOK_SECRETS=whsec_… \
    SMSGW_RETURN_KEYS="id=secret" SMSGW_FOLDER=… python3 gold.py 8000
"""

import hashlib
import html
import os
import re
import secrets
import sys
from http.cookies import CookieError, SimpleCookie
from socketserver import ThreadingMixIn
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from smsgw_payments import SmsgwError, SmsgwPayments
from smsgw_return import SmsgwPaymentReturn
from smsgw_webhooks import SmsgwWebhooks

MERCHANT = os.environ["SMSGW_MERCHANT"]
TEST = os.environ.get("SMSGW_TEST") == "yes"
TIMEOUT_S = float(os.environ.get("SMSGW_TIMEOUT_S", "8"))
PAYMENTS = SmsgwPayments(os.environ["SMSGW_API"], os.environ["SMSGW_API_KEY"], MERCHANT, TIMEOUT_S)
HOOKS = SmsgwWebhooks(os.environ["SMSGW_WEBHOOK_SECRETS"].split(), os.environ["SMSGW_FOLDER"], TEST)
DOOR = SmsgwPaymentReturn(
    MERCHANT,
    dict(pair.split("=", 1) for pair in os.environ["SMSGW_RETURN_KEYS"].split()),
    os.environ["SMSGW_FOLDER"],
    TEST,
)
MOST = 65_536  # octets of a body
RESULTS = {
    "/paid": "Paid. Your gold is there within seconds.",
    "/unpaid": "Not paid, as far as we know. Should it be after all, your gold comes by itself.",
}
# What the buyer can do about it; after these the same order is sent again, as it was or put right.
WORDS = {
    "confirmation_open": "Another SMS waits for your answer. Please answer that one, then press Pay again.",
    "no_answer": "We could not reach the payment. Please press Pay again: you pay once at most.",
    "number_invalid": "This is no phone number. Please write it with its country code.",
}


def site(environ, start_response):
    """Answer one request (WSGI)."""
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path == "/hook" and method == "POST":
        return hook(environ, start_response)
    visitor = visitor_of(environ)
    if path == "/buy" and method == "POST" and visitor:
        return buy(environ, start_response, visitor)
    if path == "/back":
        token = parse_qs(environ["QUERY_STRING"], max_num_fields=20).get("rt", [""])[0]
        return go(start_response, "/unpaid" if DOOR.open(token, state_of(visitor)) is None else "/paid")
    if path in RESULTS:
        return page(start_response, f"<p>{RESULTS[path]}</p>")
    if path == "/":
        visitor = visitor or secrets.token_hex(16)
        return page(start_response, form(secrets.token_hex(16), ""), visitor=visitor)
    return go(start_response, "/")


def hook(environ, start_response):
    """Take an event; whatever goes wrong is no 2xx, and then it comes again."""
    names = ("HTTP_WEBHOOK_ID", "HTTP_WEBHOOK_TIMESTAMP", "HTTP_WEBHOOK_SIGNATURE")
    status = HOOKS.take(*(environ.get(name, "") for name in names), body_of(environ))
    start_response("204 No Content" if status == 204 else "400 Bad Request", [])
    return [b""]


def buy(environ, start_response, visitor):
    """Ask the phone; send the buyer to the checkout, or say what can be done."""
    text = body_of(environ).decode("utf-8", "replace")
    fields = {name: values[0] for name, values in parse_qs(text, max_num_fields=20).items()}
    order, number = fields.get("order", ""), fields.get("number", "")
    if not re.fullmatch(r"[0-9a-f]{32}", order):
        return go(start_response, "/")
    try:
        payment = PAYMENTS.create(order, "gold", number, state_of(visitor))
    except SmsgwError as refused:
        if refused.code in WORDS:
            words, again = WORDS[refused.code], form(order, number)
        else:
            words, again = f"This cannot be paid by phone now ({refused.code}).", form(secrets.token_hex(16), number)
        return page(start_response, f"<p>{html.escape(words)}</p>{again}", "409 Conflict")
    return go(start_response, payment["checkout_url"])


def body_of(environ):
    """Return the octets of a body."""
    return environ["wsgi.input"].read(max(0, min(int(environ.get("CONTENT_LENGTH") or 0), MOST)))


def form(order, number):
    """Return the form. Its order is paid once, however often it is sent."""
    return (
        f'<form method="post" action="/buy"><input type="hidden" name="order" value="{order}">'
        f'<label>Your phone <input name="number" type="tel" value="{html.escape(number)}" required></label>'
        "<button>Pay</button></form>"
    )


def visitor_of(environ):
    """Return the name in a visitor's cookie; "" when there is none."""
    try:
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("visitor")
    except CookieError:
        return ""
    return cookie.value if cookie and re.fullmatch(r"[0-9a-f]{32}", cookie.value) else ""


def state_of(visitor):
    """Return what the gateway gives back with this visitor: addresses are seen by others, so not the cookie itself."""
    return hashlib.sha256(visitor.encode()).hexdigest() if visitor else ""


def page(start_response, body, status="200 OK", visitor=""):
    """Answer with a page."""
    more = [("Set-Cookie", f"visitor={visitor}; HttpOnly; SameSite=Lax; Path=/")] if visitor else []  # and "; Secure"
    start_response(status, [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"), *more])
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Gold</title><h1>Gold</h1>'
    return [f"{head}{body}</html>".encode()]


def go(start_response, place):
    """Send the visitor to another page."""
    start_response("303 See Other", [("Location", place), ("Cache-Control", "no-store")])
    return [b""]


class Server(ThreadingMixIn, WSGIServer):
    """One thread for each visitor."""

    daemon_threads = True
    request_queue_size = 128  # events come several at a time


class Quiet(WSGIRequestHandler):
    """Writes no addresses to the log: there are tokens in them."""

    def log_message(self, *_):
        """Say nothing."""


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), site, Server, Quiet).serve_forever()
