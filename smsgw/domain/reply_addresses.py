"""Where answers to questions come in: link and short code in, the languages of the words that count there out."""

from collections.abc import Mapping

from smsgw.domain import goods
from smsgw.domain.goods import Merchant
from smsgw.settings.merchant import Language


def index(
    merchants: Mapping[str, Merchant], simulated: str | None = None
) -> dict[tuple[str, str], tuple[Language, ...]]:
    """Return {(link, short code): languages} of all addresses that a question may be answered at.

    Args:
        merchants: whose questions.
        simulated: the link at which whatever has no price there is tested (domain/sandbox.py).
    """
    found: dict[tuple[str, str], set[Language]] = {}
    for merchant in merchants.values():
        languages = goods.languages(merchant.settings)
        if simulated is not None:
            for address in merchant.settings.reply_addresses:
                found.setdefault((simulated, address), set()).update(languages)
        for product in merchant.goods.values():
            for link, price in product.prices.items():
                own = [price.terms.short_code] if price.terms.way == "mo" else merchant.settings.reply_addresses
                for address in own:
                    found.setdefault((link, address), set()).update(languages)
    return {place: tuple(sorted(languages)) for place, languages in found.items()}


def billed(merchants: Mapping[str, Merchant]) -> frozenset[tuple[str, str]]:
    """Return (link, short code) of all addresses at which the answer itself costs money."""
    products = [product for merchant in merchants.values() for product in merchant.goods.values()]
    prices = [place for product in products for place in product.prices.items()]
    return frozenset((link, price.terms.short_code) for link, price in prices if price.terms.way == "mo")
