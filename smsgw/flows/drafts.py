"""What an arrival will come to, as far as it can be known before its transaction: read, routed, and its answer made.

All of this is computing: done beforehand, it goes on while the store is busy with the messages before.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from smsgw.domain import consent, incoming, manner
from smsgw.domain.catalog import MAX_ANSWER_PARTS
from smsgw.domain.costs import outlet_of
from smsgw.domain.incoming import Incoming, Message
from smsgw.domain.numbers import e164, is_phone
from smsgw.domain.routing import NoService, Route
from smsgw.flows import access
from smsgw.flows.access import Ask, Issued, Purchase
from smsgw.flows.outgoing import Answerable, Outgoing, answer
from smsgw.flows.payments.answering import Reply, key_of
from smsgw.flows.ports import Catalog, Ports
from smsgw.settings import LinkSettings
from smsgw.store.mos import MoRow
from smsgw.text.segments import Part, split

_ANSWER_VALID_MS: Final = 86_400_000


class Arrival(Struct, frozen=True, kw_only=True):
    """A message as a link received it."""

    id: str
    link: str
    session: str
    received_ms: int  # wall clock
    arrived_ms: int  # monotonic
    proven: str  # the last message of this session whose acknowledgement has provably arrived by now
    pdu: Message


class Decision(Struct, frozen=True, kw_only=True):
    """What a message buys, if it is the first of its kind to come."""

    body: str | None
    service: str | None
    outcome: str
    issued: Issued | None = None
    ask: Ask | None = None  # which code it is told is known in the transaction
    reply: Reply | None = None  # an answer to a question; what it moves is known in the transaction
    answers: list[Outgoing] = []


class Draft(Struct, frozen=True, kw_only=True):
    """An arrival that has been read."""

    arrival: Arrival
    incoming: Incoming
    decision: Decision | None  # None: a part of a long message, decided when it is whole
    incomplete: bool = False  # parts of it never came


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of a message: the columns that are decided, not received."""

    status: str
    whole: str | None = None
    body: str | None = None
    service: str | None = None
    outcome: str | None = None
    payment: str | None = None  # that it is about
    incomplete: bool = False


def draft(ports: Ports, catalog: Catalog, arrival: Arrival) -> Draft:
    """Read an arrival, and decide it if it is a message of its own."""
    settings = catalog.links[arrival.link]
    facts = incoming.read(arrival.pdu, arrival.link, settings)
    decision = None
    if facts.part is None:
        pdu = arrival.pdu
        text = incoming.body_of(facts.payload, pdu.esm_class, pdu.data_coding, settings)
        decision = decide(ports, catalog, arrival, text, arrival.received_ms)
    return Draft(arrival=arrival, incoming=facts, decision=decision)


def decide(ports: Ports, catalog: Catalog, arrival: Arrival, text: str | None, now_ms: int) -> Decision:
    """Find out what a whole message buys, and make its answer."""
    route = catalog.routes.find(arrival.link, arrival.pdu.destination_addr, text)
    link = catalog.links[arrival.link]
    to = _answerable(arrival, link)
    reply = _reply(ports, catalog, arrival, text, to=to, route=route, now_ms=now_ms)
    if reply is not None:
        return Decision(body=storable(text), service=None, outcome="payment_unexpected", reply=reply)
    if isinstance(route, NoService):
        answers = _rule_answer(ports, catalog, route, to, now_ms)
        return Decision(body=storable(text), service=None, outcome=route.value, answers=answers)
    service = catalog.services[route.service]
    if route.again:
        ask = Ask(service=service, to=to)
        return Decision(body=storable(text), service=route.service, outcome="code_told_again", ask=ask)
    issued = access.prepare(ports, Purchase(service=service, to=to, test=link.test), now_ms)
    return Decision(
        body=storable(text), service=route.service, outcome="code_issued", issued=issued, answers=issued.answer
    )


