"""Answers to query_sm, cancel_sm and replace_sm: what the SMSC remembers of the messages that it took."""

from collections import OrderedDict
from typing import Final, Literal

import msgspec

from smsgw.simulator.receipts import NUMBERS
from smsgw.smpp import pdus, status
from smsgw.smpp.pdus import DataSm, Pdu, SubmitSm

Operation = Literal["query_sm", "cancel_sm", "replace_sm"]
MOST_REMEMBERED: Final = 10_000  # messages; the oldest is forgotten

_REFUSALS: Final[dict[str, int]] = {
    "query_sm": status.ESME_RQUERYFAIL,
    "cancel_sm": status.ESME_RCANCELFAIL,
    "replace_sm": status.ESME_RREPLACEFAIL,
}


class Remembered(msgspec.Struct, kw_only=True):
    """A message that was taken."""

    request: SubmitSm | DataSm
    state: str  # as receipts say it
    text: bytes = b""  # of a replace_sm


class Ledger:
    """The messages that can be asked about.

    Args:
        offered: the operations that are offered; the others are refused, as they are by most SMSCs.
    """

    def __init__(self, offered: frozenset[Operation] = frozenset()) -> None:
        self.offered = offered
        self._messages: OrderedDict[str, Remembered] = OrderedDict()

    def take(self, message_id: str, request: SubmitSm | DataSm, state: str) -> Remembered:
        """Remember a message under the id that its response had."""
        message = self._messages[message_id] = Remembered(request=request, state=state)
        if len(self._messages) > MOST_REMEMBERED:
            self._messages.popitem(last=False)
        return message

    def answer(self, request: Pdu) -> Pdu:
        """Return the response to one of the three operations; a message of another sender is nobody's business."""
        message_id: str = getattr(request, "message_id", "")
        message = self._messages.get(message_id)
        response = pdus.RESPONSE_TO[type(request)]
        ours = message is not None and message.request.source_addr == getattr(request, "source_addr", "")
        if message is None or not ours or request.name not in self.offered:
            return response(command_status=_REFUSALS[request.name])
        if isinstance(request, pdus.QuerySm):
            return pdus.QuerySmResp(message_id=message_id, message_state=NUMBERS.get(message.state, 7))
        if isinstance(request, pdus.ReplaceSm):
            message.text = request.short_message
        else:
            message.state = "DELETED"
        return response()
