"""A short form of the flood of parts that scripts/fuzz pours at length."""

from tests.flows.flood import pour
from tests.flows.world import world
from tests.servers.engines import Engine


async def test_parts_that_never_complete_are_stored_given_up_and_hold_no_memory(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        told = await pour(one, 6_000)
        assert (told.parts, told.messages) == (6_000, 3_000)
        assert told.grown_kib < 32_768
        assert await one.receiver.give_up_parts() == 0
