"""A site that sells access: a form, a page behind the door, and the pages for those who have to stay outside.

Try it: SMSGW_VERIFY_URL=… SMSGW_SERVICE=… SMSGW_RETURN_KEYS="id=secret" python3 shop.py 8000
"""

import calendar
import hashlib
import hmac
import html
import os
import secrets
import sys
import tempfile
import time
from http.cookies import CookieError, SimpleCookie
from socketserver import ThreadingMixIn
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from smsgw_return import SmsgwReturn

VERIFY_URL = os.environ["SMSGW_VERIFY_URL"]
DOOR = SmsgwReturn(
    os.environ["SMSGW_SERVICE"],
    dict(pair.split("=", 1) for pair in os.environ["SMSGW_RETURN_KEYS"].split()),
    os.environ.get("SMSGW_SPENT", tempfile.gettempdir()),
    test=os.environ.get("SMSGW_TEST") == "yes",
)
# Signs the visitors' cookies. Set it, or a restart throws everybody out.
SITE_SECRET = os.environ.get("SITE_SECRET", secrets.token_hex(32)).encode()
DAY = 86_400


def site(environ, start_response):
    """Answer one request (WSGI)."""
    session = read_cookie(environ)
    path = environ["PATH_INFO"]
    query = parse_qs(environ["QUERY_STRING"], max_num_fields=20)
    if path == "/":
        session.setdefault("state", secrets.token_hex(16))
        return page(start_response, "Sunrise Weather", form(session["state"]), session)
    if path == "/members" and "rt" in query:
        claims = DOOR.open(query["rt"][0], session.get("state", ""))
        if claims is None:
            return go(start_response, "/invalid", session)
        return go(start_response, "/members", {"until": str(end_of(claims))})  # without the token in the address
    if path == "/members" and int(session.get("until", 0)) > time.time():
        return page(start_response, "Members only", "<p>The sun rises at 5:41.</p>", session)
    if path == "/members":
        return go(start_response, "/", session)
    if path == "/expired":
        return page(start_response, "This code is over", '<p><a href="/">Try another one</a></p>', session)
    if path == "/invalid":
        return page(start_response, "This code is not valid", '<p><a href="/">Try again</a></p>', session)
    return page(start_response, "Not found", "", session, "404 Not Found")


def form(state):
    """Return the form that brings the code to smsgw, and the visitor back."""
    return (
        f'<form method="post" action="{html.escape(VERIFY_URL)}"><input type="hidden" name="state" value="{state}">'
        '<label>Access code <input name="code" autocomplete="one-time-code" required></label>'
        "<button>Enter</button></form>"
    )


def end_of(claims):
    """Return when this visitor must bring a code again: after a day, or when the code is over."""
    until = claims.get("valid_until")
    over = calendar.timegm(time.strptime(until[:19], "%Y-%m-%dT%H:%M:%S")) if until else float("inf")
    return int(min(time.time() + DAY, over))


def page(start_response, title, body, session, status="200 OK"):
    """Answer with a page."""
    title = html.escape(title)
    text = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>{body}</html>'
    start_response(status, [("Content-Type", "text/html; charset=utf-8"), *headers(session)])
    return [text.encode()]


def go(start_response, path, session):
    """Send the visitor to another page."""
    start_response("303 See Other", [("Location", path), *headers(session)])
    return [b""]


def headers(session):
    """Return what goes with every answer."""
    # and "; Secure" behind TLS
    cookie = f"shop={write_cookie(session)}; HttpOnly; SameSite=Lax; Path=/"
    return [("Set-Cookie", cookie), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")]


def write_cookie(session):
    """Return a session as a signed text: name-value.name-value.signature."""
    text = ".".join(f"{name}-{value}" for name, value in session.items())
    return f"{text}.{hmac.new(SITE_SECRET, text.encode(), hashlib.sha256).hexdigest()}"


def read_cookie(environ):
    """Return a visitor's session; an empty one for a cookie that is not ours."""
    try:
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("shop")
    except CookieError:
        return {}
    text, _, signature = (cookie.value if cookie else "").rpartition(".")
    expected = hmac.new(SITE_SECRET, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return {}
    return dict(pair.split("-", 1) for pair in text.split(".") if pair)


class Server(ThreadingMixIn, WSGIServer):
    """One thread for each visitor."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Writes no addresses to the log: there are tokens in them."""

    def log_message(self, *_):
        """Say nothing."""


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), site, Server, Quiet).serve_forever()
