"""GET and POST /v1/plain/<service>: one word for old sites. It uses the code; the address is the key."""

import asyncio
from typing import Final

from aiohttp import web
from multidict import MultiMapping

from smsgw.domain.codes import Outcome
from smsgw.flows.ports import Catalog
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Visit
from smsgw.web.api.checks import answer_of, visitor
from smsgw.web.api.gate import Gate
from smsgw.web.api.problem import Fault
from smsgw.web.verify import is_state

WORDS: Final = {
    Outcome.SUCCESS: "OK",
    Outcome.EXPIRED: "EXPIRED",
    Outcome.USED_UP: "EXPIRED",
    Outcome.INVALID: "INVALID",
    Outcome.THROTTLED: "WAIT",
}
_NO_FORM = (ValueError, LookupError, web.RequestPayloadError, ConnectionError)


class Plain:
    """Answers in plain text: one word and a line feed.

    Args:
        gate: knows keys and addresses.
        verifier: decides.
        catalog: the services.
        patience_s: longest wait for a decision.
        body_timeout_s: longest wait for a form.
    """

    def __init__(
        self, gate: Gate, verifier: Verifier, catalog: Catalog, *, patience_s: float, body_timeout_s: float
    ) -> None:
        self._gate = gate
        self._verifier = verifier
        self._catalog = catalog
        self._patience_s = patience_s
        self._body_timeout_s = body_timeout_s

    async def get(self, request: web.Request) -> web.Response:
        """Take the fields from the query."""
        return await self._answer(request, request.query)

    async def post(self, request: web.Request) -> web.Response:
        """Take the fields from the form."""
        try:
            async with asyncio.timeout(self._body_timeout_s):
                form = await request.post()
        except TimeoutError:
            raise Fault("request_timeout") from None
        except _NO_FORM:
            raise Fault("bad_request", "the body is no form") from None
        return await self._answer(request, form)

    async def _answer(self, request: web.Request, fields: MultiMapping[object]) -> web.Response:
        service = self._catalog.services.get(request.match_info["service"])
        key = await self._gate.key_of(request)
        if service is None:
            raise Fault("not_found")
        address = self._gate.by_address(request, service)
        if key is not None and service.name not in key.services:
            raise Fault("service_not_allowed")
        if key is None:
            self._gate.slow_down(service.name)
        else:
            self._gate.admit(key, "codes:redeem")
        values = {name: fields.get(name) for name in ("code", "state", "visitor_ip")}
        code, state, visitor_ip = (value if isinstance(value, str) else "" for value in values.values())
        if not is_state(state):
            raise Fault("query_invalid", "state: at most 512 characters, none of them NUL")
        visit = Visit(
            service=service.name,
            typed=code,
            visitor=visitor(visitor_ip or None, key.id if key else address),
            known=bool(visitor_ip),
            state=state,
            channel="plain",
            test=key.test if key else False,
        )
        answer = answer_of(await self._verifier.redeem(visit, self._patience_s), uses=True)
        headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
        return web.Response(text=f"{WORDS[answer.outcome]}\n", headers=headers)