def _reply(
    ports: Ports,
    catalog: Catalog,
    arrival: Arrival,
    text: str | None,
    *,
    to: Answerable,
    route: Route | NoService,
    now_ms: int,
) -> Reply | None:
    """Return a message as an answer to a question: one of the words, or what no service's keyword takes."""
    address = arrival.pdu.destination_addr.lstrip("+")
    languages = catalog.reply_addresses.get((arrival.link, address))
    if languages is None:
        return None
    answer = consent.read(text, languages)
    if answer is None and not isinstance(route, NoService):
        return None
    pdu, link = arrival.pdu, catalog.links[arrival.link]
    msisdn = e164(pdu.source_addr, pdu.source_addr_ton, link.country)
    if msisdn is None:
        return None
    return Reply(
        mo=arrival.id,
        to=to,
        msisdn=msisdn,
        address_key=key_of(arrival.link, address, msisdn),
        answer=answer,
        text=storable(text) or "",
        received_ms=arrival.received_ms,
        languages=languages,
        billed=(arrival.link, address) in catalog.billed_addresses,
        otherwise=[] if answer or not isinstance(route, NoService) else _rule_answer(ports, catalog, route, to, now_ms),
    )


def joined_text(parts: Sequence[Part], data_coding: int, settings: LinkSettings) -> str | None:
    """Return the text of a long message whose parts are together."""
    return incoming.text_of_parts(parts, data_coding, settings)


def _rule_answer(ports: Ports, catalog: Catalog, reason: NoService, to: Answerable, now_ms: int) -> list[Outgoing]:
    """Return the settings' answer to a message that buys nothing."""
    text = getattr(catalog.answers, reason.value)
    if not text or not is_phone(to.source):
        return []
    link = catalog.links[to.link]
    most = min(MAX_ANSWER_PARTS, link.max_parts)
    segments = split(text, reference=int.from_bytes(ports.random_bytes(2)), max_parts=most, outlet=to.outlet)
    return answer(ports, to, segments, now_ms, valid_ms=_ANSWER_VALID_MS, max_replies=MAX_ANSWER_PARTS)


def storable(text: str | None) -> str | None:
    """Return the text without NUL, which PostgreSQL's text cannot hold; the payload keeps it."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}") if text else text


def _answerable(arrival: Arrival, settings: LinkSettings) -> Answerable:
    pdu = arrival.pdu
    return Answerable(
        mo=arrival.id,
        link=arrival.link,
        source=pdu.source_addr,
        source_ton=pdu.source_addr_ton,
        source_npi=pdu.source_addr_npi,
        destination=pdu.destination_addr,
        dest_ton=pdu.dest_addr_ton,
        dest_npi=pdu.dest_addr_npi,
        registered=settings.receipts,
        outlet=outlet_of(settings),
        manner=manner.of_message(settings, pdu.tlvs),
    )


def row(one: Draft, verdict: Verdict) -> MoRow:
    """Return the row of a message: what came, and what became of it."""
    arrival, facts, pdu = one.arrival, one.incoming, one.arrival.pdu
    part = facts.part
    return MoRow(
        id=arrival.id,
        link=arrival.link,
        session=arrival.session,
        received_ms=arrival.received_ms,
        source=pdu.source_addr,
        destination=pdu.destination_addr,
        esm_class=pdu.esm_class,
        data_coding=pdu.data_coding,
        payload=facts.payload,
        tlvs=incoming.other_tlvs(pdu),
        fingerprint=facts.fingerprint,
        # A repetition leaves the operator's id to the message that it repeats.
        operator_id=None if verdict.status == "repeated" else facts.operator_id,
        part_key=facts.part_key,
        part_number=part.number if part else None,
        part_total=part.total if part else None,
        status=verdict.status,
        whole=verdict.whole,
        body=verdict.body,
        service=verdict.service,
        outcome=verdict.outcome,
        types=_types(pdu) if part else None,
        incomplete=int(verdict.incomplete),
    )


def _types(pdu: Message) -> str:
    return f"{pdu.source_addr_ton}/{pdu.source_addr_npi}/{pdu.dest_addr_ton}/{pdu.dest_addr_npi}"
