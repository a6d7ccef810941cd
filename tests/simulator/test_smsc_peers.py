"""Our SMSC with clients that nobody here wrote: smpp34 (Rust) and smpplib, over real sockets."""

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import smpp34
import smpplib.consts
import smpplib.exceptions

from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.submissions import SubmittedMessage
from smsgw.smpp import tlvs
from smsgw.text import coding, segments
from tests.peers.smpplib_client import SHORT_CODE, SUBSCRIBER, SmpplibClient

PATIENCE_S = 20


@asynccontextmanager
async def started(settings: SmscSettings | None = None) -> AsyncIterator[tuple[Smsc, int, list[SubmittedMessage]]]:
    smsc = Smsc(settings or SmscSettings())
    mts: list[SubmittedMessage] = []
    smsc.on_mt = mts.append
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield smsc, await smsc.start(), mts
    finally:
        await smsc.stop()


async def test_smpp34_binds_receives_a_message_and_submits_one() -> None:
    async with started(SmscSettings(receipt_delay_ms=1)) as (smsc, port, mts):
        client = smpp34.Client("127.0.0.1", port, "smsgw", "secret", bind_type="TRX")
        session = await client.connect()
        await smsc.until_bound()
        answer = smsc.deliver(SUBSCRIBER, SHORT_CODE, "Код за достъп")
        event = await session.next()
        assert isinstance(event, smpp34.DeliverSmEvent)
        assert (event.source_addr, event.destination_addr, event.data_coding) == (SUBSCRIBER, SHORT_CODE, 8)
        assert event.short_message.decode("utf-16-be") == "Код за достъп"
        assert await answer == 0

        response = await session.submit_sm(
            SUBSCRIBER, b"Your code is K7XM", source_addr=SHORT_CODE, registered_delivery=1
        )
        assert (response.is_success, response.message_id) == (True, "00000001")
        assert [(mt.source, mt.destination, mt.text) for mt in mts] == [(SHORT_CODE, SUBSCRIBER, "Your code is K7XM")]

        receipt = await session.next()
        assert isinstance(receipt, smpp34.DeliverSmEvent)
        assert receipt.esm_class == 4
        told = {tlv.tag: tlv for tlv in receipt.tlvs}
        assert told[tlvs.RECEIPTED_MESSAGE_ID].as_string() == "00000001"
        assert receipt.short_message.startswith(b"id:00000001 ")
        await session.unbind()
        await client.stop()


async def test_smpp34_reads_all_parts_of_a_long_message() -> None:
    text = "Зорница над облаците " * 20
    async with started() as (smsc, port, _):
        client = smpp34.Client("127.0.0.1", port, "smsgw", "secret", bind_type="RX")
        session = await client.connect()
        answer = smsc.deliver(SUBSCRIBER, SHORT_CODE, text)
        parts: list[segments.Part] = []
        while len(parts) < len(segments.split(text, reference=1)):
            event = await session.next()
            assert isinstance(event, smpp34.DeliverSmEvent)
            part = segments.parse_part(event.short_message, event.esm_class)
            assert part is not None
            parts.append(part)
        assert coding.decode(segments.join(parts), 8) == text
        assert await answer == 0
        await client.stop()


@pytest.mark.parametrize("credentials", [("smsgw", "wrong"), ("wrong", "secret")])
async def test_smpp34_is_not_let_in_with_wrong_credentials(credentials: tuple[str, str]) -> None:
    async with started() as (smsc, port, _):
        client = smpp34.Client("127.0.0.1", port, *credentials, bind_type="TRX", connect_timeout_ms=500)
        with pytest.raises(smpp34.SmppError):
            await client.connect()
        assert smsc.binds == ()
        await client.stop()


async def test_smpplib_binds_receives_a_message_and_submits_one() -> None:
    async with started() as (smsc, port, mts):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of its own habits
            client = SmpplibClient(port)
            await asyncio.to_thread(client.bind)
            answer = smsc.deliver(SUBSCRIBER, SHORT_CODE, "CODE")
            await asyncio.to_thread(client.receive)
            assert await answer == 0
            assert [(pdu.source_addr, pdu.short_message) for pdu in client.delivered] == [
                (SUBSCRIBER.encode(), b"CODE")
            ]
            await asyncio.to_thread(client.submit, b"Your code is K7XM")
            assert [pdu.message_id for pdu in client.answered] == [b"00000001"]
            assert [mt.text for mt in mts] == ["Your code is K7XM"]
            await asyncio.to_thread(client.leave)


async def test_smpplib_hears_that_the_password_is_wrong() -> None:
    async with started() as (_smsc, port, _):
        client = SmpplibClient(port)
        with pytest.raises(smpplib.exceptions.PDUError) as raised:
            await asyncio.to_thread(client.bind, "wrong")
        assert raised.value.args[1] == smpplib.consts.SMPP_ESME_RINVPASWD
        client.client.disconnect()
