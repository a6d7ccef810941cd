"""The trace of a link: every PDU on a line, nobody's number, text or password in it; and switches that end."""

import asyncio
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from smsgw.kit.pcap import CaptureFile
from smsgw.links import traces
from smsgw.links.trace import Direction, Tracer, Tracing
from smsgw.links.traces import Switch, Traced, Traces
from smsgw.smpp import pdus
from smsgw.smpp.codec import encode
from smsgw.smpp.pdus import Pdu
from tests.links.doubles import scene, virtual

SECRETS = ("359888123456", "SUNSHINE", "pa55w0rd", "ZXCVBNM9")


class Stopped:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_ms(self) -> int:
        return self.ms


def traced(*said: tuple[Pdu, Direction], file: CaptureFile | None = None) -> list[dict[str, Any]]:
    """Return the lines about these PDUs, in one piece for each direction."""
    tracer = Tracer("north", "transceiver", file, lambda: (("127.0.0.1", 1), ("127.0.0.2", 2775)))
    with capture_logs() as lines:
        for number, (pdu, direction) in enumerate(said, 1):
            tracer(encode(pdu, number), direction)
    tracer.close()
    return [dict(line) for line in lines]


# --- lines ----------------------------------------------------------------------------------------------------------


def test_a_line_says_what_an_engineer_asks_for() -> None:
    submit = pdus.SubmitSm(
        service_type="VMA",
        source_addr="1234",
        source_addr_ton=3,
        destination_addr="359888123456",
        dest_addr_ton=1,
        esm_class=0x40,
        registered_delivery=1,
        data_coding=8,
        short_message=b"\5\0\3\1\2\1SUNSHINE",
        tlvs={0x020C: b"\0\7", 0x1400: b"1234"},
    )
    [line] = traced((submit, "out"))
    assert {name: value for name, value in line.items() if name != "log_level"} == {
        "event": "link.pdu",
        "module": "links.trace",
        "link": "north",
        "bind": "transceiver",
        "dir": "out",
        "pdu": "submit_sm",
        "sequence": 1,
        "status": None,
        "octets": len(encode(submit, 1)),
        "service_type": "VMA",
        "source_addr": "1234",
        "source_addr_ton": 3,
        "destination_addr": "359888123456",
        "dest_addr_ton": 1,
        "esm_class": "0x40",
        "registered_delivery": 1,
        "data_coding": 8,
        "text_octets": 14,
        "sar_msg_ref_num": 7,
        "tlvs": "1400:4",
    }


def test_a_response_has_its_status_and_a_receipt_its_state() -> None:
    receipt = b"id:77 sub:001 dlvrd:001 submit date:2311 done date:2311 stat:UNDELIV err:012 text:ZXCVBNM9"
    response, report, by_tlv = traced(
        (pdus.SubmitSmResp(command_status=0x58), "in"),
        (pdus.DeliverSm(source_addr="359888123456", esm_class=4, short_message=receipt), "in"),
        (pdus.DeliverSm(esm_class=4, tlvs={0x001E: b"78\0", 0x0427: b"\2"}), "in"),
    )
    assert (response["pdu"], response["status"]) == ("submit_sm_resp", "ESME_RTHROTTLED")
    assert (report["receipt_of"], report["state"], report["error"]) == ("77", "UNDELIV", "012")
    assert (by_tlv["receipted_message_id"], by_tlv["message_state"]) == ("78", 2)


