"""Forty golden PDUs, every way to spoil them, and what must hold for whatever a session and its owner make of the rest.

A mutation flips bits, changes, cuts, doubles or inserts octets, and mends command_length or does not. The session must
not raise; every frame that is cut whole is told to the owner or answered; nothing it holds grows past its limits.
"""

import random
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from msgspec import Struct

from smsgw.domain import incoming
from smsgw.errors import PduError, TextError
from smsgw.settings import LinkSettings
from smsgw.smpp import pdus, receipt, tlvs
from smsgw.smpp.codec import HEADER_BYTES, decode, encode
from smsgw.smpp.events import Event, Received
from smsgw.smpp.outstanding import MOST_REMEMBERED
from smsgw.smpp.pdus import RESPONSE_TO, DataSm, DeliverSm, Pdu, SubmitSm
from smsgw.smpp.session import MOST_OUTPUT_BYTES, Session, SessionSettings
from smsgw.smpp.states import State
from smsgw.text import coding

_LINK: Final = LinkSettings(host="smsc.example", port=2775, system_id="us", password_file="x", message_id_tlv=0x1401)
_SETTINGS: Final = SessionSettings(window=8, max_unanswered_in=16, response_timeout_ms=1_000)
_RECEIPT: Final = b"id:1a sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:Hi"


def _mo(**fields: object) -> DeliverSm:
    given: dict[str, object] = {"source_addr": "359881234567", "destination_addr": "1234", "short_message": b"SUN"}
    return DeliverSm(**(given | fields))  # type: ignore[arg-type]  # the fields of each line below


_SAR: Final = {
    tlvs.SAR_MSG_REF_NUM: b"\0\7",
    tlvs.SAR_TOTAL_SEGMENTS: b"\3",
    tlvs.SAR_SEGMENT_SEQNUM: b"\2",
}
_SPECIAL: Final[tuple[Pdu, ...]] = (
    _mo(),
    _mo(data_coding=8, short_message="слънце 😀".encode("utf-16-be")),
    _mo(esm_class=0x40, short_message=b"\5\0\3\7\3\1SUN"),
    _mo(esm_class=0x40, short_message=b"\6\x08\4\0\7\3\1SUN"),
    _mo(tlvs=_SAR),
    _mo(short_message=b"", tlvs={tlvs.MESSAGE_PAYLOAD: b"SUN " * 100}),
    _mo(tlvs={0x1400: b"vendor", 0x1401: b"id-1\0", tlvs.USER_MESSAGE_REFERENCE: b"\0\0\1"}),
    _mo(esm_class=0x04, short_message=_RECEIPT),
    _mo(esm_class=0x04, tlvs={tlvs.RECEIPTED_MESSAGE_ID: b"1a", tlvs.MESSAGE_STATE: b"\2"}),
    _mo(esm_class=0x20, data_coding=8, short_message=_RECEIPT.decode().encode("utf-16-be")),
    DataSm(source_addr="359881234567", destination_addr="1234", tlvs={tlvs.MESSAGE_PAYLOAD: b"SUN"}),
    SubmitSm(source_addr="1234", destination_addr="359881234567", short_message=b"Your code"),
    pdus.SubmitSmResp(message_id="1a", tlvs={tlvs.NETWORK_ERROR_CODE: b"\3\0\1"}),
    pdus.SubmitSmResp(command_status=0x58),
    pdus.BindTransceiverResp(system_id="smsc", tlvs={tlvs.SC_INTERFACE_VERSION: b"\x50"}),
)
GOLDEN: Final[tuple[bytes, ...]] = tuple(encode(kind(), 1) for kind in pdus.ALL) + tuple(
    encode(pdu, 2) for pdu in _SPECIAL
)


class Figures(Struct, kw_only=True):
    """What happened."""

    frames: int = 0
    received: int = 0  # requests that the owner got, whole
    refused: int = 0  # that were answered with an error, or not as PDUs at all
    sessions: int = 0
    most_held: int = 0  # octets in the framer
    most_output: int = 0
    seconds: float = 0.0


