"""The operator's till: a price list says which messages cost money, and a ledger says what was taken, line by line.

A message that the gateway acknowledges is charged once, however often it was delivered. A billed message that the
gateway submits is charged each time that it is taken: two equal submit_sm are two lines, and the subscriber has paid
twice. So the ledger is the judge of a gateway that must never charge twice. No I/O here, and no clock.
"""

import csv
import io
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from smsgw.domain.goods import Merchant
from smsgw.errors import TextError
from smsgw.kit.clock import rfc3339
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm, SubmitSm
from smsgw.text import coding, segments

Way = Literal["mo", "mt", "direct"]
Outcome = Literal["charged", "failed"]

COLUMNS: Final = ("operator_id", "msisdn", "short_code", "amount_minor", "currency", "reference", "at", "status")
_MESSAGE_TYPE: Final = 0x3C  # esm_class, bits 5 to 2 (SMPP 3.4 §5.2.12): a receipt costs nothing


class Rate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the price list: a message that has all that is named here costs this."""

    way: Literal["mo", "mt"]
    amount_minor: Annotated[int, Meta(ge=1)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]  # ISO 4217
    short_code: str = ""  # mo: where it goes; mt: where it comes from, empty where that does not matter
    service_type: str = ""  # mt
    tlvs: dict[int, bytes] = {}  # mt: a vendor's, tag → octets
    proof: Literal["response", "receipt"] = "receipt"  # mt: taken with the message, or when it is delivered

    def __post_init__(self) -> None:
        """Refuse a line that would make every message cost money."""
        if not (self.short_code or (self.way == "mt" and (self.service_type or self.tlvs))):
            raise ValueError("a rate names the short code, the service_type or a TLV of the messages that cost money")

    def holds(self, short_code: str, service_type: str, found: Mapping[int, bytes]) -> bool:
        """Whether a message has all that is named."""
        return (
            self.short_code in {"", short_code}
            and self.service_type in {"", service_type}
            and all(found.get(tag) == value for tag, value in self.tlvs.items())
        )


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the ledger."""

    operator_id: str  # of the line, unique in the ledger: the message's or the payment's own id where it has one
    msisdn: str  # digits, without +
    short_code: str  # mo: where the message went; mt: where it came from; direct: ""
    amount_minor: int
    currency: str
    way: Way
    message_id: str  # mt: of the response, also of one that was never sent; direct: of the payment; "": refused before
    reference: str  # mo and mt: user_message_reference (TLV 0x0204) as a number; direct: the reference code
    at_ms: int  # wall clock
    status: Outcome
    text: str | None = None  # of the message, where it is text and one SMS; direct: the description


class Refund(Struct, frozen=True, kw_only=True):
    """Money that went back."""

    operator_id: str  # of the charge
    amount_minor: int
    reference: str  # of the refund
    at_ms: int


