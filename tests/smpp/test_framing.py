"""Any cut of the stream gives the same PDUs, and a length that cannot be is refused before anything is kept for it."""

import pytest
from hypothesis import given, strategies as st

from smsgw.smpp import status
from smsgw.smpp.framing import Framer

FRAMES = [b"\0\0\0\x10" + bytes(12), b"\0\0\0\x14" + bytes(12) + b"body", b"\0\0\0\x10" + b"\xff" * 12]
STREAM = b"".join(FRAMES)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_chunks_do_not_matter(cuts: list[int]) -> None:
    framer, frames, start = Framer(1024), [], 0
    for stop in (*sorted(cuts), len(STREAM)):
        frames += framer.feed(STREAM[start:stop])
        start = stop
    assert frames == FRAMES
    assert framer.held == 0


def test_single_octets_do_not_matter() -> None:
    framer = Framer(1024)
    assert [frame for octet in STREAM for frame in framer.feed(bytes([octet]))] == FRAMES


@pytest.mark.parametrize("length", [0, 3, 15, 1025, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_impossible_length_breaks_the_stream_after_four_octets(length: int) -> None:
    framer = Framer(1024)
    assert framer.feed(FRAMES[0] + length.to_bytes(4, "big")) == [FRAMES[0]]
    assert framer.broken is not None
    assert framer.broken.command_status == status.ESME_RINVCMDLEN
    assert framer.held == 0
    assert framer.feed(STREAM) == []


@pytest.mark.parametrize("length", [16, 1024])
def test_the_limits_themselves_are_possible(length: int) -> None:
    framer = Framer(1024)
    frame = length.to_bytes(4, "big") + bytes(length - 4)
    assert framer.feed(frame) == [frame]
    assert framer.broken is None


@given(st.lists(st.binary(max_size=200), max_size=50))
def test_less_than_one_pdu_is_held(chunks: list[bytes]) -> None:
    framer = Framer(100)
    for chunk in chunks:
        framer.feed(chunk)
        assert framer.held < 100
