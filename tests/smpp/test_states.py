"""Every step in every state leads where the table says, or is refused."""

import pytest

from smsgw.errors import SessionError
from smsgw.smpp import pdus, status
from smsgw.smpp.states import Role, State, Step, after, refusal

# Written out, so that the table cannot agree with itself: state → (step → state)
EXPECTED = {
    ("open", "bind"): "binding",
    ("open", "end"): "closed",
    ("binding", "bind_tx"): "bound_tx",
    ("binding", "bind_rx"): "bound_rx",
    ("binding", "bind_trx"): "bound_trx",
    ("binding", "refuse"): "open",
    ("binding", "end"): "closed",
    ("bound_tx", "unbind"): "unbinding",
    ("bound_tx", "end"): "closed",
    ("bound_rx", "unbind"): "unbinding",
    ("bound_rx", "end"): "closed",
    ("bound_trx", "unbind"): "unbinding",
    ("bound_trx", "end"): "closed",
    ("bound_tx", "leave"): "leaving",
    ("bound_rx", "leave"): "leaving",
    ("bound_trx", "leave"): "leaving",
    ("unbinding", "end"): "closed",
    ("leaving", "end"): "closed",
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_every_step_in_every_state(state: State, step: Step) -> None:
    expected = EXPECTED.get((state.value, step.value))
    if expected:
        assert after(state, step) is State(expected)
    else:
        with pytest.raises(SessionError, match=f"{step} is not possible in state {state}"):
            after(state, step)


@pytest.mark.parametrize(
    ("sender", "state", "request_", "told"),
    [
        ("esme", State.OPEN, pdus.SubmitSm, status.ESME_RINVBNDSTS),
        ("esme", State.BOUND_RX, pdus.SubmitSm, status.ESME_RINVBNDSTS),
        ("esme", State.BOUND_TRX, pdus.DeliverSm, status.ESME_RINVCMDID),
        ("esme", State.BOUND_TRX, pdus.BindTransceiver, status.ESME_RALYBND),
        ("esme", State.BINDING, pdus.BindReceiver, status.ESME_RALYBND),
        ("esme", State.UNBINDING, pdus.SubmitSm, status.ESME_RINVBNDSTS),
        ("smsc", State.BOUND_TX, pdus.DeliverSm, status.ESME_RINVBNDSTS),
        ("smsc", State.UNBINDING, pdus.DeliverSm, status.ESME_RX_T_APPN),
        ("smsc", State.LEAVING, pdus.DeliverSm, status.ESME_RX_T_APPN),
        ("smsc", State.BOUND_TRX, pdus.SubmitSm, status.ESME_RINVCMDID),
        ("smsc", State.OPEN, pdus.BindTransmitter, status.ESME_RINVCMDID),
    ],
)
def test_a_refusal_says_what_is_wrong(sender: Role, state: State, request_: type[pdus.Pdu], told: int) -> None:
    assert refusal(sender, state, request_) == told
