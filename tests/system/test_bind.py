"""What a bind says, and from where: every field of it, and the address that it comes from, is a setting of the link."""

from pathlib import Path

import pytest
from msgspec import structs

from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.smpp import pdus
from tests.peers import octets
from tests.peers.plain_smsc import PASSWORD, PlainSmsc
from tests.system.daemon import PATIENCE_S, daemon_of
from tests.waiting import until


async def test_it_says_what_the_link_says(tmp_path: Path) -> None:
    smsc = Smsc(SmscSettings())
    heard: list[pdus.Pdu] = []
    smsc.on_pdu = lambda _, sent, pdu, __: None if sent else heard.append(pdu)
    link = {
        "port": await smsc.start(),
        "bind": "separate",
        "interface_version": "5.0",
        "system_type": "WWW",
        "address_range": "^1234$",
        "addr_ton": 3,
        "addr_npi": 9,
    }
    try:
        async with daemon_of(tmp_path, {"one": link}) as daemon:
            daemon.start()
            await until(lambda: len(heard) == 2, PATIENCE_S, daemon.tail)
    finally:
        await smsc.stop()
    said = {
        "system_id": "smsgw",
        "password": PASSWORD,
        "system_type": "WWW",
        "interface_version": 0x50,
        "addr_ton": 3,
        "addr_npi": 9,
        "address_range": "^1234$",
    }
    assert {type(pdu) for pdu in heard} == {pdus.BindReceiver, pdus.BindTransmitter}
    assert [said.items() <= structs.asdict(pdu).items() for pdu in heard] == [True, True]


@pytest.mark.parametrize("place", ["127.0.0.1", "127.0.0.9"])
async def test_it_comes_from_the_address_that_the_link_says(tmp_path: Path, place: str) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port, "source_host": place}}) as daemon:
        daemon.start()
        line = await smsc.until_bound()
        assert line.transport.get_extra_info("peername")[0] == place
        assert [pdu.command for pdu in line.heard][:1] == [octets.BIND_TRANSCEIVER]
