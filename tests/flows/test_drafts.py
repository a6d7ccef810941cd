"""What can be known of an arrival before its transaction: its text, its service, its answer."""

from smsgw.domain.routing import NoService
from smsgw.flows.drafts import Verdict, draft, row
from smsgw.settings import Answers
from tests.flows.world import LINK, SUN, changed, parts, texts, world
from tests.servers.engines import Engine

LONG = "SUN " + "я" * 100


async def test_a_purchase_is_drafted_with_its_code_and_answer(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        found = draft(one.ports, one.catalog, one.arrival())
        decision = found.decision
        assert decision is not None
        assert decision.issued is not None
        assert (decision.service, decision.outcome, decision.body) == ("sun", "code_issued", "SUN")
        assert decision.answers == decision.issued.answer
        assert decision.issued.code.id == found.arrival.id.replace("mo_", "code_")
        assert await one.count("codes") == 0, "nothing is stored yet"


async def test_a_part_is_not_decided_yet(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        found = [draft(one.ports, one.catalog, one.arrival(pdu=pdu)) for pdu in parts(LONG)]
        assert [one_part.decision for one_part in found] == [None, None]
        assert len({one_part.incoming.part_key for one_part in found}) == 1


async def test_a_repetition_leaves_the_operator_s_id_to_the_message_that_it_repeats(sqlite: Engine) -> None:
    async with world(sqlite, links={"north": changed(LINK, message_id_tlv=0x1401)}) as one:
        found = draft(one.ports, one.catalog, one.arrival(tlvs={0x1401: b"7"}))
        assert row(found, Verdict(status="done")).operator_id == "north\x1f7"
        assert row(found, Verdict(status="repeated", whole="mo_1")).operator_id is None


async def test_every_reason_has_its_answer(sqlite: Engine) -> None:
    answers = Answers(**{reason.value: f"because: {reason.value}" for reason in NoService})
    async with world(sqlite, answers=answers) as one:
        arrivals = [
            one.arrival("moon"),
            one.arrival("SUN", destination_addr="9"),
            one.arrival(""),
            one.arrival(b"\xff"),
        ]
        told = [draft(one.ports, one.catalog, arrival).decision for arrival in arrivals]
        assert [texts(decision.answers)[0] for decision in told if decision] == [
            "because: unknown_keyword",
            "because: unknown_short_code",
            "because: empty",
            "because: unreadable",
        ]


async def test_parts_of_an_answer_share_a_reference_that_chance_has_chosen(sqlite: Engine) -> None:
    services = {"sun": changed(SUN, reply="x" * 200 + "{code}", max_replies=2)}
    async with world(sqlite, services=services) as one:
        references = set()
        for _ in range(20):
            found = draft(one.ports, one.catalog, one.arrival())
            assert found.decision is not None
            first, second = found.decision.answers
            assert first.payload[:4] == second.payload[:4]
            references.add(first.payload[3])
        assert len(references) > 10
