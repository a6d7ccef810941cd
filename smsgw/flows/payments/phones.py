"""Phones that want no questions: blocked and unblocked by carrier staff, as STOP and START do it from the phone."""

from typing import Final

from smsgw.flows.audit import entry
from smsgw.flows.ports import Ports
from smsgw.store import audit, phones as store
from smsgw.store.database import Transaction
from smsgw.store.phones import BlockRow

ALL: Final = ""  # instead of a merchant's name


async def block(ports: Ports, msisdn: str, merchant: str, actor: str) -> bool:
    """Ask a phone no more, for one merchant or for all; False: it was so already."""

    async def body(transaction: Transaction) -> bool:
        if (msisdn, merchant) in await store.blocked(transaction, [msisdn]):
            return False
        row = BlockRow(msisdn=msisdn, merchant=merchant, since_ms=ports.clock.now_ms(), actor=actor)
        await store.block(transaction, [row])
        await audit.record(transaction, [entry(ports, actor, "phone.blocked", msisdn, _detail(merchant))])
        return True

    return await ports.database.transact(body)


async def unblock(ports: Ports, msisdn: str, merchant: str, actor: str) -> list[str]:
    """Ask a phone again; return the merchants of whose blocks it was freed.

    Args:
        ports: the world.
        msisdn: digits of E.164.
        merchant: whose block; ALL: every one.
        actor: for the audit log.
    """

    async def body(transaction: Transaction) -> list[str]:
        there = sorted(name for _, name in await store.blocked(transaction, [msisdn]))
        freed = [name for name in there if merchant in {ALL, name}]
        await store.unblock(transaction, [(msisdn, name) for name in freed])
        entries = [entry(ports, actor, "phone.unblocked", msisdn, _detail(name)) for name in freed]
        await audit.record(transaction, entries)
        return freed

    return await ports.database.transact(body)


def _detail(merchant: str) -> dict[str, object]:
    return {"merchant": merchant or "all"}
