"""Questions about messages, asked by the command beside a running daemon, answered by an SMSC."""

from pathlib import Path

from tests.peers import octets
from tests.peers.octets import Pdu
from tests.peers.plain_smsc import Line, PlainSmsc
from tests.system.daemon import daemon_of
from tests.system.test_commands import smsgw

NUMBER = "359888000001"
QUERY, CANCEL, REPLACE = 0x03, 0x08, 0x07
ALL = {"supports": ["query_sm", "cancel_sm", "replace_sm"]}


class Operator(PlainSmsc):
    """An SMSC that can be asked about its messages."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[int, bytes]] = []

    def take(self, line: Line, pdu: Pdu) -> None:
        if pdu.command not in {QUERY, CANCEL, REPLACE}:
            super().take(line, pdu)
            return
        self.questions.append((pdu.command, pdu.body))
        body = pdu.body.split(b"\0")[0] + b"\0" + b"\0" + b"\x01\x00" if pdu.command == QUERY else b""
        line.write(octets.pack(pdu.command | octets.RESPONSE, pdu.sequence, body=body))


async def test_an_operator_is_asked(tmp_path: Path) -> None:
    async with Operator() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port, **ALL}}) as daemon:
        daemon.start()
        await smsc.until_bound()
        smsc.put(NUMBER)
        mt = (await daemon.until_told("mt.accepted"))["mt"]
        assert "accepted  part 1 of 1" in await smsgw(daemon, "messages", "show", mt)
        assert "ENROUTE" in await smsgw(daemon, "messages", "query", mt)
        assert "replaced" in await smsgw(daemon, "messages", "replace", mt, "--text", "Sorry")
        assert "DELETED" in await smsgw(daemon, "messages", "cancel", mt)
        assert [command for command, _ in smsc.questions] == [QUERY, REPLACE, CANCEL]
        assert b"Sorry" in smsc.questions[1][1]
        story = await smsgw(daemon, "messages", "show", mt)
        assert all(word in story for word in ("failed", "ENROUTE", "DELETED", "cancel", "cli:"))
        assert "it is failed" in await smsgw(daemon, "messages", "query", mt, status=1)


async def test_an_operator_that_offers_nothing_is_asked_nothing(tmp_path: Path) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        daemon.start()
        await smsc.until_bound()
        smsc.put(NUMBER)
        mt = (await daemon.until_told("mt.accepted"))["mt"]
        sentence = await smsgw(daemon, "messages", "query", mt, status=1)
        assert "one: supports: the operator does not offer query_sm" in sentence
