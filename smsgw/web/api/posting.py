"""What the rooms of events, deliveries and endpoints share: whose they are, where they are posted, who is woken."""

from collections.abc import Callable, Collection

from smsgw.flows.deliveries import LAST
from smsgw.flows.ports import Catalog, Ports
from smsgw.store.events import Choice, Delivery
from smsgw.web.api.gate import one_of
from smsgw.web.api.operations import Call
from smsgw.web.api.problem import Fault
from smsgw.web.api.repeats import Repeats


class PostingRoom:
    """Something about what merchants are told.

    Args:
        ports: the world.
        catalog: who has an address.
        again: keeps requests from being done twice.
        wake: hears whose events are due; must not fail or wait.
    """

    def __init__(self, ports: Ports, catalog: Catalog, again: Repeats, wake: Callable[[Collection[str]], None]) -> None:
        self._ports = ports
        self._catalog = catalog
        self._again = again
        self._wake = wake

    def _choice(self, call: Call, name: str | None, *, before: str | None, **more: str) -> Choice:
        """Return which events a caller means, of those that are theirs."""
        service = one_of(call.caller, name)
        return Choice(service=service, test=int(call.caller.key.test), before=before or LAST, **more)

    def _see_whether_posted(self, name: str) -> None:
        """Refuse what goes nowhere.

        Raises:
            Fault: a merchant or service has no address.
        """
        merchant, service = self._catalog.merchants.get(name), self._catalog.services.get(name)
        if not (merchant and merchant.settings.webhook_url) and not (service and service.settings.webhook_url):
            raise Fault("endpoint_missing", "carrier staff set webhook_url in the settings")


def more_of(rows: list[Delivery], count: int) -> str | None:
    """Return where the next page begins; None when there is none: one row more than are shown was asked for."""
    return rows[count - 1].id if len(rows) > count else None
