"""Makes ready what is sold and where, from settings that have passed their checks: for the daemon and for commands."""

from smsgw.domain import catalog, goods, reply_addresses, sandbox
from smsgw.domain.operators import Operators
from smsgw.domain.routing import Routes
from smsgw.flows.ports import Catalog
from smsgw.settings import Configuration


def build(configuration: Configuration) -> Catalog:
    """Return the catalog."""
    merchants = goods.build(configuration.merchants, configuration.links)
    return Catalog(
        links=configuration.links,
        services=catalog.build(configuration.services),
        routes=Routes(configuration.services, configuration.links),
        answers=configuration.main.answers,
        merchants=merchants,
        reply_addresses=reply_addresses.index(merchants, sandbox.for_tests(configuration.links)),
        billed_addresses=reply_addresses.billed(merchants),
        operators=Operators(configuration.links),
        payments=configuration.main.payments,
    )