class Billing:
    """The price list and the ledger.

    Args:
        rates: the first that holds counts.
        charged_states: states of a receipt with which a message was delivered, and so paid for.
        keep: lines that are kept, the oldest are forgotten; None: all.

    Attributes:
        rates: may be changed at any time; what was taken before stays as it was.
    """

    def __init__(
        self,
        rates: Iterable[Rate] = (),
        *,
        charged_states: frozenset[str] = frozenset({"DELIVRD"}),
        keep: int | None = None,
    ) -> None:
        self.rates = tuple(rates)
        self._charged_states = charged_states
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._refunds: deque[Refund] = deque(maxlen=keep)
        self._on_their_way: dict[str, Entry] = {}  # mt that are taken and have no end yet, by message id
        self._lines = count(1)

    # What costs money

    def rate_of(self, source: str, service_type: str, found: Mapping[int, bytes]) -> Rate | None:
        """Return what a message of the gateway costs; None: nothing."""
        return self._rate("mt", source, service_type, found)

    def rate_to(self, destination: str) -> Rate | None:
        """Return what a message of a subscriber costs; None: nothing."""
        return self._rate("mo", destination, "", {})

    def _rate(self, way: Way, short_code: str, service_type: str, found: Mapping[int, bytes]) -> Rate | None:
        fitting = (rate for rate in self.rates if rate.way == way and rate.holds(short_code, service_type, found))
        return next(fitting, None)

    # What is taken

    def acknowledged(self, pdu: DeliverSm | DataSm, at_ms: int) -> None:
        """Charge a subscriber's message that the gateway has acknowledged; call it once for each message."""
        rate = None if pdu.esm_class & _MESSAGE_TYPE else self.rate_to(pdu.destination_addr)
        if rate is not None:
            self._write(_entry(rate, pdu, pdu.source_addr, pdu.destination_addr, at_ms))

    def undelivered(self, msisdn: str, destination: str, text: str, at_ms: int) -> bool:
        """Refuse a subscriber's message that cannot be paid for; False: it costs nothing, and nothing was refused."""
        rate = self.rate_to(destination)
        if rate is None:
            return False
        pdu = DeliverSm(source_addr=msisdn, destination_addr=destination)
        entry = _entry(rate, pdu, msisdn, destination, at_ms, status="failed")
        self._write(replace(entry, text=text))
        return True

    def accepted(self, pdu: SubmitSm | DataSm, message_id: str, at_ms: int) -> None:
        """Charge a message that was taken, or wait for its end where the receipt is the proof."""
        rate = self.rate_of(pdu.source_addr, pdu.service_type, pdu.tlvs)
        if rate is None:
            return
        entry = _entry(rate, pdu, pdu.destination_addr, pdu.source_addr, at_ms, message_id=message_id)
        if rate.proof == "response":
            self._write(entry)
        else:
            self._on_their_way[message_id] = entry

    def ended(self, message_id: str, state: str, at_ms: int) -> None:
        """Charge a message that was delivered, or note that it was not; what has its line already is left alone."""
        entry = self._on_their_way.pop(message_id, None)
        if entry is not None:
            status: Outcome = "charged" if state in self._charged_states else "failed"
            self._write(replace(entry, status=status, at_ms=at_ms))

    def refused(self, pdu: SubmitSm | DataSm, at_ms: int) -> None:
        """Note a billed message that was definitely refused."""
        rate = self.rate_of(pdu.source_addr, pdu.service_type, pdu.tlvs)
        if rate is not None:
            self._write(_entry(rate, pdu, pdu.destination_addr, pdu.source_addr, at_ms, status="failed"))

    def direct(
        self,
        *,
        msisdn: str,
        amount_minor: int,
        currency: str,
        reference: str,
        at_ms: int,
        payment_id: str = "",
        status: Outcome = "charged",
        text: str | None = None,
    ) -> Entry:
        """Write what was taken, or refused, by the operator's API."""
        entry = Entry(
            operator_id=payment_id,
            msisdn=msisdn,
            short_code="",
            amount_minor=amount_minor,
            currency=currency,
            way="direct",
            message_id=payment_id,
            reference=reference,
            at_ms=at_ms,
            status=status,
            text=text,
        )
        return self._write(entry)

    def refund(self, operator_id: str, amount_minor: int, reference: str, at_ms: int) -> Refund:
        """Give money back.

        Raises:
            ValueError: there is no such charge, or more would go back than was taken.
        """
        charge = next((one for one in self.charges if one.operator_id == operator_id), None)
        left = 0 if charge is None else charge.amount_minor - self.refunded(operator_id)
        if not 0 < amount_minor <= left:
            raise ValueError(f"{amount_minor} cannot go back: {left} is left of {operator_id}")
        refund = Refund(operator_id=operator_id, amount_minor=amount_minor, reference=reference, at_ms=at_ms)
        self._refunds.append(refund)
        return refund

    def _write(self, entry: Entry) -> Entry:
        line = next(self._lines)
        whole = entry if entry.operator_id else replace(entry, operator_id=f"{entry.way}-{line:06}")
        self._entries.append(whole)
        return whole

    # What the ledger says

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All lines, the oldest first."""
        return tuple(self._entries)

    @property
    def charges(self) -> tuple[Entry, ...]:
        """The lines of money that was taken."""
        return tuple(entry for entry in self._entries if entry.status == "charged")

    @property
    def refunds(self) -> tuple[Refund, ...]:
        """Everything that went back."""
        return tuple(self._refunds)

    def charges_of(self, msisdn: str) -> tuple[Entry, ...]:
        """Return what was taken from one phone."""
        return tuple(entry for entry in self.charges if entry.msisdn == msisdn)

    def total(self) -> dict[str, int]:
        """Return what was taken in each currency, in minor units; what went back is not taken off."""
        totals: Counter[str] = Counter()
        for entry in self.charges:
            totals[entry.currency] += entry.amount_minor
        return dict(totals)

    def refunded(self, operator_id: str) -> int:
        """Return how much of a charge went back."""
        return sum(refund.amount_minor for refund in self._refunds if refund.operator_id == operator_id)

    def records(self) -> str:
        """Return the operator's own records as CSV: what was charged and what failed, without refunds."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for entry in self._entries:
            told = {"at": rfc3339(entry.at_ms)}
            writer.writerow([told.get(column) or getattr(entry, column) for column in COLUMNS])
        return out.getvalue()


