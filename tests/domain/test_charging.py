"""What operators' answers mean for an attempt: nothing but a definite refusal lets it be tried again."""

import itertools
from typing import Any

import pytest

from smsgw.domain.charging import NEXT, OPEN, Said, Stand, Told, of_receipt, of_response
from smsgw.domain.goods import Terms
from smsgw.smpp import status


def terms(**fields: Any) -> Terms:
    given: dict[str, Any] = {
        "profile": "billed",
        "way": "mt",
        "proof": "receipt",
        "short_code": "7250",
        "validity_ms": 3_600_000,
        "receipt_grace_ms": 900_000,
        "user_message_reference": True,
        "max_tries": 3,
    }
    return Terms(**(given | fields))


@pytest.mark.parametrize(
    ("command_status", "said", "reason"),
    [
        (status.ESME_ROK, Said.ACCEPTED, None),
        (status.ESME_RTHROTTLED, Said.PUT_OFF, "operator_busy"),
        (status.ESME_RMSGQFUL, Said.PUT_OFF, "operator_busy"),
        (status.ESME_RSYSERR, Said.UNKNOWN, None),  # it does not know itself
        (status.ESME_RX_T_APPN, Said.UNKNOWN, None),
        (status.ESME_RSUBMITFAIL, Said.UNKNOWN, None),
        (status.ESME_RINVBNDSTS, Said.FAILED, "operator_refused"),
        (status.ESME_RINVDSTADR, Said.FAILED, "operator_refused"),
        (status.ESME_RINVCMDLEN, Said.FAILED, "operator_refused"),
        (0x440, Said.FAILED, "operator_refused"),
    ],
)
def test_responses(command_status: int, said: Said, reason: str | None) -> None:
    assert of_response(terms(), command_status) == Told(said, reason)


def test_a_response_is_the_proof_where_the_operator_says_so() -> None:
    assert of_response(terms(proof="response"), 0) == Told(Said.CHARGED)


def test_an_operators_own_meanings_go_first() -> None:
    own = terms(status={"0x440": "again 30s", "ESME_RSYSERR": "refuse", "0x441": "unknown", "0x442": "sent"})
    assert of_response(own, 0x440) == Told(Said.PUT_OFF, "operator_busy", 30_000)
    assert of_response(own, status.ESME_RSYSERR) == Told(Said.FAILED, "operator_refused")
    assert of_response(own, 0x441) == Told(Said.UNKNOWN)
    assert of_response(own, 0x442) == Told(Said.ACCEPTED)
    assert of_response(own, status.ESME_RSUBMITFAIL) == Told(Said.UNKNOWN)


@pytest.mark.parametrize(
    ("state", "error", "event", "said"),
    [
        ("DELIVRD", "000", "deliver", Said.CHARGED),
        ("DELIVRD", None, "deliver", Said.CHARGED),
        ("UNDELIV", "051", "fail", Said.FAILED),
        ("UNDELIV", "052", "fail", Said.PROGRESS),  # lack of credit: it is tried again
        ("UNDELIV", "52", "fail", Said.PROGRESS),
        ("ENROUTE", "0", "progress", Said.PROGRESS),
        ("ACCEPTD", None, "progress", Said.CHARGED),  # this operator's word
        ("acceptd", "", "progress", Said.CHARGED),
    ],
)
def test_receipts(state: str, error: str | None, event: str, said: Said) -> None:
    own = terms(receipt_states={"ACCEPTD": "charged"}, receipt_errors={"052": "progress"})
    assert of_receipt(own, state, error, event) is said


@pytest.mark.parametrize(("stand", "said"), list(itertools.product(Stand, Said)))
def test_nothing_but_a_definite_refusal_leads_back_to_the_queue(stand: Stand, said: Said) -> None:
    following = NEXT[stand].get(said)
    if following is Stand.QUEUED:
        assert (stand, said) == (Stand.INTENT, Said.PUT_OFF)
    if stand is Stand.UNKNOWN:
        assert following in {None, Stand.UNKNOWN, Stand.CHARGED, Stand.FAILED}
    if stand not in OPEN:
        assert following is None


def test_the_table_knows_every_stand() -> None:
    assert set(NEXT) == set(Stand)
