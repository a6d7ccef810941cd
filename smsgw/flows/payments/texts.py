"""The SMS about a payment: the question, the billed message, free answers; words made into messages on their way."""

from typing import Final

from msgspec import structs

from smsgw.domain import manner, money, wording
from smsgw.domain.costs import outlet_of
from smsgw.domain.goods import Merchant, Terms
from smsgw.domain.manner import Manner
from smsgw.domain.wording import Say
from smsgw.errors import TextError
from smsgw.flows.outgoing import Answerable, Outgoing, answer
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.logs import get_logger
from smsgw.settings import LinkSettings
from smsgw.settings.merchant import Language
from smsgw.settings.submission import Unset
from smsgw.smpp import tlvs
from smsgw.store.charges import ChargeRow
from smsgw.store.payments import PaymentRow
from smsgw.text.segments import Outlet, Segment, split

MOST_PARTS: Final = 3  # SMS that a question or a free answer may take
_INTERNATIONAL, _ISDN = 1, 1  # type of number and numbering plan of a phone (SMPP 3.4 §5.2.5, §5.2.6)
_UNKNOWN: Final = 0
_ANSWER_VALID_MS: Final = 3_600_000
_RECEIPT_VALID_MS: Final = 86_400_000
log = get_logger(__name__)

_REFERENCE: Final = 8  # of the id's characters, for people
_PRIORITY: Final = 1  # before the bulk: somebody looks at a page until it comes


class Words:
    """What can be said about one payment.

    Args:
        ports: the world.
        catalog: the links.
        merchant: whose payment it is.
        row: the payment.
        now_ms: when it is said.
    """

    def __init__(self, ports: Ports, catalog: Catalog, merchant: Merchant, row: PaymentRow, now_ms: int) -> None:
        self._ports = ports
        self._catalog = catalog
        self._merchant = merchant
        self._row = row
        self._now_ms = now_ms
        self._link = catalog.links[row.link]

    def of(self, say: Say) -> str:
        """Return a text in the buyer's language, in the merchant's own words where there are such."""
        language: Language = self._row.language  # type: ignore[assignment]  # the column holds nothing else
        settings = self._merchant.settings
        own = {Say.PROMPT: settings.prompt, Say.RECEIPT: settings.receipt_text, Say.CHARGE: settings.charge_text}
        return wording.say(say, language, self._values(language), own=own.get(say, {}).get(language))

    def _values(self, language: Language) -> dict[str, str]:
        row, settings = self._row, self._merchant.settings
        goods = self._merchant.goods.get(row.product)
        yes = wording.yes_word(language)
        return {
            "product": goods.title_in(language, settings.language) if goods else row.product,
            "price": money.plain(row.amount_minor, row.currency),
            "merchant": settings.title,
            "support": settings.support,
            "yes": f"{yes} {row.reference}" if row.reference else yes,
            "no": wording.no_word(language),
            "reference": row.id[-_REFERENCE:].upper(),
            "address": self._free_address(),
        }

    def _free_address(self) -> str:
        """Return where the buyer may write to without the operator's taking a payment's money for it."""
        known, billed = self._catalog.reply_addresses, self._catalog.billed_addresses
        places = [(self._row.link, one) for one in self._merchant.settings.reply_addresses]
        free = [address for place in places if place in known and place not in billed for address in place[1:]]
        return self._row.reply_address if self._row.reply_address in free or not free else free[0]

    def question(self) -> list[Outgoing]:
        """Return the question."""
        return self._to_phone(self.of(Say.PROMPT), int(self._catalog.payments.prompt_s * 1000))

    def notice(self, say: Say) -> list[Outgoing]:
        """Return a free message that answers nothing, such as the receipt; none where the operator cannot carry it."""
        try:
            return self._to_phone(self.of(say), _RECEIPT_VALID_MS)
        except TextError as error:
            log.warning("notice.not_sent", payment=self._row.id, link=self._row.link, say=say.value, error=str(error))
            return []

    def bill(self, charge: ChargeRow, terms: Terms) -> Outgoing:
        """Return the billed message of an attempt: one SMS, whatever is to be said."""
        link = self._link
        own = dict(terms.tlvs)
        if terms.user_message_reference and link.interface_version != "3.3":
            own[tlvs.USER_MESSAGE_REFERENCE] = charge.message_reference.to_bytes(2, "big")
        segments = _one_sms(self.of(Say.CHARGE), self._row, outlet_of(link))
        said = structs.replace(_from(charge.short_code, link), service_type=terms.service_type, tlvs=own)
        to = self._answerable(charge.short_code)
        made = answer(
            self._ports, to, segments, self._now_ms, valid_ms=terms.validity_ms, max_replies=None, manner=said
        )
        [message] = made
        row = structs.replace(message.row, payment=self._row.id, charge=charge.id, registered=1)
        return structs.replace(message, row=row)

    def _to_phone(self, text: str, valid_ms: int) -> list[Outgoing]:
        link, source = self._link, self._row.reply_address
        segments = split(
            text,
            reference=int.from_bytes(self._ports.random_bytes(2)),
            max_parts=min(MOST_PARTS, link.max_parts),
            outlet=outlet_of(link),
        )
        made = answer(
            self._ports,
            self._answerable(source),
            segments,
            self._now_ms,
            valid_ms=valid_ms,
            max_replies=None,
            manner=_from(source, link),
        )
        return [_about(one, self._row.id) for one in made]

    def _answerable(self, source: str) -> Answerable:
        link = self._link
        return Answerable(
            mo="",
            link=self._row.link,
            source=self._row.msisdn,
            source_ton=_INTERNATIONAL,
            source_npi=_ISDN,
            destination=source,
            dest_ton=_UNKNOWN,
            dest_npi=_ISDN,
            registered=link.receipts,
            outlet=outlet_of(link),
            manner=manner.of_message(link, {}),
        )


def reply(ports: Ports, to: Answerable, text: str, now_ms: int, payment: str | None) -> list[Outgoing]:
    """Return a free answer to a message from a phone; none where the operator cannot carry it."""
    reference = int.from_bytes(ports.random_bytes(2))
    try:
        segments = split(text, reference=reference, max_parts=MOST_PARTS, outlet=to.outlet)
    except TextError as error:
        log.warning("notice.not_sent", payment=payment, link=to.link, error=str(error))
        return []
    said = Manner(source=to.destination, source_ton=to.dest_ton, source_npi=to.dest_npi, priority=_PRIORITY)
    made = answer(ports, to, segments, now_ms, valid_ms=_ANSWER_VALID_MS, max_replies=MOST_PARTS, manner=said)
    return [_about(one, payment) for one in made]


def _about(message: Outgoing, payment: str | None) -> Outgoing:
    return structs.replace(message, row=structs.replace(message.row, payment=payment))


def _one_sms(text: str, row: PaymentRow, outlet: Outlet) -> list[Segment]:
    """Return one SMS: a second might be charged as well. A text that is too long is not said."""
    try:
        return split(text, reference=0, max_parts=1, outlet=outlet)
    except TextError:
        return split(money.plain(row.amount_minor, row.currency), reference=0, max_parts=1, outlet=outlet)


def _from(address: str, link: LinkSettings) -> Manner:
    """Answers come to where a message is from: no setting may put another address there."""
    return Manner(
        source=address,
        source_ton=link.source_ton if link.source_ton != Unset else None,
        source_npi=link.source_npi if link.source_npi != Unset else None,
        priority=_PRIORITY,
    )
