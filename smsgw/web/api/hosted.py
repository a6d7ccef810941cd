"""A payment as the API shows it: with the number as far as the key may see it, and the address of its hosted page."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from smsgw.flows.payments import pages
from smsgw.flows.payments.events import Payment, view
from smsgw.flows.ports import Ports
from smsgw.settings import Web
from smsgw.store.payments import PaymentRow
from smsgw.web.api.operations import Call


class HostedPayment(Payment, frozen=True, kw_only=True):
    """A payment."""

    checkout_url: Annotated[
        str,
        Meta(description="Its page, for the buyer: how it stands, live. Whoever has the address may see that."),
    ]


_FIELDS = Payment.__struct_fields__


class Hosted:
    """Shows payments.

    Args:
        ports: the world.
        settings: say how the world reaches us.
    """

    def __init__(self, ports: Ports, settings: Web) -> None:
        self._ports = ports
        self._settings = settings

    def show(self, call: Call, row: PaymentRow) -> HostedPayment:
        """Return a payment as the caller may see it."""
        return self.with_page(call, view(row, clear=call.caller.clear))

    def with_page(self, call: Call, payment: Payment, msisdn: str | None = None) -> HostedPayment:
        """Return a payment with the address of its page; ``msisdn``: with this number."""
        fields = {name: getattr(payment, name) for name in _FIELDS}
        if msisdn is not None:
            fields["msisdn"] = msisdn
        return HostedPayment(**fields, checkout_url=self._base(call.request) + pages.path_of(self._ports, payment.id))

    def _base(self, request: web.Request) -> str:
        settings = self._settings
        if settings.public_url:
            return settings.public_url.rstrip("/")
        port = settings.port
        if not port and request.transport is not None:  # any free one: the one that this request has found
            port = request.transport.get_extra_info("sockname")[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"http://{host}:{port}"