def test_no_line_holds_a_number_a_text_or_a_password(log: io.StringIO) -> None:
    tracer = Tracer("north", "transceiver", None, lambda: (("", 0), ("", 0)))
    for number, pdu in enumerate(
        (
            pdus.BindTransceiver(system_id="smsgw", password="pa55w0rd"),
            pdus.Outbind(system_id="smsc", password="pa55w0rd"),
            pdus.DeliverSm(source_addr="359888123456", destination_addr="1234", short_message=b"SUNSHINE"),
            pdus.DataSm(source_addr="359888123456", tlvs={0x0424: b"SUNSHINE", 0x0381: b"\1\0\0359888123456"}),
            pdus.SubmitSm(destination_addr="359888123456", short_message=b"Code ZXCVBNM9"),
            pdus.DeliverSm(esm_class=4, short_message=b"id:1 stat:DELIVRD text:ZXCVBNM9"),
            pdus.QuerySm(message_id="1", source_addr="359888123456"),
            pdus.ReplaceSm(message_id="1", source_addr="359888123456", short_message=b"ZXCVBNM9"),
            pdus.AlertNotification(source_addr="359888123456", esme_addr="359888123456"),
        ),
        1,
    ):
        tracer(encode(pdu, number), "in")
    lines = log.getvalue()
    assert lines.count("link.pdu") == 9
    assert [secret for secret in SECRETS if secret in lines] == []


def test_pieces_are_put_together_and_what_cannot_be_read_is_told() -> None:
    tracer = Tracer("north", "transceiver", None, lambda: (("", 0), ("", 0)))
    octets = encode(pdus.EnquireLink(), 5) + (16).to_bytes(4) + (0x999).to_bytes(4) + bytes(8)
    with capture_logs() as lines:
        for octet in octets:
            tracer(bytes((octet,)), "in")
        tracer(b"\xff" * 16, "in")
        tracer(encode(pdus.EnquireLinkResp(), 5), "out")
    assert [line["pdu"] for line in lines] == ["enquire_link", "unreadable", "enquire_link_resp"]


def test_whatever_goes_wrong_in_it_stays_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CaptureFile(tmp_path / "a", 1 << 20, lambda: 0)

    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file, "write", full)
    lines = traced((pdus.EnquireLink(), "in"), file=file)
    file.close()
    assert [line["event"] for line in lines] == ["link.pdu", "link.trace_failed"]


# --- captures -------------------------------------------------------------------------------------------------------


def test_a_capture_has_everything_but_the_password(tmp_path: Path) -> None:
    file = CaptureFile(tmp_path / "a", 1 << 20, lambda: 0)
    traced(
        (pdus.BindTransceiver(system_id="smsgw", password="pa55w0rd", system_type="WWW"), "out"),
        (pdus.SubmitSm(destination_addr="359888123456", short_message=b"SUNSHINE"), "out"),
        file=file,
    )
    file.close()
    octets = file.path.read_bytes()
    assert b"pa55w0rd" not in octets
    assert encode(pdus.BindTransceiver(system_id="smsgw", password="********", system_type="WWW"), 1) in octets
    assert b"SUNSHINE" in octets


# --- on a connection ------------------------------------------------------------------------------------------------


@virtual
async def test_it_is_switched_on_and_off_while_the_connection_works() -> None:
    async with scene() as one:
        await one.bound()
        with capture_logs() as lines:
            one.connection.trace(Tracing(None))
            one.waiting.put(1)
            one.senders.pump()
            await one.until(lambda: len(one.waiting.said) == 1)
            one.connection.trace(None)
            one.waiting.put(1)
            one.senders.pump()
            await one.until(lambda: len(one.waiting.said) == 2)
    told = [(line["dir"], line["pdu"]) for line in lines if line["event"] == "link.pdu"]
    assert told == [("out", "submit_sm"), ("in", "submit_sm_resp")]


# --- switches -------------------------------------------------------------------------------------------------------


@contextmanager
def looking(state_dir: Path, links: Mapping[str, Traced], clock: Stopped) -> Iterator[Traces]:
    """What looks into the folder, until the end of the block."""
    made = Traces(state_dir, links, clock)
    yield made
    made.close()


class Link:
    """A link that can be looked at."""

    def __init__(self) -> None:
        self.told: list[Tracing | None] = []

    def trace(self, tracing: Tracing | None) -> None:
        self.told.append(tracing)


