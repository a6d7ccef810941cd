"""Requests of ours that somebody waits for: query_sm, cancel_sm, replace_sm, each with the answer that it gets."""

import asyncio
from collections.abc import Callable

from smsgw.errors import SessionError
from smsgw.smpp import events
from smsgw.smpp.pdus import Pdu


class Asking:
    """The questions of one connection that have no answer yet."""

    def __init__(self) -> None:
        self._asked: dict[int, asyncio.Future[Pdu]] = {}

    async def ask(self, send: Callable[[], int]) -> Pdu:
        """Send a request and return its response.

        Args:
            send: writes the request, and returns its sequence number.

        Raises:
            SessionError: nothing was sent; or there is no answer, and nobody knows whether it was heard.
            PduError: a field does not fit.
        """
        number = send()
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            return await answer
        finally:
            self._asked.pop(number, None)

    def answered(self, event: events.Answered | events.Late) -> None:
        """Hear of a response that answers no message."""
        answer = self._asked.get(event.response.sequence_number)
        if answer is not None and not answer.done():
            answer.set_result(event.response)

    def unanswered(self, event: events.TimedOut | events.Lost) -> None:
        """Hear that there is no response to what is no message."""
        answer = self._asked.get(event.sequence_number)
        if answer is not None and not answer.done():
            answer.set_exception(SessionError("the SMSC did not answer"))
