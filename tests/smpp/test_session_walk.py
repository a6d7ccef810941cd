"""Every PDU in every state of either role: what is told, what is answered, where it leads."""

from collections.abc import Callable

import pytest

from smsgw.errors import SessionError
from smsgw.smpp import pdus, status
from smsgw.smpp.codec import encode
from smsgw.smpp.events import Ended, Event, Received, Unsolicited, Violation
from smsgw.smpp.pdus import RESPONSE_BIT, RESPONSE_TO, Pdu
from smsgw.smpp.session import Session, SessionSettings
from smsgw.smpp.states import Role, State

Bind = Callable[..., Session]
Written = Callable[[Session], list[Pdu]]
HOW = {State.BOUND_TX: "tx", State.BOUND_RX: "rx", State.BOUND_TRX: "trx"}

# Written out from §2.3: who may send what, in which states
FROM_ESME = {
    State.OPEN: {"bind_transmitter", "bind_receiver", "bind_transceiver"},
    State.BOUND_TX: {"submit_sm", "data_sm", "query_sm", "cancel_sm", "replace_sm"},
    State.BOUND_TRX: {"submit_sm", "data_sm", "query_sm", "cancel_sm", "replace_sm"},
}
FROM_SMSC = {
    State.OPEN: {"outbind"},
    State.BOUND_RX: {"deliver_sm", "data_sm", "alert_notification"},
    State.BOUND_TRX: {"deliver_sm", "data_sm", "alert_notification"},
}
ALLOWED: dict[Role, dict[State, set[str]]] = {"esme": FROM_ESME, "smsc": FROM_SMSC}
# an SMSC that is asked to unbind agrees at once
PLACES: list[tuple[Role, State]] = [
    (role, state) for role in ALLOWED for state in State if (role, state) != ("smsc", State.LEAVING)
]
PEER: dict[Role, Role] = {"esme": "smsc", "smsc": "esme"}


@pytest.fixture
def at(bind: Bind) -> Callable[[Role, State], Session]:
    def session_at(role: Role, state: State) -> Session:
        settings = SessionSettings(role=role)
        if state in {State.OPEN, State.BINDING}:
            session = Session(settings, now_ms=0)
            if state is State.BINDING and role == "esme":
                session.request(pdus.BindTransceiver(), 0)
            elif state is State.BINDING:
                session.receive(encode(pdus.BindTransceiver(), 1), 0)
        else:
            session = bind(settings, HOW.get(state, "trx"))
            if state is State.UNBINDING:
                session.unbind(0)
            elif state is State.LEAVING:
                session.request(pdus.SubmitSm(), 0)
                session.receive(encode(pdus.Unbind(), 5), 0)
            elif state is State.CLOSED:
                session.connection_lost(0)
        session.take_output()
        assert session.state is state
        return session

    return session_at


def _status_for(role: Role, state: State, pdu: type[Pdu]) -> int:
    if pdu.name not in set().union(*ALLOWED[PEER[role]].values()):
        return status.ESME_RINVCMDID
    if pdu.name.startswith("bind_"):
        return status.ESME_RALYBND
    if role == "esme" and state in {State.UNBINDING, State.LEAVING}:
        return status.ESME_RX_T_APPN
    return status.ESME_RINVBNDSTS


def _expected(role: Role, state: State, pdu: type[Pdu]) -> tuple[list[Event], list[Pdu], State]:
    """Events, answers and the state after this PDU of the peer, number 77."""
    if state is State.CLOSED:
        return [], [], state
    if pdu.command_id & RESPONSE_BIT:
        return [Unsolicited(response=pdu(sequence_number=77))], [], state
    if pdu is pdus.EnquireLink:
        return [], [pdus.EnquireLinkResp(sequence_number=77)], state
    if pdu is pdus.Unbind:
        return [Ended(reason="peer_unbound")], [pdus.UnbindResp(sequence_number=77)], State.CLOSED
    if pdu.name in ALLOWED[PEER[role]].get(state, set()):
        after = State.BINDING if pdu.name.startswith("bind_") else state
        return [Received(request=pdu(sequence_number=77))], [], after
    return *_refused(role, state, pdu), state


def _refused(role: Role, state: State, pdu: type[Pdu]) -> tuple[list[Event], list[Pdu]]:
    told = _status_for(role, state, pdu)
    response = RESPONSE_TO.get(pdu)
    if told == status.ESME_RX_T_APPN and response:
        # not yet: test_session.py
        return [], [] if state is State.UNBINDING else [response(sequence_number=77, command_status=told)]
    violation = Violation(reason=f"{pdu.name} in state {state}", command_status=told, command_id=pdu.command_id)
    return [violation], [response(sequence_number=77, command_status=told)] if response else []


@pytest.mark.parametrize("pdu", pdus.ALL, ids=lambda pdu: str(pdu.name))
@pytest.mark.parametrize(("role", "state"), PLACES)
def test_every_pdu_of_the_peer_in_every_state(
    at: Callable[[Role, State], Session], written: Written, role: Role, state: State, pdu: type[Pdu]
) -> None:
    session = at(role, state)
    events, answers, after = _expected(role, state, pdu)
    assert session.receive(encode(pdu(), 77), 0) == events
    assert written(session) == answers
    assert session.state is after


@pytest.mark.parametrize("pdu", pdus.ALL, ids=lambda pdu: str(pdu.name))
@pytest.mark.parametrize(("role", "state"), PLACES)
def test_every_pdu_of_ours_in_every_state(
    at: Callable[[Role, State], Session], written: Written, role: Role, state: State, pdu: type[Pdu]
) -> None:
    session = at(role, state)
    if pdu.name in ALLOWED[role].get(state, set()):
        number = session.request(pdu(), 0)
        assert written(session) == [pdu(sequence_number=number)]
        assert session.state is (State.BINDING if pdu.name.startswith("bind_") else state)
    else:
        with pytest.raises(SessionError, match=f"{pdu.name} is not possible in state {state}"):
            session.request(pdu(), 0)
        assert written(session) == []
        assert session.state is state


@pytest.mark.parametrize("state", State)
def test_unbind_in_every_state(at: Callable[[Role, State], Session], written: Written, state: State) -> None:
    session = at("esme", state)
    if state in HOW:
        session.unbind(0)
        assert session.state is State.UNBINDING
    else:
        with pytest.raises(SessionError, match=state):
            session.unbind(0)
        assert session.state is state
        assert written(session) == []


@pytest.mark.parametrize(("role", "state"), PLACES)
def test_a_lost_connection_in_every_state(at: Callable[[Role, State], Session], role: Role, state: State) -> None:
    session = at(role, state)
    ended = [event for event in session.connection_lost(0) if isinstance(event, Ended)]
    assert ended == ([] if state is State.CLOSED else [Ended(reason="connection_lost")])
    assert session.closed
