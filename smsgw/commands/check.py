"""`smsgw check`: what is wrong with the settings, or what they sell and what its messages take."""

from rich.table import Table

from smsgw import settings
from smsgw.commands import ground
from smsgw.commands.ground import DEFAULT_FILE, ConfigFile, load, screen, tell
from smsgw.domain import carrier_remarks, catalog, goods_remarks, goods_texts, money
from smsgw.domain.catalog import Service
from smsgw.domain.goods_texts import Offer
from smsgw.kit import passwords, tls
from smsgw.kit.systemd import Systemd
from smsgw.settings import Configuration, MerchantSettings


def check(config: ConfigFile = DEFAULT_FILE) -> None:
    """Read the settings and the password files, and name every mistake in them."""
    configuration = load(config, lambda found: passwords.problems(found, Systemd()) + tls.problems(found))
    remarks = (*carrier_remarks.remarks(configuration), *goods_remarks.remarks(configuration))
    for warning in (*settings.warnings(configuration), *remarks):
        tell(f"warning: {warning}", style="yellow")
    table = ground.table("service", "short code", "keywords", "sold at", "answer", "saving")
    for name, service in catalog.build(configuration.services).items():
        sold = service.settings
        links = ", ".join(sold.links) or "all links"
        table.add_row(name, sold.short_code, ", ".join(sold.keywords), links, *_costs(service, configuration))
    counts = f"{len(configuration.links)} link(s), {len(configuration.services)} service(s)"
    if configuration.merchants:
        counts += f", {len(configuration.merchants)} merchant(s)"
    screen.print(f"{config}: {counts}, no mistakes", markup=False)
    if configuration.services:
        screen.print(table)
    if configuration.merchants:
        screen.print(_goods(configuration))


def _goods(configuration: Configuration) -> Table:
    """Return what merchants sell: each product at each of its prices, where, how, and what its question takes."""
    shown = ground.table("merchant", "product", "price", "charged at", "question")
    for name, merchant in configuration.merchants.items():
        rows: dict[tuple[str, str], list[Offer]] = {}
        for offer in goods_texts.offers(merchant, configuration.links):
            rows.setdefault((offer.product, offer.tariff), []).append(offer)
        for (product, _), offers in rows.items():
            price = money.plain(offers[0].price.amount_minor, offers[0].price.currency)
            shown.add_row(name, product, price, ", ".join(map(_charged, offers)), _asked(merchant, offers))
        for product in sorted(merchant.products.keys() - {product for product, _ in rows}):
            shown.add_row(name, product, "-", "nowhere", "-")
    return shown


def _charged(offer: Offer) -> str:
    """Return in words where and how a price is charged."""
    code = f" {offer.charge.short_code}" if offer.charge.short_code else ""
    return f"{offer.link} ({offer.profile.way}{code})"


def _asked(merchant: MerchantSettings, offers: list[Offer]) -> str:
    """Return in words what a question takes in each language, where it takes most."""
    each = [goods_texts.prompt_costs(merchant, offer) for offer in offers]
    dearest = {language: max((one[language] for one in each), key=lambda cost: cost.total) for language in each[0]}
    return "; ".join(f"{language}: {cost}" for language, cost in dearest.items())


def _costs(service: Service, configuration: Configuration) -> tuple[str, str]:
    """Return in words what a service's answers take where they take most, and what their letters make of it."""
    links = catalog.sold_at(service.settings, configuration.links).values()
    both = [catalog.answer_costs(service, link) for link in links] or [catalog.answer_costs(service, None)]
    now, other = max(both, key=lambda pair: pair[0].total)
    if other is None:
        return str(now), ""
    if service.settings.characters == "transliterate":
        return str(now), f"{other.total - now.total} SMS by transliteration; as written: {other}"
    return str(now), f"{now.total - other.total} SMS if transliterated: {other}"