def price_list(merchants: Mapping[str, Merchant], link: str) -> tuple[Rate, ...]:
    """Return what the gateway's merchants sell at one operator, as that operator's price list; direct has none.

    Raises:
        ValueError: two prices cannot be told from each other by what is sent.
    """
    rates: dict[tuple[object, ...], Rate] = {}
    for merchant in merchants.values():
        for goods in merchant.goods.values():
            price = goods.prices.get(link)
            if price is None:
                continue
            terms, way = price.terms, price.terms.way
            if way == "direct":
                continue
            key = (way, terms.short_code, terms.service_type, tuple(sorted(terms.tlvs.items())))
            rate = Rate(
                way=way,
                amount_minor=price.amount_minor,
                currency=price.currency,
                short_code=terms.short_code,
                service_type=terms.service_type,
                tlvs=terms.tlvs,
                proof=terms.proof,
            )
            if rates.setdefault(key, rate) != rate:
                raise ValueError(f"{merchant.name}, {goods.name}: {link} has another price for the same message")
    # What names more goes first: a TLV at an address counts before the address alone.
    return tuple(sorted(rates.values(), key=lambda rate: len(rate.tlvs) + bool(rate.service_type), reverse=True))


def _entry(
    rate: Rate,
    pdu: SubmitSm | DeliverSm | DataSm,
    msisdn: str,
    short_code: str,
    at_ms: int,
    *,
    message_id: str = "",
    status: Outcome = "charged",
) -> Entry:
    reference = tlvs.integer(pdu.tlvs, tlvs.USER_MESSAGE_REFERENCE)
    return Entry(
        operator_id=message_id,
        msisdn=msisdn.removeprefix("+"),
        short_code=short_code,
        amount_minor=rate.amount_minor,
        currency=rate.currency,
        way=rate.way,
        message_id=message_id,
        reference="" if reference is None else str(reference),
        at_ms=at_ms,
        status=status,
        text=_text(pdu),
    )


def _text(pdu: SubmitSm | DeliverSm | DataSm) -> str | None:
    payload = pdu.tlvs.get(tlvs.MESSAGE_PAYLOAD, b"") if isinstance(pdu, DataSm) else pdu.short_message
    if segments.parse_part(payload, pdu.esm_class) is not None:
        return None
    body = segments.body_of(payload, pdu.esm_class)
    try:
        return coding.decode(body.data, pdu.data_coding, tables=body.tables)
    except TextError:
        return None
