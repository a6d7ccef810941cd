"""The states of a session, what moves it from one to the next, and which requests each side may send in each of them.

A session starts OPEN: connected, nobody has said who they are (SMPP 3.4 §2.2). The ESME asks to bind, and the session
is BINDING until the SMSC answers: yes makes it BOUND_TX (the ESME sends), BOUND_RX (the ESME receives) or BOUND_TRX
(both), no makes it OPEN again, and the ESME may try once more or hang up. Both roles walk the same states: the ESME
when it sends the bind and reads the answer, the SMSC when it reads the bind and its owner answers.

Either side ends a bound session with unbind. Who asks is UNBINDING until the answer comes, sends no more requests, but
still answers what it received before and hears the answers to what it sent before. Who is asked answers and is CLOSED.
An ESME that is asked while messages wait for their answers, its own or the SMSC's, is LEAVING until
they have come, or a moment has passed: what is answered now need not be sent or delivered again. Then it agrees.
A session also becomes CLOSED from anywhere when the connection breaks, the stream cannot be framed, or an answer that
it cannot live without (bind, unbind, enquire_link) does not come. CLOSED is for good.

Nothing else moves a session. A step that the table does not have is refused and changes nothing.

Requests are bound to states and to the side that sends them (§2.3). enquire_link and unbind are not in the table: they
may come in any state, from either side, and the session deals with them itself. A request that comes in the wrong
state is answered with ESME_RINVBNDSTS, a second bind with ESME_RALYBND, a request that never travels in this direction
with ESME_RINVCMDID. One case is milder: an ESME that is UNBINDING or LEAVING tells the SMSC to deliver again later
(ESME_RX_T_APPN), because messages may have been on their way when it asked, and must not be given up for that; and it
gives the SMSC a moment to answer the unbind first.
"""

from enum import StrEnum, auto
from typing import Final, Literal

from smsgw.errors import SessionError
from smsgw.smpp import pdus, status
from smsgw.smpp.pdus import Pdu

Role = Literal["esme", "smsc"]


class State(StrEnum):
    """Where a session stands."""

    OPEN = auto()
    BINDING = auto()
    BOUND_TX = auto()
    BOUND_RX = auto()
    BOUND_TRX = auto()
    UNBINDING = auto()
    LEAVING = auto()
    CLOSED = auto()


class Step(StrEnum):
    """What moves a session."""

    BIND = auto()  # the ESME asked to bind
    BIND_TX = auto()  # the SMSC agreed to a transmitter
    BIND_RX = auto()  # … to a receiver
    BIND_TRX = auto()  # … to a transceiver
    REFUSE = auto()  # the SMSC did not agree
    UNBIND = auto()  # this side asked to unbind
    LEAVE = auto()  # the other side did, and something is to be finished
    END = auto()  # anything that ends it


_BOUND_STEPS: Final = {Step.UNBIND: State.UNBINDING, Step.LEAVE: State.LEAVING, Step.END: State.CLOSED}

TRANSITIONS: Final[dict[State, dict[Step, State]]] = {
    State.OPEN: {Step.BIND: State.BINDING, Step.END: State.CLOSED},
    State.BINDING: {
        Step.BIND_TX: State.BOUND_TX,
        Step.BIND_RX: State.BOUND_RX,
        Step.BIND_TRX: State.BOUND_TRX,
        Step.REFUSE: State.OPEN,
        Step.END: State.CLOSED,
    },
    State.BOUND_TX: _BOUND_STEPS,
    State.BOUND_RX: _BOUND_STEPS,
    State.BOUND_TRX: _BOUND_STEPS,
    State.UNBINDING: {Step.END: State.CLOSED},
    State.LEAVING: {Step.END: State.CLOSED},
    State.CLOSED: {},
}

BIND_STEPS: Final[dict[type[Pdu], Step]] = {
    pdus.BindTransmitter: Step.BIND_TX,
    pdus.BindReceiver: Step.BIND_RX,
    pdus.BindTransceiver: Step.BIND_TRX,
}

# messages: what both sides count, to know which answers have arrived
MESSAGES: Final[frozenset[type[Pdu]]] = frozenset({pdus.SubmitSm, pdus.DeliverSm, pdus.DataSm})
# requests that take a place in the window
WINDOWED: Final = MESSAGES | {pdus.QuerySm, pdus.CancelSm, pdus.ReplaceSm}

_FROM_ESME: Final[frozenset[type[Pdu]]] = frozenset(
    {pdus.SubmitSm, pdus.DataSm, pdus.QuerySm, pdus.CancelSm, pdus.ReplaceSm}
)
_FROM_SMSC: Final[frozenset[type[Pdu]]] = frozenset({pdus.DeliverSm, pdus.DataSm, pdus.AlertNotification})

# sender → state → the requests that it may send; states that are missing allow none
SENDS: Final[dict[Role, dict[State, frozenset[type[Pdu]]]]] = {
    "esme": {State.OPEN: frozenset(BIND_STEPS), State.BOUND_TX: _FROM_ESME, State.BOUND_TRX: _FROM_ESME},
    "smsc": {
        State.OPEN: frozenset({pdus.Outbind}),
        State.BOUND_RX: _FROM_SMSC,
        State.BOUND_TRX: _FROM_SMSC,
    },
}
_EVER: Final = {role: frozenset[type[Pdu]]().union(*allowed.values()) for role, allowed in SENDS.items()}

BOUND: Final = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})


def after(state: State, step: Step) -> State:
    """Return the state that the step leads to.

    Raises:
        SessionError: the table has no such step.
    """
    try:
        return TRANSITIONS[state][step]
    except KeyError:
        raise SessionError(f"{step} is not possible in state {state}") from None


def refusal(sender: Role, state: State, request: type[Pdu]) -> int:
    """Return the command_status that answers a request which ``sender`` may not send in this state."""
    if request not in _EVER[sender]:
        return status.ESME_RINVCMDID
    if request in BIND_STEPS:
        return status.ESME_RALYBND
    if state in {State.UNBINDING, State.LEAVING} and sender == "smsc":
        return status.ESME_RX_T_APPN
    return status.ESME_RINVBNDSTS
