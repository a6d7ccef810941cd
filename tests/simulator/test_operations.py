"""What the SMSC answers to questions about messages that it took."""

from smsgw.simulator import operations
from smsgw.simulator.operations import MOST_REMEMBERED, Ledger
from smsgw.smpp import pdus, status
from smsgw.smpp.pdus import CancelSm, QuerySm, QuerySmResp, ReplaceSm, SubmitSm


def ledger(*offered: operations.Operation) -> Ledger:
    one = Ledger(frozenset(offered))
    one.take("a1", SubmitSm(source_addr="1234"), "DELIVRD")
    return one


def test_a_message_is_found_cancelled_and_replaced() -> None:
    one = ledger("query_sm", "cancel_sm", "replace_sm")
    query = QuerySm(message_id="a1", source_addr="1234")
    assert one.answer(query) == QuerySmResp(message_id="a1", message_state=2)
    replace = ReplaceSm(message_id="a1", source_addr="1234", short_message=b"new")
    assert one.answer(replace) == pdus.ReplaceSmResp()
    assert one._messages["a1"].text == b"new"
    assert one.answer(CancelSm(message_id="a1", source_addr="1234")) == pdus.CancelSmResp()
    assert one.answer(query) == QuerySmResp(message_id="a1", message_state=4)


def test_what_is_not_offered_or_not_theirs_is_refused() -> None:
    query = QuerySm(message_id="a1", source_addr="1234")
    assert ledger().answer(query).command_status == status.ESME_RQUERYFAIL
    one = ledger("query_sm")
    assert one.answer(CancelSm(message_id="a1", source_addr="1234")).command_status == status.ESME_RCANCELFAIL
    assert one.answer(QuerySm(message_id="a2", source_addr="1234")).command_status == status.ESME_RQUERYFAIL
    assert one.answer(QuerySm(message_id="a1", source_addr="9999")).command_status == status.ESME_RQUERYFAIL


def test_the_oldest_is_forgotten() -> None:
    one = ledger("query_sm")
    for number in range(MOST_REMEMBERED):
        one.take(f"b{number}", SubmitSm(source_addr="1234"), "DELIVRD")
    assert one.answer(QuerySm(message_id="a1", source_addr="1234")).command_status == status.ESME_RQUERYFAIL
    assert len(one._messages) == MOST_REMEMBERED
