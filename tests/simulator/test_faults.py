"""Faults are data: they happen as often as they say, in order, kind by kind, until they are called off."""

import pytest

from smsgw.simulator import faults
from smsgw.simulator.faults import Drops, ErrorAnswers, Mischief, NoAnswers, Octets
from smsgw.smpp.codec import HEADER, decode
from smsgw.smpp.framing import Framer
from smsgw.smpp.pdus import SubmitSmResp


def test_a_fault_happens_as_often_as_it_says() -> None:
    mischief = Mischief((NoAnswers(times=2),))
    assert [mischief.take(NoAnswers) is not None for _ in range(4)] == [True, True, False, False]


def test_a_fault_without_a_number_happens_until_it_is_called_off() -> None:
    mischief = Mischief((NoAnswers(times=None),))
    assert all(mischief.take(NoAnswers) for _ in range(100))
    mischief.clear()
    assert mischief.take(NoAnswers) is None


def test_faults_of_one_kind_happen_in_order_and_leave_other_kinds_alone() -> None:
    mischief = Mischief()
    mischief.plan(ErrorAnswers(status=8), NoAnswers(), ErrorAnswers(status=0x58, times=2))
    taken = [mischief.take(ErrorAnswers) for _ in range(4)]
    assert [one and one.status for one in taken] == [8, 0x58, 0x58, None]
    assert mischief.take(NoAnswers) == NoAnswers()


def test_octets_happen_once() -> None:
    mischief = Mischief((faults.HANG,))
    assert mischief.take(Octets) is faults.HANG
    assert mischief.take(Octets) is None


def test_a_connection_drops_after_the_pdus_that_were_promised() -> None:
    mischief = Mischief((Drops(after_pdus=2, times=2),))
    assert [mischief.drops() for _ in range(8)] == [False, False, True, False, False, True, False, False]


def test_drops_that_were_called_off_begin_to_count_anew() -> None:
    mischief = Mischief((Drops(after_pdus=2),))
    mischief.drops()
    mischief.clear()
    mischief.plan(Drops(after_pdus=2))
    assert [mischief.drops() for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("fault", "length"), [(faults.LENGTH_3, 3), (faults.LENGTH_4_GB, 0xFFFFFFFF), (faults.UNKNOWN_COMMAND, 16)]
)
def test_bad_headers_are_what_their_names_say(fault: Octets, length: int) -> None:
    assert HEADER.unpack(fault.octets)[0] == length


def test_half_a_pdu_is_half_a_pdu() -> None:
    octets = faults.HALF_A_PDU.octets
    assert Framer(65_536).feed(octets) == []
    assert len(octets) < HEADER.unpack_from(octets)[0] < 2 * len(octets) + 2
    assert faults.HALF_A_PDU.hang


def test_a_stray_response_is_a_response() -> None:
    assert isinstance(decode(faults.STRAY_RESPONSE.octets), SubmitSmResp)
