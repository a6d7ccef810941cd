"""What comes without an answer: recorded, but never in the place of a message that was paid for."""

import asyncio
from typing import TYPE_CHECKING, cast

from smsgw.flows.receive import Alerted, Item
from smsgw.links.arrivals import Arrivals
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import AlertNotification
from smsgw.smpp.session import Session, SessionSettings
from tests.links.doubles import ports, settings

if TYPE_CHECKING:
    from smsgw.flows.receive import Receiver


class Hanging:
    """A receiver whose store hangs."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.waiting: list[asyncio.Future[None]] = []

    def submit(self, item: Item) -> asyncio.Future[None]:
        self.items.append(item)
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]


def arrivals(receiver: Hanging) -> Arrivals:
    session = Session(SessionSettings(), now_ms=0)
    return Arrivals(ports(), "one", settings(1), cast("Receiver", receiver), session=session, written=lambda: None)


async def test_a_flood_of_alerts_leaves_room_for_messages() -> None:
    receiver = Hanging()
    one = arrivals(receiver)
    alert = AlertNotification(source_addr="359888123456", esme_addr="1234")
    for _ in range(2_000):
        one.take_alert(alert)
    assert len(receiver.items) == 500
    receiver.waiting[0].set_result(None)
    receiver.waiting[1].set_exception(OSError("no disk"))
    await asyncio.sleep(0)
    for _ in range(10):
        one.take_alert(alert)
    assert len(receiver.items) == 502, "there is room again for two"


async def test_an_availability_that_is_none_is_not_recorded() -> None:
    receiver = Hanging()
    one = arrivals(receiver)
    for octets in (b"\1", b"\0\2", b"\xff" * 8, b""):
        one.take_alert(AlertNotification(source_addr="1", esme_addr="2", tlvs={tlvs.MS_AVAILABILITY_STATUS: octets}))
    told = [item.row.ms_availability for item in receiver.items if isinstance(item, Alerted)]
    assert told == [1, 2, None, None]
