"""The SMSC as a good citizen: who may bind, what is delivered how often, what is shown of what was submitted."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from smsgw.errors import StartError, TextError
from smsgw.simulator.peer import Bind
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.smpp import pdus, receipt, status, tlvs
from smsgw.smpp.events import Answered, BindRefused, Bound, Ended
from smsgw.smpp.pdus import DeliverSm, Pdu
from smsgw.text import segments
from tests.simulator.gateway import Gateway
from tests.simulator.virtual_loop import LoopClock, run

if TYPE_CHECKING:
    from smsgw.simulator.submissions import SubmittedMessage

SUBSCRIBER, SHORT_CODE = "359881234567", "1234"


class Operator:
    """An SMSC that listens, and what it told."""

    def __init__(self, settings: SmscSettings) -> None:
        self.smsc = Smsc(settings, clock=LoopClock())
        self.mts: list[SubmittedMessage] = []
        self.binds: list[tuple[Bind, ...]] = []
        self.pdus: list[tuple[bool, str, int]] = []
        self.port = 0
        self.smsc.on_mt = self.mts.append
        self.smsc.on_binds = self.binds.append

    def _on_pdu(self, connection: int, sent: bool, pdu: Pdu, sequence_number: int) -> None:  # noqa: FBT001
        assert connection == 1
        self.pdus.append((sent, pdu.name, sequence_number))

    def deliver(self, text: str = "CODE") -> asyncio.Future[int]:
        return self.smsc.deliver(SUBSCRIBER, SHORT_CODE, text)


@asynccontextmanager
async def operator(settings: SmscSettings | None = None) -> AsyncIterator[Operator]:
    one = Operator(settings or SmscSettings())
    one.port = await one.smsc.start()
    try:
        yield one
    finally:
        await one.smsc.stop()


def texts(gateway: Gateway) -> list[bytes]:
    return [pdu.short_message for pdu in gateway.delivered]


# Who may bind


@pytest.mark.parametrize(
    ("name", "password", "expected"),
    [
        ("smsgw", "wrong", status.ESME_RINVPASWD),
        ("other", "secret", status.ESME_RINVSYSID),
        ("", "", status.ESME_RINVSYSID),
    ],
)
def test_wrong_credentials_are_refused(name: str, password: str, expected: int) -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port, name=name, password=password)
            [refused] = gateway.told(BindRefused)
            assert isinstance(refused, BindRefused)
            assert refused.response.command_status == expected
            assert (one.binds, one.smsc.binds) == ([], ())

    run(test())


def test_right_credentials_are_taken_and_the_bind_is_told() -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            await one.smsc.until_bound()
            [bound] = gateway.told(Bound)
            assert isinstance(bound, Bound)
            assert bound.response.tlvs[tlvs.SC_INTERFACE_VERSION] == b"\x34"
            bind = Bind(connection=1, kind="transceiver", system_id="smsgw")
            assert one.binds == [(bind,)]
            gateway.close()
            await asyncio.sleep(1)
            assert one.binds == [(bind,), ()]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.smsc.until_bound(), 60)

    run(test())


def test_a_peer_that_does_not_bind_is_hung_up_on() -> None:
    async def test() -> None:
        async with operator() as one:
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            began = LoopClock().monotonic_ms()
            assert await reader.read() == b""
            assert LoopClock().monotonic_ms() - began == pytest.approx(10_000, abs=10)
            writer.close()

    run(test())


def test_connections_beyond_the_limit_are_closed() -> None:
    async def test() -> None:
        async with operator(SmscSettings(max_connections=1)) as one:
            await Gateway().connect(one.port)
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            assert await reader.read() == b""
            writer.close()
            assert len(one.smsc.binds) == 1

    run(test())


def test_a_taken_port_is_one_clear_line() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(StartError, match=f"^simulator: cannot listen on 127.0.0.1:{port}: .*in use") as raised:
                await Smsc(SmscSettings(port=port)).start()
            assert raised.value.exit_status == 69

    run(test())


def test_the_password_is_not_shown() -> None:
    assert "hush" not in repr(SmscSettings(password="hush"))


# Messages of subscribers


def test_a_message_is_delivered_and_its_answer_returned() -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            assert await one.deliver("CODE") == 0
            [pdu] = gateway.delivered
            assert (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi) == (SUBSCRIBER, 1, 1)
            assert (pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi) == (SHORT_CODE, 0, 1)
            assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0, 0, b"CODE")
            gateway.answer = lambda _: status.ESME_RX_R_APPN
            assert await one.deliver() == status.ESME_RX_R_APPN

    run(test())


def test_a_message_waits_until_somebody_is_bound_who_takes_messages() -> None:
    async def test() -> None:
        async with operator() as one:
            promise = one.deliver()
            transmitter = await Gateway().connect(one.port, "transmitter")
            await asyncio.sleep(100)
            assert not promise.done()
            receiver = await Gateway().connect(one.port, "receiver")
            await asyncio.wait_for(one.smsc.until_bound(), 1)
            assert await promise == 0
            assert (texts(transmitter), texts(receiver)) == ([], [b"CODE"])
            assert sorted(bind.kind for bind in one.smsc.binds) == ["receiver", "transmitter"]

    run(test())


@pytest.mark.parametrize("text", ["Много дълго съобщение " * 30, "long [message] " * 60, "🌄" * 200, "", "\0"])
def test_a_long_message_comes_in_parts_that_join(text: str) -> None:
    async def test() -> None:
        async with operator(SmscSettings(window=1)) as one:
            gateway = await Gateway().connect(one.port)
            if text == "\0":
                promise = one.smsc.deliver_raw(DeliverSm(data_coding=3, short_message=b"\0"))
            else:
                promise = one.deliver(text)
            assert await promise == 0
            parts = [segments.parse_part(pdu.short_message, pdu.esm_class) for pdu in gateway.delivered]
            whole = [part for part in parts if part is not None]
            data = segments.join(whole) if whole else gateway.delivered[0].short_message
            coding = gateway.delivered[0].data_coding
            assert (data.decode("utf-16-be") if coding == 8 else data.decode("latin-1")) == text.replace(
                "[", "\x1b<"
            ).replace("]", "\x1b>")

    run(test())


def test_half_a_character_is_refused() -> None:
    async def test() -> None:
        async with operator() as one:
            with pytest.raises(TextError):
                one.deliver("\ud83c")

    run(test())


def test_no_more_than_the_window_is_unanswered() -> None:
    async def test() -> None:
        async with operator(SmscSettings(window=3)) as one:
            gateway = await Gateway().connect(one.port)
            gateway.answer = lambda _: None
            for number in range(10):
                one.deliver(str(number))
            await asyncio.sleep(1)
            assert texts(gateway) == [b"0", b"1", b"2"]

    run(test())


def test_messages_go_to_all_receivers_in_turn() -> None:
    async def test() -> None:
        async with operator(SmscSettings(window=2)) as one:
            first, second = await Gateway().connect(one.port), await Gateway().connect(one.port)
            for gateway in (first, second):
                gateway.answer = lambda _: None
            for number in range(4):
                one.deliver(str(number))
            await asyncio.sleep(1)
            assert (texts(first), texts(second)) == ([b"0", b"2"], [b"1", b"3"])

    run(test())


def test_a_message_that_is_not_answered_in_time_comes_again() -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            gateway.answer = lambda _: None if len(gateway.delivered) < 3 else 0
            began = LoopClock().monotonic_ms()
            assert await one.deliver() == 0
            assert texts(gateway) == [b"CODE"] * 3
            assert LoopClock().monotonic_ms() - began == pytest.approx(2 * (10_000 + 1_000), abs=50)

    run(test())


def test_a_temporary_error_brings_the_message_again() -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            gateway.answer = lambda _: status.ESME_RX_T_APPN if len(gateway.delivered) < 4 else 0
            began = LoopClock().monotonic_ms()
            assert await one.deliver() == 0
            assert texts(gateway) == [b"CODE"] * 4
            assert LoopClock().monotonic_ms() - began == pytest.approx(3_000, abs=50)

    run(test())


def test_what_a_lost_session_has_not_acknowledged_comes_again_on_the_next_in_order() -> None:
    async def test() -> None:
        async with operator(SmscSettings(window=4)) as one:
            first = await Gateway().connect(one.port)
            first.answer = lambda pdu: 0 if pdu.short_message == b"1" else None
            promises = [one.deliver(str(number)) for number in range(6)]
            await first.until(lambda: len(first.delivered) == 5)
            first.close()
            second = await Gateway().connect(one.port)
            assert await asyncio.gather(*promises) == [0] * 6
            assert texts(second) == [b"0", b"2", b"3", b"4", b"5"]

    run(test())


def test_a_message_is_given_up_after_so_many_attempts() -> None:
    async def test() -> None:
        async with operator(SmscSettings(max_attempts=2)) as one:
            gateway = await Gateway().connect(one.port)
            gateway.answer = lambda _: status.ESME_RX_T_APPN
            assert await one.deliver() == status.ESME_RX_T_APPN
            assert texts(gateway) == [b"CODE"] * 2

    run(test())


def test_a_full_queue_is_said_at_once() -> None:
    async def test() -> None:
        async with operator(SmscSettings(max_waiting=1)) as one:
            waiting = one.deliver()
            assert await one.deliver() == status.ESME_RMSGQFUL
            await Gateway().connect(one.port)
            assert await waiting == 0

    run(test())


def test_a_pdu_that_cannot_be_written_ends_with_the_status_that_says_why() -> None:
    async def test() -> None:
        async with operator() as one:
            await Gateway().connect(one.port)
            assert await one.smsc.deliver_raw(DeliverSm(source_addr="1" * 100)) == status.ESME_RINVSRCADR
            assert await one.deliver() == 0

    run(test())


def test_a_generic_nack_is_a_final_error() -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            gateway.answer = lambda _: None

            def refuse(pdu: DeliverSm) -> None:
                gateway.session.respond(pdu, pdus.GenericNack(), 0)

            gateway.on_delivered = refuse
            assert await one.deliver() == status.ESME_RUNKNOWNERR

    run(test())


def test_stopping_gives_up_what_waits() -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            gateway.answer = lambda _: None
            promise = one.deliver()
        assert promise.cancelled()

    run(test())


# What the gateway submits


def test_a_submitted_message_is_shown_and_gets_an_id_in_hex() -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            gateway.submit(SUBSCRIBER, b"first")
            gateway.submit(SUBSCRIBER, b"second")
            await gateway.until(lambda: len(gateway.told(Answered)) == 2)
            ids = [event.response.message_id for event in gateway.told(Answered)]  # type: ignore[union-attr]
            assert ids == ["00000001", "00000002"]
            assert [(mt.destination, mt.text, mt.message_ids) for mt in one.mts] == [
                (SUBSCRIBER, "first", ("00000001",)),
                (SUBSCRIBER, "second", ("00000002",)),
            ]

    run(test())


def test_a_receipt_follows_when_it_is_asked_for() -> None:
    async def test() -> None:
        async with operator(SmscSettings(receipt_delay_ms=60_000, receipt_state="UNDELIV")) as one:
            gateway = await Gateway().connect(one.port)
            gateway.submit(SUBSCRIBER, b"no receipt")
            gateway.submit(SUBSCRIBER, b"receipt", registered_delivery=1)
            await asyncio.sleep(59)
            assert gateway.delivered == []
            await asyncio.sleep(2)
            [pdu] = gateway.delivered
            assert receipt.is_receipt(pdu)
            read = receipt.parse(pdu)
            assert (read.message_id, read.state, pdu.source_addr) == ("00000002", "UNDELIV", SUBSCRIBER)

    run(test())


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (pdus.QuerySm(message_id="1"), status.ESME_RQUERYFAIL),
        (pdus.CancelSm(message_id="1"), status.ESME_RCANCELFAIL),
        (pdus.ReplaceSm(message_id="1"), status.ESME_RREPLACEFAIL),
        (pdus.DataSm(destination_addr=SUBSCRIBER, tlvs={tlvs.MESSAGE_PAYLOAD: b"hi"}), status.ESME_ROK),
    ],
)
def test_every_other_request_has_a_defined_answer(request_: Pdu, expected: int) -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            gateway.request(request_)
            await gateway.until(lambda: gateway.told(Answered))
            [answered] = gateway.told(Answered)
            assert isinstance(answered, Answered)
            assert answered.response.command_status == expected
            assert [mt.text for mt in one.mts] == (["hi"] if expected == 0 else [])

    run(test())


def test_who_watches_sees_the_pdus_in_the_order_of_the_wire() -> None:
    async def test() -> None:
        async with operator() as one:
            one.smsc.on_pdu = one._on_pdu
            gateway = await Gateway().connect(one.port)
            gateway.on_delivered = lambda _: gateway.submit(SUBSCRIBER, b"K7XM")
            await one.deliver()
            await gateway.until(lambda: gateway.told(Answered))
            assert one.pdus == [
                (False, "bind_transceiver", 1),
                (True, "bind_transceiver_resp", 1),
                (True, "deliver_sm", 1),
                (False, "deliver_sm_resp", 1),
                (False, "submit_sm", 2),
                (True, "submit_sm_resp", 2),
            ]

    run(test())


def test_unbinding_asks_the_gateway_to_leave() -> None:
    async def test() -> None:
        async with operator() as one:
            gateway = await Gateway().connect(one.port)
            one.smsc.unbind()
            await gateway.until(lambda: gateway.told(Ended))
            assert gateway.told(Ended) == [Ended(reason="peer_unbound")]

    run(test())


def test_dropping_breaks_every_connection() -> None:
    async def test() -> None:
        async with operator() as one:
            first, second = await Gateway().connect(one.port), await Gateway().connect(one.port)
            one.smsc.drop()
            for gateway in (first, second):
                await gateway.until(lambda gateway=gateway: gateway.told(Ended))  # type: ignore[misc]
                assert gateway.told(Ended) == [Ended(reason="connection_lost")]

    run(test())
