"""What is allowed in what merchants sell, and hardly meant: limits that limit nothing, prices that nobody can pay."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from smsgw.domain import addresses, destinations, goods_texts, money
from smsgw.settings import Configuration, MerchantSettings
from smsgw.settings.merchant import Cap


def remarks(configuration: Configuration) -> list[str]:
    """Return a sentence for each, in the form of settings problems: file, setting, what is the matter."""
    folder = configuration.file.parent
    merchants = configuration.merchants
    everywhere = _caps(configuration.main.payments.caps, "payments.caps", merchants.values(), configuration)
    found = [f"{configuration.file}: {remark}" for remark in everywhere]
    for name, merchant in merchants.items():
        file = folder / "merchants" / f"{name}.toml"
        found += [f"{file}: {remark}" for remark in _caps(merchant.caps, "caps", [merchant], configuration)]
        if not configuration.main.webhooks.private_networks:
            found += [f"{file}: {remark}" for remark in _private(merchant)]
    return found


def _caps(
    caps: Iterable[Cap], where: str, merchants: Iterable[MerchantSettings], configuration: Configuration
) -> Iterator[str]:
    offers = [offer for one in merchants for offer in goods_texts.offers(one, configuration.links)]
    sold_in = sorted({offer.price.currency for offer in offers})
    for number, cap in enumerate(caps, 1):
        if not cap.amount_minor or not offers:
            continue
        if cap.currency not in sold_in:
            what = f"nothing is sold in {cap.currency}, so this cap limits nothing"
            yield f"{where}[{number}].currency: {what}; prices are in {', '.join(sold_in)}"
            continue
        dear = sorted(
            {
                (offer.price.amount_minor, offer.product)
                for offer in offers
                if offer.price.currency == cap.currency and offer.price.amount_minor > cap.amount_minor
            }
        )
        if dear:
            price, product = dear[0]
            told = f"{product} costs {money.plain(price, cap.currency)}, which is more: nobody can buy it"
            more = f", nor {len(dear) - 1} other(s)" if len(dear) > 1 else ""
            yield f"{where}[{number}].amount_minor: {told}{more}"


def _private(merchant: MerchantSettings) -> Iterator[str]:
    """Yield addresses to which nothing will be posted; of those that are names, only the resolver knows."""
    for field in ("webhook_url", "authorize_url"):
        host = urlsplit(getattr(merchant, field)).hostname or ""
        number = "127.0.0.1" if host == "localhost" else host
        if addresses.parse(number) and destinations.is_forbidden(number, private_networks=False):
            yield f"{field}: {host} is not on the Internet: nothing is posted there; set webhooks.private_networks"
