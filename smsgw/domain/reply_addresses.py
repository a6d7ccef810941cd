"""Where answers to questions come in: link and short code in, the languages of the words that count there out."""

from collections.abc import Mapping

from smsgw.domain import goods
from smsgw.domain.goods import Merchant
from smsgw.settings.merchant import Language


def index(merchants: Mapping[str, Merchant]) -> dict[tuple[str, str], tuple[Language, ...]]:
    """Return {(link, short code): languages} of all addresses that a question may be answered at."""
    found: dict[tuple[str, str], set[Language]] = {}
    for merchant in merchants.values():
        languages = goods.languages(merchant.settings)
        for product in merchant.goods.values():
            for link, price in product.prices.items():
                own = [price.terms.short_code] if price.terms.way == "mo" else merchant.settings.reply_addresses
                for address in own:
                    found.setdefault((link, address), set()).update(languages)
    return {place: tuple(sorted(languages)) for place, languages in found.items()}
