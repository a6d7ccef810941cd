"""Requests that carry an Idempotency-Key: whoever repeats one has the first one's answer, and nothing is done twice.

A key belongs to a service and to live or test codes, not to the API key that it came with: a merchant who changes from
one API key to the next repeats a request under the new one.
"""

from typing import Final

from msgspec import Struct

from smsgw.flows.ports import Ports

_REQUEST: Final = "a request"  # no service has a blank in its name: these HMACs are nobody's look-ups


class Idempotency(Struct, frozen=True, kw_only=True):
    """What makes a request safe to repeat."""

    caller: str  # the service, and live or test
    key: str  # the caller's own
    fingerprints: list[str]  # of the request, under the vault's key in use and then under the older ones


def asked(ports: Ports, service: str, *, test: bool, key: str, request: str) -> Idempotency:
    """Return what makes a request safe to repeat.

    Args:
        ports: the world.
        service: whose request it is.
        test: about test codes.
        key: the Idempotency-Key.
        request: everything that tells it from other requests. It may hold a code, hence the vault's HMAC.
    """
    caller = f"{service}/{'test' if test else 'live'}"
    return Idempotency(caller=caller, key=key, fingerprints=ports.vault.lookups(_REQUEST, request))
