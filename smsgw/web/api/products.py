"""/v1/products: what a merchant sells, and what it costs where."""

from typing import Annotated

from msgspec import Meta, Struct

from smsgw.domain.goods import Goods, Price
from smsgw.flows.payments.asking import Asker
from smsgw.flows.payments.offers import Offer, offer
from smsgw.flows.ports import Catalog, Ports
from smsgw.settings.merchant import Language
from smsgw.web.api.gate import merchant_of, one_of
from smsgw.web.api.operations import AnyName, Call, Operation
from smsgw.web.api.payments import Typed, number


class ProductQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose products, and for which phone."""

    merchant: AnyName | None = None
    msisdn: Typed | None = None


class ProductPrice(Struct, frozen=True, kw_only=True):
    """What a product costs at one operator."""

    operator: str
    amount_minor: Annotated[int, Meta(description="In the currency's minor units.")]
    currency: Annotated[str, Meta(description="ISO 4217.")]


class Product(Struct, frozen=True, kw_only=True):
    """Something that is sold."""

    product: Annotated[str, Meta(description="Its name.")]
    titles: Annotated[dict[Language, str], Meta(description="By language: en, bg, uk, ru.")]
    units: Annotated[int, Meta(description="How many of what it is counted in.")]
    prices: Annotated[list[ProductPrice], Meta(description="One for each operator where it can be paid.")]
    price: Annotated[
        ProductPrice | None, Meta(description="For the phone that was asked about; null: it cannot be paid there.")
    ]


class Products(Struct, frozen=True, kw_only=True):
    """What a merchant sells."""

    merchant: str
    operator: Annotated[
        str | None, Meta(description="Of the phone that was asked about; null: of none that we are connected to.")
    ]
    products: list[Product]


class ProductRoom:
    """Products.

    Args:
        ports: the world.
        catalog: the operators.
        asker: knows the prices.
    """

    def __init__(self, ports: Ports, catalog: Catalog, asker: Asker) -> None:
        self._ports = ports
        self._catalog = catalog
        self._asker = asker

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="GET",
                path="/v1/products",
                name="listProducts",
                summary="What is sold",
                text=(
                    "The merchant's products with their titles and prices. With `msisdn` also whose phone it is, and "
                    "what each product costs there: that is what the buyer will be asked for."
                ),
                scope="payments:read",
                handler=self.listed,
                query=ProductQuery,
                gives=Products,
                problems=("query_invalid", "number_invalid", "merchant_not_allowed", "merchant_gone"),
            )
        ]

    async def listed(self, call: Call) -> Products:
        """List them."""
        query: ProductQuery = call.query
        merchant = merchant_of(call.caller, one_of(call.caller, query.merchant))
        found, test = Offer(operator=None, prices={}), call.caller.key.test
        if query.msisdn is not None:
            msisdn = number(query.msisdn)
            found = await offer(self._ports, self._catalog, self._asker, merchant, msisdn, test=test)
        products = [self._product(goods, found, test=test) for goods in merchant.goods.values()]
        return Products(merchant=merchant.name, operator=found.operator, products=products)

    def _product(self, goods: Goods, found: Offer, *, test: bool) -> Product:
        links = self._catalog.links
        price = found.prices.get(goods.name)
        return Product(
            product=goods.name,
            titles=goods.title,
            units=goods.units,
            prices=[_price(link, one) for link, one in sorted(goods.prices.items()) if test or not links[link].test],
            price=_price(found.operator, price) if price is not None and found.operator is not None else None,
        )


def _price(operator: str, price: Price) -> ProductPrice:
    return ProductPrice(operator=operator, amount_minor=price.amount_minor, currency=price.currency)
