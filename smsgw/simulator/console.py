"""The SMSC for a person at a keyboard: lines become messages of subscribers, and what happens is told in sentences."""

import asyncio
from collections.abc import Callable
from typing import Final

from smsgw.errors import SmsgwError
from smsgw.simulator.peer import Bind
from smsgw.simulator.smsc import Smsc
from smsgw.simulator.submissions import SubmittedMessage
from smsgw.smpp import status

EXAMPLE: Final = "359888123456 1234 SUN"
_ADDRESSES: Final = 2  # of a line: from and to


class Conversation:
    """What is typed and what is told.

    Args:
        smsc: its hooks are taken.
        say: shows a line.
    """

    def __init__(self, smsc: Smsc, say: Callable[[str], None]) -> None:
        self._smsc = smsc
        self._say = say
        self._begun = b""
        smsc.on_mt = self._on_mt
        smsc.on_binds = self._on_binds

    def greet(self, port: int) -> None:
        """Say where it listens, and what can be done here."""
        wanted = self._smsc.settings
        self._say(f'SMSC on {wanted.host}:{port}. It waits for a gateway that binds as "{wanted.system_id}".')
        self._say(f"Type an SMS as FROM TO TEXT, for example: {EXAMPLE}     Ctrl+C ends it.")

    def typed(self, octets: bytes) -> None:
        """Deliver each whole line; what is begun waits for its end."""
        *lines, self._begun = (self._begun + octets).split(b"\n")
        for line in lines:
            self.line(line.decode(errors="replace"))

    def line(self, line: str) -> None:
        """Deliver a message, or say how one is typed."""
        if not line.strip():
            return
        words = line.split(maxsplit=_ADDRESSES)
        if len(words) < _ADDRESSES:
            self._say(f"that is not a message; type FROM TO TEXT, for example: {EXAMPLE}")
            return
        source, destination, *text = words
        try:
            answer = self._smsc.deliver(source, destination, text[0].rstrip("\r") if text else "")
        except SmsgwError as error:
            self._say(f"not sent: {error}")
            return
        if not self._smsc.binds:
            self._say("→ no gateway is bound; the message waits for one")
        answer.add_done_callback(self._on_answered)

    def _on_answered(self, answer: asyncio.Future[int]) -> None:
        if answer.cancelled():
            return
        code = answer.result()
        if code == status.ESME_ROK:
            self._say("→ the gateway took it")
        else:
            self._say(f"→ the gateway refused it with {status.name(code)}: {status.meaning(code)}")

    def _on_mt(self, message: SubmittedMessage) -> None:
        text = "(not text)" if message.text is None else message.text
        self._say(f"← {message.source} to {message.destination}: {text}")

    def _on_binds(self, binds: tuple[Bind, ...]) -> None:
        if binds:
            self._say(f"bound: {', '.join(f'{bind.system_id} ({bind.kind})' for bind in binds)}")
        else:
            self._say("no gateway is bound now")
