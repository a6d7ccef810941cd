"""Numbers that have moved, on both engines: looked up many at a time, put, dropped, and listed by the page."""

from smsgw.store import ported
from smsgw.store.database import Database
from smsgw.store.ported import Ported
from tests.servers.engines import Engine


def row(msisdn: str, link: str = "north") -> Ported:
    return Ported(msisdn=msisdn, link=link)


async def put(database: Database, *rows: Ported) -> None:
    async with database.write() as transaction:
        await ported.put(transaction, rows)


async def test_only_those_that_have_moved_are_found(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database)
        await put(database, row("359888000001"), row("359888000002", "south"), row("359888000003"))
        async with database.read() as reader:
            asked = ["359888000002", "359888000001", "359888000009", "359888000001"]
            assert await ported.lookup(reader, asked) == {"359888000001": "north", "359888000002": "south"}
            assert await ported.lookup(reader, []) == {}


async def test_a_number_is_at_one_operator(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, row("359888000001"))
        await put(database, row("359888000001", "south"))
        async with database.read() as reader:
            assert await ported.page(reader, "", 10) == [row("359888000001", "south")]


async def test_pages_follow_each_other_in_the_order_of_the_numbers(engine: Engine) -> None:
    rows = [row("359888000010"), row("35988800002"), row("359888000030"), row("380671234567")]
    async with engine.open() as database:
        await put(database, *reversed(rows))
        async with database.read() as reader:
            first = await ported.page(reader, "", 2)
            assert first == rows[:2]
            assert await ported.page(reader, first[-1].msisdn, 2) == rows[2:]
            assert await ported.page(reader, rows[-1].msisdn, 2) == []


async def test_who_is_back_is_forgotten(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, row("359888000001"), row("359888000002"))
        async with database.write() as transaction:
            await ported.drop(transaction, [row("359888000001"), row("359888000009")])
            await ported.drop(transaction, [])
        async with database.read() as reader:
            assert await ported.page(reader, "", 10) == [row("359888000002")]
