"""The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): read, and tied to its request."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from smsgw.flows import idempotency
from smsgw.flows.idempotency import Idempotency
from smsgw.flows.ports import Ports
from smsgw.web.api.operations import Call
from smsgw.web.api.problem import Fault

S = TypeVar("S", bound=Struct)

_KEY = re.compile(r'[!#-~ ]{1,255}|"[!#-~ ]{1,255}"').fullmatch
_encode = msgspec.json.Encoder().encode

PROBLEMS = ("idempotency_key_missing", "idempotency_key_invalid", "idempotency_key_reused")
AT_ONCE: Final = (*PROBLEMS, "idempotency_in_progress")


def asked(call: Call, service: str) -> Idempotency:
    """Return what makes a request about a service safe to repeat: its key, its address and its body.

    Raises:
        Fault: there is no key, or it cannot be one.
    """
    key = _key(call.request)
    body = _encode(call.body).decode()
    request = f"{call.request.method} {call.request.path}\0{body}"
    return idempotency.asked(service, test=call.caller.key.test, key=key, request=request)


def say_repeated(call: Call) -> None:
    """Have the answer say that it is the first one's."""
    call.headers["Idempotent-Replayed"] = "true"


class Repeats:
    """Requests that must not be done twice, neither one after the other nor at once.

    Args:
        ports: the world.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._under_way: set[tuple[str, str]] = set()

    @contextmanager
    def once(self, call: Call, name: str) -> Iterator[Idempotency]:
        """Give what makes a request of a merchant safe to repeat; nobody else has it until the block ends.

        Raises:
            Fault: there is no key, or it cannot be one, or the first request is being worked on.
        """
        one = asked(call, name)
        place = (one.caller, one.key)
        if place in self._under_way:
            raise Fault(
                "idempotency_in_progress", "its answer comes soon; repeat the request then", {"Retry-After": "1"}
            )
        self._under_way.add(place)
        try:
            yield one
        finally:
            self._under_way.discard(place)

    async def answer(self, call: Call, name: str, kind: type[S], work: Callable[[], Awaitable[S]]) -> S:
        """Do what may be done once more without harm, and keep the answer for whoever repeats the request.

        Args:
            call: the request.
            name: whose it is.
            kind: of the answer.
            work: does it; when this program dies before the answer is kept, a repetition does it again.
        """
        with self.once(call, name) as one:
            known = await idempotency.known(self._ports, one)
            if known is not None:
                say_repeated(call)
                return msgspec.json.decode(known, type=kind)
            made = await work()
            await idempotency.remember(self._ports, one, _encode(made))
            return made


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
