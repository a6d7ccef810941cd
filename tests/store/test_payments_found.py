"""How payments and attempts are found: by what staff look for, by what an operator has to be asked about."""

import pytest

from smsgw.flows.payments.whose import STAFF
from smsgw.store import charges, payments as store
from smsgw.store.payments import Search
from smsgw.store.queries import load
from tests.flows.payments.bank import LOST, bank
from tests.flows.payments.market import OTHER, PHONE
from tests.servers.engines import Engine
from tests.store.look import select
from tests.store.test_queries import STORE


async def test_what_is_empty_is_not_asked_for(engine: Engine) -> None:
    async with bank(engine) as one:
        first, second = (await one.ask()).id, (await one.ask(msisdn=OTHER)).id
        await one.payments.cancel(second, STAFF, "me")
        async with one.database.read() as reader:

            async def found(**wanted: object) -> list[str]:
                return [row.id for row in await store.search(reader, Search(**wanted), 10)]  # type: ignore[arg-type]  # a table's

            assert await found() == [second, first]
            assert await found(merchant="gold", msisdn=PHONE) == [first]
            assert await found(status="canceled") == [second]
            assert await found(merchant="silver") == []
            assert await found(odd=True) == []
            assert await found(first=second) == [second]
            assert await found(msisdn=OTHER, status="canceled", first=second) == [second]
            assert await found(msisdn=OTHER, odd=True) == await found(msisdn=OTHER, first="pay_z") == []
            assert await found(odd=True, status="failed") == await found(status="charge_unknown") == []


async def test_attempts_to_be_asked_about_are_ours_or_of_nobody(engine: Engine) -> None:
    async with bank(engine) as one:
        one.api.on_charge = [LOST]
        payment = await one.confirmed()
        await one.work()
        [attempt] = await one.attempts(payment)
        async with one.database.read() as reader:
            assert [row.id for row in await charges.asked(reader, "left", "", 10)] == [attempt.id]
            assert await charges.asked(reader, "right", "", 10) == [], "another node, which lives"
            assert await charges.asked(reader, "left", attempt.id, 10) == []
        async with one.database.write() as transaction:
            await transaction.script("delete from nodes")
        async with one.database.read() as reader:
            assert [row.id for row in await charges.asked(reader, "right", "", 10)] == [attempt.id]


async def test_the_open_ones_are_found_without_looking_at_all_others(engine: Engine) -> None:
    if engine.dialect != "sqlite":
        return
    async with bank(engine) as one:
        await one.ask()
        plan = await _plan(engine, "charges.asked", "''", "'left'", "10")
        assert "payments_due" in plan, plan


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("searched_phone", "payments_msisdn"),
        ("searched_odd", "payments_odd"),
        ("searched_unknown", "payments_unknown"),
    ],
)
async def test_staff_who_look_for_few_do_not_wait_for_all(engine: Engine, query: str, index: str) -> None:
    if engine.dialect != "sqlite":
        return
    async with bank(engine):
        plan = await _plan(engine, f"payments.{query}", *["''"] * 5, "10")
        assert f"SEARCH payments USING INDEX {index}" in plan, plan
        assert "TEMP B-TREE" not in plan, plan


async def _plan(engine: Engine, query: str, *values: str) -> str:
    sql = load(STORE / "sql", "sqlite")[query].sql
    for number, value in enumerate(values, 1):  # in the order in which they first appear
        sql = sql.replace(f"?{number}", value)
    return " ".join(str(row["detail"]) for row in await select(engine, f"explain query plan {sql}"))
