"""What a phone would show of what was submitted: parts joined in any order, octets decoded, nothing kept for ever."""

import random

import pytest

from smsgw.simulator.submissions import INCOMPLETE_LIMIT, Submissions, SubmittedMessage
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, SubmitSm
from smsgw.text import segments
from smsgw.text.segments import UDHI


def parts(text: str, *, destination: str = "359881", reference: int = 7) -> list[SubmitSm]:
    return [
        SubmitSm(
            source_addr="1234",
            destination_addr=destination,
            data_coding=one.data_coding,
            esm_class=one.esm_class,
            short_message=one.payload,
        )
        for one in segments.split(text, reference=reference)
    ]


def add(*pdus: SubmitSm | DataSm) -> list[SubmittedMessage]:
    submissions = Submissions()
    added = (submissions.add(pdu, f"id{number}") for number, pdu in enumerate(pdus))
    return [message for message in added if message is not None]


def test_a_short_message_is_shown_at_once() -> None:
    request = SubmitSm(
        source_addr="1234",
        destination_addr="359881",
        short_message=b"caf\x05 {}".replace(b"{}", b"\x1b\x28\x1b\x29"),
        service_type="VMA",
        registered_delivery=1,
        tlvs={0x1400: b"tariff"},
    )
    assert add(request) == [
        SubmittedMessage(
            source="1234",
            destination="359881",
            text="café {}",
            data=request.short_message,
            data_coding=0,
            message_ids=("id0",),
            registered_delivery=1,
            service_type="VMA",
            tlvs={0x1400: b"tariff"},
        )
    ]


@pytest.mark.parametrize("text", ["long " * 100, "дълго " * 50, "🌄" * 120])
def test_parts_are_joined_in_any_order(text: str) -> None:
    pdus = parts(text)
    assert len(pdus) > 2
    order = list(range(len(pdus)))
    random.Random(1).shuffle(order)
    [message] = add(*(pdus[index] for index in order))
    assert message.text == text
    assert message.message_ids == tuple(f"id{order.index(index)}" for index in range(len(pdus)))


def test_parts_of_two_phones_do_not_mix() -> None:
    first, second = parts("a" * 200), parts("b" * 200, destination="359882")
    messages = add(first[0], second[0], second[1], first[1])
    assert [message.text for message in messages] == ["b" * 200, "a" * 200]


def test_parts_of_two_messages_to_one_phone_do_not_mix() -> None:
    first, second = parts("a" * 200), parts("b" * 200, reference=8)
    messages = add(first[0], second[0], second[1], first[1])
    assert [message.text for message in messages] == ["b" * 200, "a" * 200]


def test_a_part_that_comes_again_counts_once() -> None:
    first, second = parts("a" * 200)
    [message] = add(first, first, second)
    assert message.text == "a" * 200


def test_parts_told_by_tlvs_are_joined_too() -> None:
    def sar(number: int, text: bytes) -> SubmitSm:
        told = {
            tlvs.SAR_MSG_REF_NUM: b"\1\2",
            tlvs.SAR_TOTAL_SEGMENTS: b"\2",
            tlvs.SAR_SEGMENT_SEQNUM: bytes((number,)),
        }
        return SubmitSm(short_message=text, tlvs=told)

    [message] = add(sar(2, b"world"), sar(1, b"hello "))
    assert message.text == "hello world"


def test_the_payload_may_come_in_a_tlv() -> None:
    payload = {tlvs.MESSAGE_PAYLOAD: b"from the payload"}
    assert [one.text for one in add(SubmitSm(tlvs=payload), DataSm(tlvs=payload))] == ["from the payload"] * 2


def test_a_header_that_is_not_about_parts_is_not_text() -> None:
    [message] = add(SubmitSm(esm_class=UDHI, short_message=b"\x06\x05\x04\x15\x81\x00\x00ring"))
    assert (message.text, message.data) == ("ring", b"ring")


def test_what_is_not_text_is_kept_as_octets() -> None:
    [message] = add(SubmitSm(data_coding=4, short_message=b"\0\1\2"))
    assert (message.text, message.data) == (None, b"\0\1\2")


def test_messages_that_never_become_whole_are_forgotten_oldest_first() -> None:
    submissions = Submissions()
    for number in range(INCOMPLETE_LIMIT + 10):
        assert submissions.add(parts("a" * 200, destination=str(number))[0], "x") is None
    assert len(submissions._incomplete) == INCOMPLETE_LIMIT
    assert submissions.add(parts("a" * 200, destination="0")[1], "x") is None
    assert submissions.add(parts("a" * 200, destination=str(INCOMPLETE_LIMIT))[1], "x") is not None
