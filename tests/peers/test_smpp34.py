"""An SMSC in Rust that nobody here wrote: it delivers, takes what is submitted, and sends receipts for it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import smpp34

from tests.peers.programs import free_port
from tests.system.books import Books
from tests.system.daemon import daemon_of

T = TypeVar("T")

_WAIT_S: Final = 20.0
_THROTTLED: Final = 0x58
_RECEIPT: Final = 0x04  # esm_class of a deliver_sm that is one (SMPP 3.4 §5.2.12)


async def _next(server: smpp34.Server, kind: type[T]) -> T:
    async with asyncio.timeout(_WAIT_S):
        event = await server.next()
    assert isinstance(event, kind)
    return event


async def deliver(esme: smpp34.Esme, text: bytes, *, esm_class: int = 0, data_coding: int = 0) -> smpp34.DeliverSmResp:
    """Deliver a message, or a receipt."""
    return await esme.deliver_sm(
        "1234",
        text,
        source_addr="359888123456",
        source_addr_ton=1,
        source_addr_npi=1,
        esm_class=esm_class,
        data_coding=data_coding,
    )


async def _until(books: Books, query: str, rows: list[tuple[object, ...]]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while await books.rows(query) != rows:
        assert time.monotonic() < deadline, await books.rows(query)
        await asyncio.sleep(0.02)


async def test_a_code_is_bought_answered_and_its_receipt_is_matched(tmp_path: Path) -> None:
    port = free_port()
    server = smpp34.Server("127.0.0.1", port, system_id="rust")
    await server.start()
    try:
        async with daemon_of(tmp_path, {"rust": {"port": port, "receipts": True}}) as daemon:
            books = Books(file=daemon.database)
            daemon.start()
            esme = await _next(server, smpp34.Esme)
            assert (esme.system_id, esme.can_receive) == ("smsgw", True)

            assert (await deliver(esme, "слънце".encode("utf-16-be"), data_coding=8)).is_success
            submitted = await _next(server, smpp34.SubmitSmEvent)
            assert (submitted.source_addr, submitted.destination_addr) == ("1234", "359888123456")
            assert (submitted.dest_addr_ton, submitted.dest_addr_npi, submitted.registered_delivery) == (1, 1, 1)
            code = submitted.short_message.decode("ascii").removeprefix("Your code is ")
            assert (await daemon.verify(code)).place == "http://shop.example/in"

            submitted.accept("7a3f")
            receipt = (
                b"id:7a3f sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:"
            )
            assert (await deliver(esme, receipt, esm_class=_RECEIPT)).is_success
            await _until(books, "select status, message_id from mts", [("delivered", "7a3f")])
            assert await books.number("select count(*) from mos") == 1  # a receipt is not a message

            assert await daemon.stop() == 0
            await _next(server, smpp34.Unbound)
    finally:
        await server.stop()


async def test_what_it_throttles_is_sent_again(tmp_path: Path) -> None:
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    try:
        async with daemon_of(tmp_path, {"rust": {"port": port, "retry_first_s": 0.05}}) as daemon:
            daemon.start()
            esme = await _next(server, smpp34.Esme)
            await deliver(esme, b"SUN")
            first = await _next(server, smpp34.SubmitSmEvent)
            first.reject(_THROTTLED)
            second = await _next(server, smpp34.SubmitSmEvent)
            second.accept("1")
            assert second.short_message == first.short_message
            await _until(Books(file=daemon.database), "select status, tries from mts", [("accepted", 2)])
    finally:
        await server.stop()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[smpp34.Server, int]]:
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    try:
        yield server, port
    finally:
        await server.stop()


async def test_a_receiver_and_a_transmitter(tmp_path: Path) -> None:
    async with (
        serving() as (server, port),
        daemon_of(tmp_path, {"rust": {"port": port, "bind": "separate"}}) as daemon,
    ):
        daemon.start()
        binds = [await _next(server, smpp34.Esme) for _ in range(2)]
        [receiver] = [esme for esme in binds if esme.can_receive]
        # It takes no receiver's answer, its own client's neither, and waits for it; nor is a transmitter answered.
        delivering = asyncio.ensure_future(deliver(receiver, b"SUN"))
        submitted = await _next(server, smpp34.SubmitSmEvent)
        assert submitted.session_id != receiver.session_id
        assert submitted.short_message.startswith(b"Your code is ")
        assert await Books(file=daemon.database).number("select count(*) from codes") == 1
        delivering.cancel()


async def test_long_messages_both_ways_with_a_receipt_for_each_part(tmp_path: Path) -> None:
    reply = {"reply": "Благодарим Ви! " * 6 + "{code}", "max_replies": 5}
    async with (
        serving() as (server, port),
        daemon_of(tmp_path, {"rust": {"port": port, "receipts": True}}, service=reply) as daemon,
    ):
        daemon.start()
        esme = await _next(server, smpp34.Esme)
        for part in (b"\5\0\3\7\2\2 and more", b"\5\0\3\7\2\1SUN"):
            assert (await deliver(esme, part, esm_class=0x40)).is_success
        parts = []
        for number in range(2):  # one subscriber's messages go out one after the other
            parts.append(await _next(server, smpp34.SubmitSmEvent))
            parts[-1].accept(f"7a3{number}")
        assert [(one.esm_class, one.short_message[4:6]) for one in parts] == [(0x40, b"\2\1"), (0x40, b"\2\2")]
        text = b"".join(one.short_message[6:] for one in parts).decode("utf-16-be")
        assert text.startswith("Благодарим Ви! Благодарим Ви! ")
        for number in (1, 0):
            receipt = f"id:7a3{number} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD"
            assert (await deliver(esme, receipt.encode(), esm_class=_RECEIPT)).is_success
        books = Books(file=daemon.database)
        await _until(books, "select status from mts order by part", [("delivered",), ("delivered",)])
        assert await books.number("select count(*) from codes") == 1


async def test_it_unbinds_and_the_daemon_comes_back(tmp_path: Path) -> None:
    async with (
        serving() as (server, port),
        daemon_of(tmp_path, {"rust": {"port": port}}) as daemon,
    ):
        daemon.start()
        first = await _next(server, smpp34.Esme)
        await first.unbind()
        events = [await asyncio.wait_for(server.next(), _WAIT_S) for _ in range(2)]
        [second] = [event for event in events if isinstance(event, smpp34.Esme)]
        assert second.session_id != first.session_id
        assert (await deliver(second, b"SUN")).is_success
        (await _next(server, smpp34.SubmitSmEvent)).accept("1")
        await _until(Books(file=daemon.database), "select status from mts", [("accepted",)])
