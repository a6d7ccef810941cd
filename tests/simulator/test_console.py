"""A person at the SMSC's keyboard: what is typed, in whatever pieces, and every sentence that comes back."""

import asyncio

import pytest

from smsgw.simulator.console import EXAMPLE, Conversation
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.smpp import status


class Operator(Smsc):
    """Delivers nothing, and is answered by the test."""

    def __init__(self) -> None:
        super().__init__(SmscSettings(system_id="gw", password="hidden"))
        self.sent: list[tuple[str, str, str]] = []
        self.answers: list[asyncio.Future[int]] = []

    def deliver(
        self,
        source: str,
        destination: str,
        text: str,
        *,
        service_type: str = "",  # noqa: ARG002 - as in Smsc
        due_ms: int | None = None,  # noqa: ARG002 - as in Smsc
    ) -> asyncio.Future[int]:
        self.sent.append((source, destination, text))
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


def conversation() -> tuple[Operator, Conversation, list[str]]:
    said: list[str] = []
    operator = Operator()
    return operator, Conversation(operator, said.append), said


async def test_the_greeting_says_where_who_and_how_and_no_password() -> None:
    _, one, said = conversation()
    one.greet(2775)
    assert said[0] == 'SMSC on 127.0.0.1:2775. It waits for a gateway that binds as "gw".'
    assert f"FROM TO TEXT, for example: {EXAMPLE}" in said[1]
    assert "hidden" not in "".join(said)


async def test_the_example_is_a_message() -> None:
    operator, one, _ = conversation()
    one.line(EXAMPLE)
    assert operator.sent == [("359888123456", "1234", "SUN")]


@pytest.mark.parametrize(
    "pieces",
    [
        [b"1 2 a b\n3 4 c\n"],
        [b"1 2 a", b" b\n3 4 ", b"c\n5"],
        [b"1 2 a b\r\n\n  \n3 4 c\n"],
        [bytes([octet]) for octet in b"1 2 a b\n3 4 c\n"],
    ],
)
async def test_a_message_is_a_line_in_however_many_pieces(pieces: list[bytes]) -> None:
    operator, one, _ = conversation()
    for piece in pieces:
        one.typed(piece)
    assert operator.sent == [("1", "2", "a b"), ("3", "4", "c")]


async def test_a_letter_may_be_cut_in_two() -> None:
    operator, one, _ = conversation()
    for octet in "1 2 ж\n".encode():
        one.typed(bytes([octet]))
    assert operator.sent == [("1", "2", "ж")]


async def test_a_message_may_be_empty() -> None:
    operator, one, _ = conversation()
    one.line("1 2")
    assert operator.sent == [("1", "2", "")]


async def test_what_is_no_message_is_told_how_to_type_one() -> None:
    operator, one, said = conversation()
    one.line("help")
    assert said == [f"that is not a message; type FROM TO TEXT, for example: {EXAMPLE}"]
    assert operator.sent == []


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (status.ESME_ROK, "→ the gateway took it"),
        (
            status.ESME_RX_T_APPN,
            f"→ the gateway refused it with ESME_RX_T_APPN: {status.meaning(status.ESME_RX_T_APPN)}",
        ),
    ],
)
async def test_the_gateway_s_answer_is_told_in_words(code: int, sentence: str) -> None:
    operator, one, said = conversation()
    one.line("1 2 x")
    assert said == ["→ no gateway is bound; the message waits for one"]
    operator.answers[0].set_result(code)
    await asyncio.sleep(0)
    assert said[1:] == [sentence]


async def test_a_message_that_nobody_answered_before_the_end_is_not_spoken_of() -> None:
    operator, one, said = conversation()
    one.line("1 2 x")
    operator.answers[0].cancel()
    await asyncio.sleep(0)
    assert len(said) == 1
