"""What a session tells its owner: one frozen value for each thing that happened, in the order in which it happened."""

from typing import Literal

import msgspec

from smsgw.smpp.pdus import Pdu

Reason = Literal[
    "unbound",  # we asked for it, the peer agreed
    "inactive",  # we asked for it, because no message had come or gone for long; the peer agreed
    "peer_unbound",  # the peer asked for it; our unbind_resp is in the output
    "framing",  # the stream cannot be cut into PDUs; a generic_nack is in the output
    "bind_unanswered",
    "unbind_unanswered",
    "enquire_link_unanswered",  # and nothing else was heard either
    "no_bind",  # role "smsc": the peer did not bind in time
    "connection_lost",
]


class Bound(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Our bind was accepted."""

    response: Pdu


class BindRefused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Our bind was answered with an error or a generic_nack; the session is open again, the owner decides what then."""

    response: Pdu


class Received(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request of the peer that this state allows; ``respond`` to it unless its PDU has no response."""

    request: Pdu


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The peer's response (or generic_nack) to a request of ours."""

    request: Pdu  # the very value that was handed to ``request``
    response: Pdu  # carries the sequence number
    sent_ms: int


class TimedOut(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """No response within its time; the place in the window is free, the outcome is unknown."""

    request: Pdu
    sequence_number: int
    sent_ms: int


class Late(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The response to a request that had timed out before."""

    request: Pdu
    response: Pdu
    sent_ms: int


class Lost(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The connection ended before the response; the outcome is unknown if it was written."""

    request: Pdu
    sequence_number: int
    sent_ms: int
    written: bool  # its octets were taken for writing; False proves that the peer has never seen it


class Unsolicited(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A response that answers nothing we asked."""

    response: Pdu


class Violation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The peer broke the protocol in one PDU; the session has answered, where there is an answer, and goes on."""

    reason: str  # one sentence without content
    command_status: int  # what the peer was told
    command_id: int  # as received


class Ended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The session is over, said once: write what output there is, then close the connection."""

    reason: Reason


Event = Bound | BindRefused | Received | Answered | TimedOut | Late | Lost | Unsolicited | Violation | Ended
