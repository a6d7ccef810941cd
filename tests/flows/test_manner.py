"""How answers are submitted: what message, service and link say stands in the rows, and is there after a restart."""

from smsgw.flows import amend
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.send import Outbox
from smsgw.links.submission import Form
from smsgw.settings import ServiceSettings
from smsgw.settings.submission import Tlv
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import SubmitSm
from smsgw.text import gsm7
from smsgw.text.segments import UDHI
from tests.flows.world import LINK, SUN, World, changed, deliver, world
from tests.servers.engines import Engine

LONG = "x" * 200
BILLING, TARIFF, OTHER = 0x1400, 0x1401, 0x1402
PAID: ServiceSettings = changed(
    SUN,
    service_type="PAY",
    priority=2,
    protocol_id=0x41,
    source_addr="Sunny",
    tlvs=[Tlv(tag=TARIFF, type="int16", value=250)],
)


async def read_back(one: World, link: str = "north") -> list[Outgoing]:
    """What the sender finds in the store after a restart."""
    outbox = Outbox(one.ports, link, one.catalog.links[link], lambda: None)
    await outbox._read_back()
    found = []
    while (message := outbox.take()) is not None:
        found.append(message)
        outbox.accepted(message, "")  # one to each phone is on its way
    await outbox.close()
    return found


def submitted(one: World, messages: list[Outgoing], link: str = "north") -> list[SubmitSm]:
    form = Form(one.catalog.links[link])
    return [form.fill(message, one.clock.now_ms()) for message in messages]


async def test_what_service_and_message_say_is_with_the_answer_after_a_restart(engine: Engine) -> None:
    north = changed(LINK, echo_tlvs=[BILLING, 0x1499], dest_npi=9, service_type="LINK")
    async with world(engine, links={"north": north}, services={"sun": PAID}) as one:
        await one.sms(b"SUN", tlvs={BILLING: b"bill-7\0", OTHER: b"not asked for"})
        [pdu] = submitted(one, one.sent)
        clock = one.clock
    async with world(engine, links={"north": north}, services={"sun": SUN}, clock=clock, seed=2) as one:
        [again] = submitted(one, await read_back(one))
    assert again == pdu, "the service's settings have changed meanwhile; the message has not"
    assert (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi) == ("Sunny", 5, 0)
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi) == (1, 9)
    assert (pdu.service_type, pdu.priority_flag, pdu.protocol_id) == ("PAY", 2, 0x41)
    assert pdu.tlvs == {BILLING: b"bill-7\0", TARIFF: b"\0\xfa"}


async def test_where_nobody_says_anything_an_answer_mirrors_its_message_and_the_link_s_word_of_now_counts(
    engine: Engine,
) -> None:
    async with world(engine) as one:
        await one.sms(b"SUN", source_addr_npi=3)
        [pdu] = submitted(one, one.sent)
        assert (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi) == ("1234", 3, 9)
        assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.tlvs, pdu.service_type) == (1, 3, {}, "")
        assert [row[0] for row in await one.rows("mts", "tlvs")] == [None]
        clock = one.clock
    later = {"north": changed(LINK, service_type="NEW", validity_period="relative")}
    async with world(engine, links=later, clock=clock, seed=2) as one:
        [pdu] = submitted(one, await read_back(one))
        assert (pdu.service_type, pdu.validity_period) == ("NEW", "000001000000000R")


async def test_free_answers_are_submitted_as_the_link_says_and_echo_too(engine: Engine) -> None:
    async with world(engine, links={"north": changed(LINK, echo_tlvs=[BILLING], source_addr="777")}) as one:
        await one.sms(b"MOON", tlvs={BILLING: b"x"})
        [pdu] = submitted(one, one.sent)
        assert (pdu.short_message, pdu.source_addr, pdu.tlvs) == (b"What?", "777", {BILLING: b"x"})


