"""The API put together: every operation routed, let in, read, answered and described from one table."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import Struct

from smsgw.domain.addresses import networks
from smsgw.flows.apikeys import ApiKeys
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.desk import Payments
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.redeem import Verifier
from smsgw.kit.logs import get_logger
from smsgw.settings import Web
from smsgw.web.api import docs, openapi, refusal
from smsgw.web.api.checks import Checks
from smsgw.web.api.codes import CodeRoom
from smsgw.web.api.deliveries import DeliveryRoom
from smsgw.web.api.endpoints import EndpointRoom
from smsgw.web.api.events import EventRoom
from smsgw.web.api.evidence import EvidenceRoom
from smsgw.web.api.gate import Gate
from smsgw.web.api.hosted import Hosted
from smsgw.web.api.methods import MethodRoom
from smsgw.web.api.operations import Call, Operation
from smsgw.web.api.payments import PaymentRoom
from smsgw.web.api.plain import Plain
from smsgw.web.api.problem import Fault
from smsgw.web.api.products import ProductRoom
from smsgw.web.api.redemptions import Redemptions
from smsgw.web.api.refunds import RefundRoom
from smsgw.web.api.repeats import Repeats
from smsgw.web.api.returns import ReturnTokens
from smsgw.web.api.traces import Traces
from smsgw.web.guard import REQUEST_ID

log = get_logger(__name__)

_JSON: Final = "application/json"
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (ValueError, LookupError, web.RequestPayloadError, ConnectionError)


class Merchants(Struct, frozen=True, kw_only=True):
    """What the API works with."""

    ports: Ports
    verifier: Verifier
    keys: ApiKeys
    send: Callable[[Sequence[Outgoing]], None]  # takes messages that have been committed
    payments: Payments
    wake: Callable[[Collection[str]], None]  # hears whose events are due


class Api:
    """The operations under /v1, their document, and the page that shows it."""

    def __init__(self, settings: Web, desks: Merchants, catalog: Catalog) -> None:
        ports, patience_s = desks.ports, settings.verify_timeout_s
        proxies = networks(tuple(settings.proxies))
        self._body_timeout_s = settings.body_timeout_s
        self._gate = Gate(desks.keys, catalog, ports.clock, settings.api_rate_per_s, proxies)
        self._plain = Plain(
            self._gate, desks.verifier, catalog, patience_s=patience_s, body_timeout_s=settings.body_timeout_s
        )
        self.operations: list[Operation] = [
            *Checks(ports, desks.verifier, patience_s).operations(),
            *Redemptions(ports).operations(),
            *ReturnTokens(ports).operations(),
            *CodeRoom(ports, catalog, desks.send).operations(),
            *Traces(ports, catalog).operations(),
            *self._of_payments(settings, desks, catalog),
        ]
        self._document = openapi.document(self.operations)
        self._json = msgspec.json.encode(self._document)

    def _of_payments(self, settings: Web, desks: Merchants, catalog: Catalog) -> list[Operation]:
        ports, payments, again = desks.ports, desks.payments, Repeats(desks.ports)
        hosted = Hosted(ports, settings)
        return [
            *ProductRoom(ports, catalog, payments.asker).operations(),
            *PaymentRoom(ports, payments, hosted, again, patience_s=settings.verify_timeout_s).operations(),
            *RefundRoom(payments, again).operations(),
            *EvidenceRoom(ports, payments, hosted).operations(),
            *MethodRoom(ports, catalog, again).operations(),
            *EventRoom(ports, catalog, again, desks.wake).operations(),
            *DeliveryRoom(ports, catalog, again, desks.wake).operations(),
            *EndpointRoom(ports, catalog, again, desks.wake).operations(),
        ]

    def route(self, app: web.Application) -> None:
        """Add all addresses."""
        for operation in self.operations:
            app.router.add_route(operation.method, operation.path, self._handler(operation))
        app.router.add_get("/v1/plain/{service}", self._plain.get, allow_head=False)  # a link checker must not use up
        app.router.add_post("/v1/plain/{service}", self._plain.post)
        app.router.add_get("/v1/openapi.json", self._tell)
        app.router.add_get("/docs", docs.page(self._document))

    async def _tell(self, _: web.Request) -> web.Response:
        return web.Response(body=self._json, content_type=_JSON)

    def _handler(self, operation: Operation) -> Callable[[web.Request], Any]:
        decoder = msgspec.json.Decoder(operation.takes) if operation.takes else None

        async def handle(request: web.Request) -> web.Response:
            caller = await self._gate.enter(request, operation.scope)
            query = _query(request, operation.query) if operation.query else None
            body = await self._body(request, decoder) if decoder else None
            call = Call(request=request, caller=caller, body=body, query=query, headers={})
            answer = await operation.handler(call)
            log.info("api.answered", request=request[REQUEST_ID], operation=operation.name, caller=caller.key.id)
            return web.Response(body=_encode(answer), content_type=_JSON, headers=call.headers, status=operation.status)

        return handle

    async def _body(self, request: web.Request, decoder: msgspec.json.Decoder[Any]) -> Any:
        if request.content_type != _JSON:
            raise Fault("media_type", "send the header Content-Type: application/json")
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await request.read()
        except TimeoutError:
            raise Fault("request_timeout") from None
        except _UNREADABLE:
            raise Fault("body_unreadable") from None
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:
            raise Fault("body_invalid", refusal.sentence(error, decoder.type)) from None
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise Fault("body_unreadable", "the body must be JSON in UTF-8") from None


def _query(request: web.Request, kind: type[Struct]) -> Any:
    if len(set(request.query)) < len(request.query):
        raise Fault("query_invalid", "each parameter may be given once")
    try:
        return msgspec.convert(dict(request.query), kind, strict=False)
    except msgspec.ValidationError as error:
        raise Fault("query_invalid", refusal.sentence(error, kind)) from None
