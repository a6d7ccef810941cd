"""The flows of payments, as a command needs them: what it changes, the daemon finds in the store."""

from smsgw.commands.visits import Visit
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.resolving import Resolver


def payments_of(one: Visit) -> Payments:
    """Return the flows of payments; what they want sent is found in the store by the running daemon."""
    return Payments(one.ports, one.catalog, lambda _: None)


def resolver_of(one: Visit) -> Resolver:
    """Return who takes what has been found out."""
    return Resolver(one.ports, one.catalog, payments_of(one))