class Fuzzer:
    """Feeds a session, and a new one when that is over."""

    def __init__(self) -> None:
        self.figures = Figures()
        self._now_ms = 0
        self._session = self._begin()

    def feed(self, frame: bytes) -> None:
        """Let a session take a frame; AssertionError when what it does is not defined."""
        session, figures = self._session, self.figures
        self._now_ms += 1
        events = session.receive(frame, self._now_ms)
        output = session._out_bytes
        figures.frames += 1
        for event in events:
            if isinstance(event, Received):
                figures.received += 1
                self._own(event.request)
        whole = len(frame) >= HEADER_BYTES and int.from_bytes(frame[:4], "big") == len(frame)
        leaving = session.state is State.LEAVING  # an unbind is answered when what is on its way was, or soon after
        assert events or output or leaving or not whole, f"neither told nor answered: {frame.hex()}"
        assert not leaving or session.deadline_ms() is not None
        self._look(session)
        if output and not any(isinstance(event, Received) for event in events):
            figures.refused += 1
        session.take_output()
        if session.free and figures.frames % 64 == 0:
            session.request(SubmitSm(), self._now_ms)
        if leaving or session.closed or not session.wants_reading or session._framer.held:
            session.tick(self._now_ms + 10**6)
            assert isinstance(session.connection_lost(self._now_ms), list)
            self._session = self._begin()

    def _begin(self) -> Session:
        self.figures.sessions += 1
        return _bound()

    def _own(self, request: Pdu) -> None:
        """Do with a request what its owner does, as far as octets decide it."""
        if isinstance(request, DeliverSm | DataSm):
            facts = incoming.read(request, "north", _LINK)
            if receipt.is_receipt(request):
                receipt.parse(request)
            with suppress(TextError):
                coding.decode(facts.payload, request.data_coding)
            assert facts.part is None or 1 <= facts.part.number <= facts.part.total <= 255
        response = RESPONSE_TO.get(type(request))
        if response is not None and not self._session.closed:
            self._session.respond(request, response(), self._now_ms)

    def _look(self, session: Session) -> None:
        figures = self.figures
        figures.most_held = max(figures.most_held, session._framer.held)
        figures.most_output = max(figures.most_output, session._out_bytes)
        assert session._framer.held <= session.settings.max_pdu_bytes
        assert session._out_bytes < MOST_OUTPUT_BYTES + session.settings.max_pdu_bytes
        assert session.unanswered_in <= session.settings.max_unanswered_in + 1
        assert len(session._outstanding._waiting) <= session.settings.window + 2
        assert len(session._outstanding._expired) <= MOST_REMEMBERED


def mutations(count: int, seed: int) -> Iterator[bytes]:
    """Yield so many spoiled PDUs."""
    chance = random.Random(seed)
    for _ in range(count):
        frame = bytearray(chance.choice(GOLDEN))
        for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
            _CHANGES[chance.randrange(len(_CHANGES))](frame, chance)
        if chance.random() < 0.8 and len(frame) >= HEADER_BYTES:
            struct.pack_into(">I", frame, 0, len(frame))
        yield bytes(frame)


def run(count: int, seed: int) -> Figures:
    """Feed so many mutations."""
    fuzzer, began = Fuzzer(), time.perf_counter()
    for frame in mutations(count, seed):
        fuzzer.feed(frame)
    fuzzer.figures.seconds = time.perf_counter() - began
    return fuzzer.figures


def truncations() -> int:
    """Cut each golden PDU everywhere, as a frame of its own length and as one that ends too early; return how many."""
    fuzzer = Fuzzer()
    for frame in GOLDEN:
        for end in range(len(frame)):
            fuzzer.feed(frame[:end])
            if end >= HEADER_BYTES:
                fuzzer.feed(end.to_bytes(4, "big") + frame[4:end])
                _decoded(end.to_bytes(4, "big") + frame[4:end])
    return fuzzer.figures.frames


def splits() -> int:
    """Hand each golden PDU over in two pieces, cut everywhere, and in single octets; it means the same every time."""
    done = 0
    for frame in GOLDEN:
        expected = _heard([frame])
        for cut in range(1, len(frame)):
            assert _heard([frame[:cut], frame[cut:]]) == expected
            done += 1
        assert _heard([bytes((octet,)) for octet in frame]) == expected
    return done


def _heard(pieces: list[bytes]) -> tuple[list[Event], bytes]:
    session = _bound()
    events = [event for piece in pieces for event in session.receive(piece, 0)]
    return events, session.take_output()


def _decoded(frame: bytes) -> None:
    told = 1
    try:
        decode(frame)
    except PduError as error:
        told = error.command_status
    assert told, "an error says what to answer"


def _bound() -> Session:
    """Return a session of ours that is bound."""
    session = Session(_SETTINGS, now_ms=0)
    number = session.request(pdus.BindTransceiver(system_id="smsgw", password="secret"), 0)
    session.take_output()
    session.receive(encode(pdus.BindTransceiverResp(), number), 0)
    assert session.bound
    return session


def _flip(frame: bytearray, chance: random.Random) -> None:
    if frame:
        frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)


def _change(frame: bytearray, chance: random.Random) -> None:
    if frame:
        frame[chance.randrange(len(frame))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _cut(frame: bytearray, chance: random.Random) -> None:
    del frame[chance.randrange(len(frame) + 1) :]


def _drop(frame: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(frame) + 1)
    del frame[at : at + chance.randrange(1, 9)]


def _insert(frame: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(frame) + 1)
    frame[at:at] = chance.randbytes(chance.randrange(1, 9))


def _double(frame: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(frame) + 1)
    frame[at:at] = frame[at : at + chance.randrange(1, 65)]


def _other_command(frame: bytearray, chance: random.Random) -> None:
    if len(frame) >= HEADER_BYTES:
        struct.pack_into(">I", frame, 4, chance.choice(pdus.ALL).command_id)


_CHANGES: Final = (_flip, _flip, _change, _change, _cut, _drop, _insert, _double, _other_command)