async def test_parts_with_sar_parameters_are_known_by_them(engine: Engine) -> None:
    sold = changed(SUN, reply="{code}" + LONG)
    links = {"north": changed(LINK, long_messages="sar", echo_tlvs=[BILLING])}
    async with world(engine, links=links, services={"sun": sold}) as one:
        await one.sms(b"SUN", tlvs={BILLING: b"x"})
        first, second = submitted(one, await read_back(one))
        numbers = [
            [tlvs.integer(pdu.tlvs, tag) for tag in (tlvs.SAR_TOTAL_SEGMENTS, tlvs.SAR_SEGMENT_SEQNUM)]
            for pdu in (first, second)
        ]
        assert numbers == [[2, 1], [2, 2]]
        assert first.tlvs[tlvs.SAR_MSG_REF_NUM] == second.tlvs[tlvs.SAR_MSG_REF_NUM]
        assert first.tlvs[BILLING] == second.tlvs[BILLING] == b"x"
        assert len(first.tlvs[tlvs.SAR_MSG_REF_NUM]) == 2
        assert (first.esm_class, len(first.short_message)) == (0, 152)


async def test_a_whole_text_waits_sealed_and_goes_into_message_payload(engine: Engine) -> None:
    sold = changed(SUN, reply="{code}" + LONG, instructions=["y" * 300], max_replies=4)
    links = {"north": changed(LINK, long_messages="payload")}
    async with world(engine, links=links, services={"sun": sold}) as one:
        await one.sms(b"SUN")
        first, second = submitted(one, await read_back(one))
        [code] = await one.codes()
        assert first.tlvs == {tlvs.MESSAGE_PAYLOAD: code.encode() + LONG.encode()}
        assert (first.short_message, second.tlvs) == (b"", {tlvs.MESSAGE_PAYLOAD: b"y" * 300})
        assert await one.rows("mts", "sms", "reply", "max_replies") == [(2, 2, 4), (2, 4, 4)]
        assert [row[0] for row in await one.rows("mts", "tlvs")] == [b"\x04\x24\0\0"] * 2, "the text is not in it"


async def test_a_link_is_sent_what_it_means_by_data_coding_0(engine: Engine) -> None:
    sold = changed(SUN, reply="café_@ {code}", title="x")
    links = {"north": changed(LINK, default_alphabet="latin1")}
    async with world(engine, links=links, services={"sun": sold}) as one:
        await one.sms(b"SUN")
        [pdu] = submitted(one, one.sent)
        assert (pdu.data_coding, pdu.short_message[:7]) == (0, b"caf\xe9_@ ")


async def test_parts_in_packed_septets_and_national_tables_are_one_purchase(engine: Engine) -> None:
    links = {"north": changed(LINK, default_alphabet="gsm7_packed")}
    headers = [bytes((8, 0, 3, 7, 2, number, 0x24, 1, 1)) for number in (1, 2)]
    texts = [b"SUN \x1bS", b"\x1bg end"]
    pdus = [
        deliver(header + gsm7.pack(text, len(header)), esm_class=UDHI)
        for header, text in zip(headers, texts, strict=True)
    ]
    async with world(engine, links=links) as one:
        assert await one.take(one.arrival(pdu=pdus[1])) == [None]
        assert await one.take(one.arrival(pdu=pdus[0])) == [None]
        assert [row[0] for row in await one.rows("mos", "body") if row[0]] == ["SUN Şğ end"]
        assert await one.count("codes") == 1


async def test_a_code_that_is_made_again_is_told_in_the_same_manner(engine: Engine) -> None:
    """An operator that wants its billing id in the answer wants it in the second one too, and its own alphabet."""
    links = {"north": changed(LINK, echo_tlvs=[BILLING], default_alphabet="latin1")}
    async with world(engine, links=links, services={"sun": changed(PAID, reply="é {code}")}) as one:
        arrival = await one.sms(b"SUN", tlvs={BILLING: b"bill-7"})
        code = f"code_{arrival.id.removeprefix('mo_')}"
        _, messages = await amend.reissue(one.ports, one.catalog, code, "test")
        first, again = submitted(one, [*one.sent, *messages])
        assert again.tlvs == first.tlvs == {BILLING: b"bill-7", TARIFF: b"\0\xfa"}
        assert (again.source_addr, again.source_addr_ton, again.service_type) == ("Sunny", 5, "PAY")
        assert again.short_message[:2] == first.short_message[:2] == b"\xe9 "
