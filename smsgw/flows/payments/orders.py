"""What an operator's HTTP API is told of a payment's attempt."""

from smsgw.domain.goods import Terms
from smsgw.flows.ports import Catalog, Order
from smsgw.settings import ChargeProfile
from smsgw.store.charges import ChargeRow
from smsgw.store.payments import PaymentRow


def order_of(catalog: Catalog, row: PaymentRow, charge: ChargeRow, terms: Terms) -> Order:
    """Return the order of an attempt."""
    return Order(
        charge=charge.id,
        payment=row.id,
        link=charge.link,
        profile=terms.profile,
        msisdn=row.msisdn,
        amount_minor=row.amount_minor,
        currency=row.currency,
        description=_description(catalog, row),
        operator_id=charge.operator_id,
    )


def profile_of(catalog: Catalog, link: str, terms: Terms) -> ChargeProfile | None:
    """Return the way to charge that a payment was made for; None: the settings do not have it any more."""
    settings = catalog.links.get(link)
    profile = settings.charging.get(terms.profile) if settings else None
    return profile if profile is not None and profile.way == "direct" else None


def has_api(catalog: Catalog, link: str) -> bool:
    """Whether anything at this link is charged by its operator's HTTP API."""
    settings = catalog.links.get(link)
    return settings is not None and any(one.way == "direct" for one in settings.charging.values())


def _description(catalog: Catalog, row: PaymentRow) -> str:
    """Return what the buyer reads on the bill: the product, in the buyer's language."""
    merchant = catalog.merchants.get(row.merchant)
    goods = merchant.goods.get(row.product) if merchant else None
    if merchant is None or goods is None:
        return row.product
    return goods.title_in(row.language, merchant.settings.language)  # type: ignore[arg-type]  # the column has no others
