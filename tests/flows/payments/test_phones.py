"""Phones that staff block: not asked for one merchant or for all, and asked again."""

import pytest

from smsgw.flows.amend import Refused
from smsgw.flows.payments import phones
from tests.flows.payments.market import PHONE, market
from tests.servers.engines import Engine


async def test_blocked_and_unblocked(engine: Engine) -> None:
    async with market(engine) as one:
        assert await phones.block(one.ports, PHONE, "gold", "me")
        assert not await phones.block(one.ports, PHONE, "gold", "me")
        with pytest.raises(Refused, match="wants no questions"):
            await one.ask()
        assert await phones.block(one.ports, PHONE, phones.ALL, "me")
        assert await phones.unblock(one.ports, PHONE, "gold", "me") == ["gold"]
        with pytest.raises(Refused, match="wants no questions"):
            await one.ask()
        assert await phones.unblock(one.ports, PHONE, phones.ALL, "me") == [""]
        await one.ask()
        assert await phones.unblock(one.ports, PHONE, phones.ALL, "me") == []
        assert [action for (action,) in await one.rows("audit", "action")] == [
            "phone.blocked",
            "phone.blocked",
            "phone.unblocked",
            "phone.unblocked",
        ]