def test_a_switch_is_obeyed_until_its_end(tmp_path: Path) -> None:
    clock, north, south = Stopped(), Link(), Link()
    with looking(tmp_path, {"north": north, "south": south}, clock) as daemon:
        daemon.look()
        path = traces.switch_on(tmp_path, "north", clock.ms, 60_000, capture=True)
        assert path is not None
        daemon.look()
        daemon.look()
        assert len(north.told) == 1
        assert path.exists()
        clock.ms += 59_999
        daemon.look()
        assert len(north.told) == 1
        clock.ms += 1
        daemon.look()
        assert north.told[1:] == [None]
    assert traces.switches(tmp_path) == {}
    assert south.told == []


def test_a_switch_can_be_changed_and_turned_off(tmp_path: Path) -> None:
    clock, north = Stopped(), Link()
    with looking(tmp_path, {"north": north}, clock) as daemon:
        assert traces.switch_on(tmp_path, "north", clock.ms, 60_000, capture=False) is None
        daemon.look()
        traces.switch_on(tmp_path, "north", clock.ms, 90_000, capture=True)
        daemon.look()
        assert traces.switch_off(tmp_path, "north")
        daemon.look()
    assert [None if one is None else one.file is not None for one in north.told] == [False, None, True, None]
    assert not traces.switch_off(tmp_path, "north")


def test_a_daemon_that_begins_again_captures_into_another_file(tmp_path: Path) -> None:
    clock = Stopped()
    path = traces.switch_on(tmp_path, "north", clock.ms, 60_000, capture=True)
    assert path is not None
    for _ in range(3):
        with looking(tmp_path, {"north": Link()}, clock) as daemon:
            daemon.look()
    made = sorted(file.name for file in (tmp_path / "traces").glob("*.pcap"))
    assert made == [f"{path.stem}-2.pcap", f"{path.stem}-3.pcap", path.name]


@pytest.mark.parametrize("content", [b"", b"{", b'{"until_ms": "x"}', b'{"until_ms": 1, "more": 2}', b"\xff" * 9_000])
def test_a_switch_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "north.json").write_bytes(content)
    north = Link()
    with looking(tmp_path, {"north": north}, Stopped()) as daemon:
        daemon.look()
    assert north.told == []


def test_a_full_disk_ends_a_capture_and_nothing_else(tmp_path: Path) -> None:
    file = CaptureFile(tmp_path / "north.pcap", 1 << 20, lambda: 0)
    with file._file, Path("/dev/full").open("wb") as full:
        file._file = full
        submit = pdus.SubmitSm(source_addr="1234", destination_addr="359888123456", short_message=b"SUNSHINE")
        lines = traced((submit, "out"), (submit, "out"), file=file)
        assert [line["event"] for line in lines].count("link.trace_failed") == 1
        file.close()


async def test_a_folder_that_is_not_ours_ends_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Stopped()
    traces.switch_on(tmp_path, "gone", clock.now_ms(), 1_000, capture=False)

    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied", "gone.json")

    monkeypatch.setattr(traces, "switch_off", refuse)
    monkeypatch.setattr(traces, "_PERIOD_S", 0.0)
    with capture_logs() as lines:
        task = asyncio.create_task(Traces(tmp_path, {}, clock).run())
        while len(lines) < 2:  # noqa: ASYNC110 - turns of the loop, no time
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert {line["event"] for line in lines} == {"trace.failed"}


def test_a_switch_names_no_file_elsewhere(tmp_path: Path) -> None:
    clock, north = Stopped(), Link()
    (tmp_path / "traces").mkdir()
    switch = Switch(until_ms=clock.ms + 1, capture="../../outside.pcap")
    (tmp_path / "traces" / "north.json").write_text(f'{{"until_ms":{switch.until_ms},"capture":"{switch.capture}"}}')
    with looking(tmp_path, {"north": north}, clock) as daemon:
        daemon.look()
    assert (tmp_path / "traces" / "outside.pcap").exists()


def test_a_link_that_is_gone_has_no_switch(tmp_path: Path) -> None:
    clock = Stopped()
    traces.switch_on(tmp_path, "west", clock.ms, 60_000, capture=False)
    with looking(tmp_path, {}, clock) as daemon:
        daemon.look()
    assert traces.switches(tmp_path) == {}
