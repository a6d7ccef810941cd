"""Long answers and their parameters, read by SMSCs that nobody here wrote: smpp34 (Rust) and smpp (Node)."""

from pathlib import Path
from typing import Any, Final

import pytest
import smpp34

from tests.peers.programs import free_port
from tests.peers.test_node_smpp import _node_smsc
from tests.peers.test_smpp34 import _next, deliver
from tests.system.daemon import daemon_of

LATIN: Final = "Long " * 70
CYRILLIC: Final = "Дълъг " * 30
_VENDOR: Final = 0x1400
_SAR: Final = (0x020C, 0x020E, 0x020F)
_PAYLOAD: Final = 0x0424


def link(port: int, way: str) -> dict[str, Any]:
    return {
        "port": port,
        "long_messages": way,
        "validity_period": "relative",
        "service_type": "CMT",
        "priority_flag": 1,
    }


def joined(way: str, messages: list[smpp34.SubmitSmEvent]) -> str:
    """Join what came by the peer's own reading of it."""
    if way == "payload":
        [message] = messages
        return _text(message.data_coding, _tlvs(message)[_PAYLOAD])
    pieces = []
    for message in messages:
        text = bytes(message.short_message)
        if way == "sar":
            reference, total, number = (int.from_bytes(_tlvs(message)[tag], "big") for tag in _SAR)
        else:
            size = text[0] + 1
            reference, total, number = int.from_bytes(text[3 : size - 2], "big"), text[size - 2], text[size - 1]
            text = text[size:]
        assert total == len(messages)
        pieces.append((number, reference, text))
    assert len({reference for _, reference, _ in pieces}) == 1
    return _text(messages[0].data_coding, b"".join(text for _, _, text in sorted(pieces)))


def _tlvs(message: smpp34.SubmitSmEvent) -> dict[int, bytes]:
    return {one.tag: bytes(one.value) for one in message.tlvs}


def _text(data_coding: int, octets: bytes) -> str:
    return octets.decode("utf-16-be" if data_coding == 8 else "ascii")


@pytest.mark.parametrize("text", [LATIN, CYRILLIC], ids=["gsm7", "ucs2"])
@pytest.mark.parametrize("way", ["udh8", "udh16", "sar", "payload"])
async def test_smpp34_reads_every_kind_as_one_text(tmp_path: Path, way: str, text: str) -> None:
    port = free_port()
    server = smpp34.Server("127.0.0.1", port, system_id="rust")
    await server.start()
    try:
        service = {"reply": text + "{code}", "max_replies": 4}
        async with daemon_of(tmp_path, {"rust": link(port, way)}, service=service) as daemon:
            daemon.start()
            esme = await _next(server, smpp34.Esme)
            assert (await deliver(esme, b"SUN")).is_success
            messages = []
            for number in range(1 if way == "payload" else 3):
                message = await _next(server, smpp34.SubmitSmEvent)
                message.accept(f"{number}")
                messages.append(message)
            found = joined(way, messages)
            assert found.startswith(text)
            assert (await daemon.verify(found.removeprefix(text))).place == "http://shop.example/in"
            assert {message.service_type for message in messages} == {"CMT"}
    finally:
        await server.stop()


@pytest.mark.peers
@pytest.mark.parametrize("text", [LATIN, CYRILLIC], ids=["gsm7", "ucs2"])
@pytest.mark.parametrize("way", ["udh8", "udh16", "sar", "payload"])
async def test_node_s_smpp_decodes_every_kind_by_itself(tmp_path: Path, way: str, text: str) -> None:
    async with _node_smsc() as smsc:
        port = (await smsc.told("listening"))["listening"]["port"]
        service = {"reply": text + "{code}", "max_replies": 4}
        async with daemon_of(tmp_path, {"node": link(port, way)}, service=service) as daemon:
            daemon.start()
            await smsc.told("bound")
            smsc.deliver(source_addr="359888123456", destination_addr="1234", short_message="SUN")
            pieces = []
            for told in range(1 if way == "payload" else 3):
                wanted = ("answered", "submitted") if told == 0 else ("submitted",)
                pieces.append((await smsc.told(*wanted))["submitted"])
            found = _joined_by_node(way, pieces)
            assert found.startswith(text)
            assert (await daemon.verify(found.removeprefix(text))).place == "http://shop.example/in"


def _joined_by_node(way: str, pieces: list[dict[str, Any]]) -> str:
    if way == "payload":
        [piece] = pieces
        return str(piece["payload"])
    if way == "sar":
        parts = [(piece["part"][2], piece["part"][1], piece["text"]) for piece in pieces]
    else:
        elements = [bytes.fromhex(piece["udh"][0]) for piece in pieces]
        parts = [(one[-1], one[-2], piece["text"]) for one, piece in zip(elements, pieces, strict=True)]
    assert {total for _, total, _ in parts} == {len(pieces)}
    return "".join(text for _, _, text in sorted(parts))
