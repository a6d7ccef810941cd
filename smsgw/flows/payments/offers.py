"""What a phone can buy: whose it is, and what each product costs there."""

from msgspec import Struct

from smsgw.domain.goods import Merchant, Price
from smsgw.flows.amend import Refused
from smsgw.flows.payments.asking import Asker
from smsgw.flows.ports import Catalog, Ports
from smsgw.store import ported


class Offer(Struct, frozen=True, kw_only=True):
    """What a phone can buy of one merchant."""

    operator: str | None  # None: nobody's that we are connected to
    prices: dict[str, Price]  # by product, of those that can be paid there


async def offer(ports: Ports, catalog: Catalog, asker: Asker, merchant: Merchant, msisdn: str, *, test: bool) -> Offer:
    """Return what a phone can buy.

    Args:
        ports: the world.
        catalog: the links.
        asker: knows the prices.
        merchant: whose products.
        msisdn: digits of E.164.
        test: at a simulated operator.
    """
    async with ports.database.read() as reader:
        moved = await ported.lookup(reader, [msisdn])
    link = None if test else moved.get(msisdn) or catalog.operators.of(msisdn)
    operator = link if link in catalog.links and not catalog.links[link].test else None
    prices = {}
    for product in merchant.goods:
        try:
            operator, prices[product] = asker.price_of(merchant.name, product, msisdn, moved, test=test)
        except Refused:
            continue
    return Offer(operator=operator, prices=prices)
