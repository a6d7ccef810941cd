"""A world that sells: an operator that charges by billed messages, and one where the answer itself costs money."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec import structs

from smsgw.domain import goods, reply_addresses, sandbox
from smsgw.domain.operators import Operators
from smsgw.domain.payments import Fact, Status, fold
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.asking import NewPayment
from smsgw.flows.payments.cashier import Cashier
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.events import Payment
from smsgw.flows.payments.resolving import Resolver
from smsgw.flows.payments.sweeping import Sweeper
from smsgw.flows.payments.whose import STAFF, Whose
from smsgw.flows.receive import Receiver
from smsgw.flows.send import Outbox
from smsgw.settings import ChargeProfile, LinkSettings, MerchantSettings, Payments as Limits
from smsgw.settings.merchant import Charge, Product, Tariff
from smsgw.smpp.pdus import DeliverSm
from smsgw.store import charges, payments as store
from smsgw.store.payments import PaymentRow
from smsgw.text import coding
from smsgw.text.segments import body_of
from tests.flows.world import World, deliver, texts, world
from tests.servers.engines import Engine

PHONE: Final = "359881234567"
OTHER: Final = "359881234568"
MO_PHONE: Final = "380671234567"

LINKS: Final = {
    "north": LinkSettings(
        host="smsc.example",
        system_id="us",
        password_file="x",
        receipts=True,
        prefixes=["359"],
        country="BG",
        charging={
            "billed": ChargeProfile(way="mt", proof="receipt"),
            "prompt": ChargeProfile(way="mt", proof="response"),
            "api": ChargeProfile(way="direct", url="https://op.example", credentials_file="c", refunds=True),
        },
    ),
    "south": LinkSettings(
        host="smsc.example",
        system_id="us",
        password_file="x",
        receipts=True,
        prefixes=["380"],
        country="UA",
        charging={"yes": ChargeProfile(way="mo")},
    ),
}
GOLD: Final = MerchantSettings(
    title="Gold",
    support="help@gold.example",
    reply_addresses=["7700"],
    language="en",
    return_url="https://gold.example/back",
    products={
        "gold-250": Product(title={"en": "250 gold", "bg": "250 злато"}, units=250, tariffs=["small", "uah"]),
        "gold-500": Product(title={"en": "500 gold"}, units=500, tariffs=["big"]),
        "gold-api": Product(title={"en": "1000 gold"}, units=1000, tariffs=["api"]),
    },
    tariffs={
        "small": Tariff(
            amount_minor=250,
            currency="EUR",
            operators={"north": Charge(charge="billed", short_code="7250", service_type="T250")},
        ),
        "big": Tariff(
            amount_minor=500, currency="EUR", operators={"north": Charge(charge="prompt", short_code="7500")}
        ),
        "api": Tariff(amount_minor=1000, currency="EUR", operators={"north": Charge(charge="api")}),
        "uah": Tariff(amount_minor=2500, currency="UAH", operators={"south": Charge(charge="yes", short_code="7025")}),
    },
)


class Market(World):
    """A world with payments."""

    payments: Payments
    sweeper: Sweeper
    resolver: Resolver
    cashier: Cashier
    outboxes: dict[str, Outbox]
    room: int
    made: int
    told: set[str]
    everybody: Whose = STAFF

    def order(self, product: str = "gold-250", msisdn: str = PHONE, **fields: Any) -> NewPayment:
        """Return a wish to be paid."""
        self.made += 1
        given: dict[str, Any] = {"merchant": "gold", "merchant_reference": f"order-{self.made}"}
        return NewPayment(product=product, msisdn=msisdn, **(given | fields))

    async def ask(self, product: str = "gold-250", msisdn: str = PHONE, **fields: Any) -> Payment:
        """Make a payment, which must succeed."""
        return (await self.payments.ask(self.order(product, msisdn, **fields), 60.0)).payment

    def ready(self, link: str = "north") -> list[Outgoing]:
        """Take what is ready to be sent on a link."""
        taken = []
        while (message := self.outboxes[link].take()) is not None:
            taken.append(message)
        return taken

    async def accept(self, link: str = "north", message_id: str = "") -> list[Outgoing]:
        """Have the SMSC accept what is ready; return it."""
        taken = self.ready(link)
        for number, message in enumerate(taken):
            self.outboxes[link].accepted(message, message_id or f"{message.row.id[-10:]}{number}")
        await self.settle(link)
        return taken

    async def settle(self, link: str = "north") -> None:
        """Have results recorded, and the cashier send what it can."""
        recorder = self.outboxes[link]._recorder
        if recorder is not None:
            await recorder
        await self.cashier.turn()

    async def prompted(self, product: str = "gold-250", msisdn: str = PHONE, **fields: Any) -> Payment:
        """Make a payment whose question an SMSC has taken."""
        payment = await self.ask(product, msisdn, **fields)
        row = await self.row(payment.id)
        while await self.accept(row.link):  # messages to one phone go out one after the other
            pass
        return payment

    async def say(self, text: str, msisdn: str = PHONE, to: str = "7700", link: str = "north") -> None:
        """Send an SMS from a phone."""
        await self.sms(link=link, pdu=deliver(text, source_addr=msisdn, destination_addr=to))
        await self.cashier.turn()

    def word(self, text: str, to: str = "7700", msisdn: str = PHONE) -> DeliverSm:
        """Return an SMS from a phone."""
        return deliver(text, source_addr=msisdn, destination_addr=to)

    async def row(self, payment: str) -> PaymentRow:
        async with self.database.read() as reader:
            row = await store.get(reader, payment)
        assert row is not None
        return row

    async def status(self, payment: str) -> str:
        """Return how a payment stands, which its facts must have led to: both are read at one moment, loops may run."""
        async with self.database.read() as reader:
            row = await store.get(reader, payment)
            facts = await store.facts(reader, payment)
        assert row is not None
        assert fold([Fact(fact.kind) for fact in facts]) == Status(row.status)
        return row.status

    async def facts(self, payment: str) -> list[Fact]:
        async with self.database.read() as reader:
            return [Fact(fact.kind) for fact in await store.facts(reader, payment)]

    async def events(self, payment: str) -> list[str]:
        """Return the types of a payment's events, in their order."""
        rows = await self.rows("events", "subject", "type", "place")
        return [kind for subject, kind, _ in sorted(rows, key=lambda row: row[2]) if subject == payment]

    async def charge(self, payment: str) -> str:
        """Return how the latest attempt stands."""
        async with self.database.read() as reader:
            return (await charges.of_payments(reader, [payment]))[-1].status

    def answers(self) -> list[str]:
        """Return the texts of all free messages so far."""
        return texts(self.sent)

    def last_text(self) -> str:
        """Return the last text to a phone, however many SMS it took."""
        last = self.sent[-1].row
        parts = [one for one in self.sent[-last.parts :] if one.row.destination == last.destination]
        bodies = [body_of(one.payload, one.row.esm_class).data for one in parts]
        return coding.decode(b"".join(bodies), last.data_coding)

    async def later(self, seconds: float) -> None:
        """Let time go by, and do what is due then."""
        self.clock.advance(round(seconds * 1000))
        await self.sweeper.sweep()
        await self.cashier.turn()


@asynccontextmanager
async def market(
    engine: Engine,
    *,
    merchants: Mapping[str, MerchantSettings] | None = None,
    limits: Limits | None = None,
    links: Mapping[str, LinkSettings] | None = None,
    **changes: Any,
) -> AsyncIterator[Market]:
    """Open a world that sells; opened again, it is the next life of the daemon."""
    links = dict(links or LINKS)
    async with world(engine, links=links, **changes) as one:
        one.__class__ = Market
        assert isinstance(one, Market)
        ready = goods.build(merchants or {"gold": GOLD}, links)
        one.catalog = structs.replace(
            one.catalog,
            merchants=ready,
            reply_addresses=reply_addresses.index(ready, sandbox.for_tests(links)),
            billed_addresses=reply_addresses.billed(ready),
            operators=Operators(links),
            payments=limits or Limits(),
        )
        one.made, one.room, one.told = 0, 100, set()
        one.payments = Payments(one.ports, one.catalog, one_send(one), one.told.update)
        one.resolver = Resolver(one.ports, one.catalog, one.payments)
        one.sweeper = Sweeper(one.ports, one.catalog, one.payments)
        one.receiver = Receiver(one.ports, one.catalog, one_send(one), one.told.update, one.payments)
        one.outboxes = {
            name: Outbox(one.ports, name, settings, lambda: None, one.payments) for name, settings in links.items()
        }
        for outbox in one.outboxes.values():
            await outbox._read_back()
        one.cashier = Cashier(
            one.ports,
            one.catalog,
            one.payments.cashbox,
            done=one.payments.done,
            room=lambda _: one.room,
            offer=lambda messages: offer(one, messages),
        )
        one.payments.follow(one.cashier.hear)
        await one.sweeper.recover()
        try:
            yield one
        finally:
            one.database.open.set()
            await one.payments.close()


def one_send(one: Market) -> Any:
    def send(messages: Any) -> None:
        one.sent.extend(messages)
        offer(one, messages)

    return send


def offer(one: Market, messages: Any) -> None:
    for message in messages:
        one.outboxes[message.row.link].offer([message])
