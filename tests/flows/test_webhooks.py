"""What merchants are told: all of it, at least once, in order per subject, with one id; nobody waits for another."""

import asyncio
import base64
import json
import time
from typing import Final

import pytest
from standardwebhooks import Webhook

from smsgw.errors import SmsgwError, StoreUnavailable
from smsgw.flows import endpoints, replay as again, secrets
from smsgw.flows.bygones import DAY_MS, REST_MS, Bygones
from smsgw.flows.ports import Letter, Posted
from smsgw.flows.webhooks import POLL_MS
from smsgw.hooks.signature import headers
from smsgw.kit.clock import ManualClock
from smsgw.kit.vault import Key
from smsgw.settings import Webhooks as WebhookSettings
from smsgw.store.events import Choice
from tests.flows.logged import entries, logged
from tests.flows.merchant import BUSY, HOOKED, TAKEN, URL, Merchant, Shop, shop, turn
from tests.flows.world import LINK, PHONE, SUN, changed
from tests.servers.engines import Engine
from tests.store.look import change, select

POLL_S: Final = POLL_MS / 1000
MINUTE: Final = 60
GONE: Final = Posted(http_status=410, error="HTTP status 410")
HOUR: Final = 3_600
SCHEDULE: Final = (0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)


def told(letter: Letter) -> dict[str, object]:
    body: dict[str, object] = json.loads(letter.body)
    return body


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_a_code_s_life_is_told_in_its_order_and_never_the_code_or_the_number(engine: Engine) -> None:
    with logged() as stream:
        async with shop(
            engine, services={"sun": changed(HOOKED, uses=2)}, links={"north": changed(LINK, test=True)}
        ) as one:
            await one.sms()
            await one.work()
            [code] = await one.codes()
            await one.use(code, "basket 7 é")
            await one.use(code, "basket 8")
            await one.work()
            bodies = [told(letter) for letter in one.merchant.letters]
            [name] = [name for (name,) in await one.rows("codes", "id")]
            at, end = "2023-11-14T22:13:20.000Z", "2023-11-14T23:13:20.000Z"
            assert [body["type"] for body in bodies] == [
                "code.issued",
                "code.redeemed",
                "code.redeemed",
                "code.exhausted",
            ]
            assert {body["timestamp"] for body in bodies} == {at}
            assert bodies[0]["data"] == {
                "service": "sun",
                "code": name,
                "mo": f"mo_{name.removeprefix('code_')}",
                "msisdn": "35988…67",
                "uses_left": 2,
                "valid_until": end,
                "test": True,
            }
            redemptions = [name for (name,) in await one.rows("attempts", "redemption")]
            assert [body["data"] for body in bodies[1:]] == [
                {
                    "service": "sun",
                    "code": name,
                    "redemption": redemption,
                    "state": state,
                    "uses_left": left,
                    "valid_until": end,
                    "test": True,
                }
                for redemption, state, left in [
                    (redemptions[0], "basket 7 é", 1),
                    (redemptions[1], "basket 8", 0),
                    (redemptions[1], "basket 8", 0),
                ]
            ]
            stored = str(await select(engine, "select * from events"))
            everything = stored + "".join(letter.body.decode() for letter in one.merchant.letters)
            everything += str(await entries(stream))
            assert code not in everything
            assert PHONE not in everything


async def test_a_reload_and_a_wrong_code_tell_nothing(engine: Engine) -> None:
    async with shop(engine) as one:
        await one.sms()
        [code] = await one.codes()
        await one.use(code, "s")
        await one.use(code, "s")
        await one.use("WRONG")
        await one.work()
        assert [kind for kind, _, _ in await one.deliveries()] == ["code.issued", "code.redeemed"]


async def test_without_an_address_nothing_is_stored(engine: Engine) -> None:
    async with shop(engine, services={"sun": SUN}) as one:
        await one.sms()
        await one.use((await one.codes())[0])
        await one.work()
        assert await one.deliveries() == []


async def test_what_is_rolled_back_is_not_told(engine: Engine) -> None:
    async with shop(engine) as one:
        one.database.before.append(StoreUnavailable("full"))
        await one.take(one.arrival())
        await one.work()
        assert await one.deliveries() == []


# --- signed -----------------------------------------------------------------------------------------------------------


async def test_a_merchant_s_library_knows_that_it_is_ours_also_while_secrets_change(engine: Engine) -> None:
    async with shop(engine) as one:
        await one.sms()
        await one.work()
        made, beside = await secrets.add(one.ports, "sun", 60 * MINUTE * 1000, "command:tester")
        assert beside == 1
        await one.later(POLL_S)
        await one.sms("SUN again")
        await one.work()
        first, second = one.merchant.letters
        told_new, told_old = await secrets.reveal(one.ports, "sun", "command:tester")
        new, old = told_new.secret, told_old.secret
        assert (made.secret, told_new.until_ms) == (new, None)
        assert (old.startswith("whsec_"), len(base64.b64decode(old.removeprefix("whsec_")))) == (True, 32)
        assert (len(first.secrets), len(second.secrets)) == (1, 2)
        for letter, secret in [(first, old), (second, old), (second, new)]:
            fresh = changed(letter, timestamp_s=int(time.time()))  # the library looks at the clock
            assert Webhook(secret).verify(letter.body, headers(fresh)) == told(letter)
        actions = [action for _, action in await one.rows("audit", "actor", "action")]
        assert actions == ["webhook_secret.created", *["webhook_secret.revealed"] * 2]


async def test_the_old_secret_signs_until_the_overlap_is_over(engine: Engine) -> None:
    async with shop(engine) as one:
        await secrets.add(one.ports, "sun", HOUR * 1000, "command:tester")
        until_ms = one.clock.now_ms() + HOUR * 1000
        assert [found.until_ms for found in await secrets.reveal(one.ports, "sun", "t")] == [None, until_ms]
        for seconds, signing in ((HOUR - POLL_S, 2), (2 * POLL_S, 1)):
            await one.later(seconds)
            await one.sms(f"SUN {seconds}")
            await one.work()
            assert len(one.merchant.letters[-1].secrets) == signing


async def test_older_secrets_are_revoked_at_once_and_never_the_last(engine: Engine) -> None:
    async with shop(engine) as one:
        [_, _, (newest, beside)] = [await secrets.add(one.ports, "sun", DAY_MS, "command:tester") for _ in range(3)]
        assert beside == 3
        with pytest.raises(SmsgwError, match="revoke the older"):
            await secrets.add(one.ports, "sun", DAY_MS, "command:tester")
        assert await secrets.revoke_older(one.ports, "sun", "command:tester") == 3
        assert await secrets.revoke_older(one.ports, "sun", "command:tester") == 0
        assert [found.secret for found in await secrets.reveal(one.ports, "sun", "t")] == [newest.secret]
        await one.later(POLL_S)
        await one.sms()
        await one.work()
        assert len(one.merchant.letters[0].secrets) == 1


async def test_each_service_has_one_secret_and_keeps_it(engine: Engine) -> None:
    services = {"sun": HOOKED, "moon": changed(HOOKED, keywords=["MOON"]), "mars": changed(SUN, keywords=["MARS"])}
    for seed in (1, 2):
        async with shop(engine, services=services, seed=seed) as one:
            assert sorted(await one.rows("service_keys", "service", "purpose")) == [
                ("moon", "webhook"),
                ("sun", "webhook"),
            ]


# --- again ------------------------------------------------------------------------------------------------------------


async def test_an_event_is_tried_by_the_schedule_with_one_id_and_then_given_up(engine: Engine) -> None:
    async with shop(engine) as one:
        one.merchant.answer = lambda _: BUSY
        await one.sms()
        for tries, pause_s in enumerate(SCHEDULE):
            [(next_ms,)] = await one.rows("events", "next_ms")
            wait_s = (next_ms - one.clock.now_ms()) / 1000
            assert pause_s <= wait_s <= pause_s * 1.1, "chance adds a tenth at most"
            if wait_s:
                await one.later(wait_s - 0.001)
                assert len(one.merchant.letters) == tries, "not before its time"
                await one.later(0.001)
            else:
                await one.work()
            assert len(one.merchant.letters) == tries + 1
        assert await one.rows("events", "status", "tries", "http_status", "error", "node") == [
            ("given_up", 10, 500, "HTTP status 500", None)
        ]
        await one.later(1_000 * HOUR)
        assert len(set(one.merchant.ids)) == 1
        assert len(one.merchant.letters) == 10


@pytest.mark.parametrize(
    ("retry_after", "pause_s"),
    [("120", 120), ("Tue, 14 Nov 2023 22:15:20 GMT", 120), ("1", 5), ("nonsense", 5), ("9999999", 24 * HOUR)],
)
async def test_who_asks_for_a_pause_has_it_and_never_a_shorter_one_than_others(
    sqlite: Engine, retry_after: str, pause_s: int
) -> None:
    async with shop(sqlite) as one:
        one.merchant.answer = lambda _: Posted(http_status=503, error="HTTP status 503", retry_after=retry_after)
        await one.sms()
        await one.work()
        await one.later(pause_s - 0.001)
        assert len(one.merchant.letters) == 1
        await one.later(pause_s * 0.1 + 0.001)
        assert len(one.merchant.letters) == 2


@pytest.mark.parametrize("ahead_s", [0, 24 * HOUR])
async def test_pauses_are_no_longer_when_the_clock_is_put_back(engine: Engine, ahead_s: int) -> None:
    async with shop(engine) as one:
        await one.work()
        one.clock.set_wall(one.clock.now_ms() + ahead_s * 1_000)  # wrong by so much, and then put right
        one.merchant.answer = lambda _: BUSY
        await one.sms()
        await one.work()
        one.merchant.answer = lambda _: Posted(http_status=204, error=None)
        one.clock.set_wall(one.clock.now_ms() - max(HOUR, ahead_s) * 1_000)
        await one.later(1)
        assert len(one.merchant.letters) == 1, "nor shorter"
        await one.later(5)
        assert await one.rows("events", "status", "tries") == [("delivered", 2)]


async def test_a_success_ends_it(engine: Engine) -> None:
    async with shop(engine) as one:
        one.merchant.answer = lambda _: BUSY
        await one.sms()
        await one.work()
        one.merchant.answer = lambda _: Posted(http_status=204, error=None)
        await one.later(6)
        await one.later(HOUR)
        assert await one.rows("events", "status", "tries", "http_status", "error") == [("delivered", 2, 204, None)]
        assert len(one.merchant.letters) == 2


async def test_to_an_address_that_is_gone_nothing_is_posted_until_somebody_says_so(engine: Engine) -> None:
    with logged() as stream:
        async with shop(engine) as one:
            one.merchant.answer = lambda _: GONE
            await one.sms()
            await one.work()
            await one.sms("SUN more")
            for _ in range(3):
                await one.later(24 * HOUR)
            assert len(one.merchant.letters) == 1
            assert await one.rows("events", "status", "tries", "http_status", "node") == [
                ("pending", 0, 410, None),
                ("pending", 0, None, None),
            ]
            [line] = await entries(stream, "webhook.endpoint_gone")
            assert (line["level"], line["service"]) == ("error", "sun")
            one.merchant.answer = lambda _: TAKEN
            done = await endpoints.enable(one.ports, "sun", "command:tester")
            assert (done.was_gone, done.waiting) == (True, 2)
            await one.later(POLL_S)
            assert [status for _, status, _ in await one.deliveries()] == ["delivered"] * 2
            assert await one.rows("audit", "actor", "action", "subject") == [
                ("command:tester", "webhooks.enabled", "sun")
            ]
            assert not (await endpoints.enable(one.ports, "sun", "command:tester")).was_gone


async def test_an_address_that_is_gone_stays_so_in_the_daemon_s_next_life_and_another_one_is_posted_to(
    engine: Engine,
) -> None:
    async with shop(engine) as one:
        one.merchant.answer = lambda _: GONE
        await one.sms()
        await one.work()
    with logged() as stream:
        async with shop(engine, seed=2) as one:
            await one.later(HOUR)
            assert one.merchant.letters == []
            assert len(await entries(stream, "webhook.endpoint_gone")) == 1, "it is told again at each start"
    async with shop(engine, seed=3, services={"sun": changed(HOOKED, webhook_url="https://new.example/")}) as one:
        await one.later(HOUR)
        assert [letter.url for letter in one.merchant.letters] == ["https://new.example/"]
    async with shop(engine, seed=4) as one:
        await one.sms("SUN back")
        await one.work()
        assert len(one.merchant.letters) == 1, "the setting has changed meanwhile"


async def test_who_is_gone_is_in_nobody_s_way(sqlite: Engine) -> None:
    services = {"sun": HOOKED, "moon": changed(HOOKED, keywords=["MOON"], webhook_url="https://moon.example/")}
    async with shop(sqlite, services=services) as one:
        one.merchant.answer = lambda letter: GONE if letter.url == URL else TAKEN
        await one.sms()
        await one.work()
        await one.sms("MOON")
        await one.work()
        assert [letter.url for letter in one.merchant.letters] == [URL, "https://moon.example/"]


async def test_what_waits_for_an_address_that_is_gone_is_forgotten_when_it_is_old(engine: Engine) -> None:
    with logged() as stream:
        async with shop(engine) as one:
            one.merchant.answer = lambda _: GONE
            await one.sms()
            await one.work()
            old = Bygones(one.ports, 90)
            one.clock.advance(90 * DAY_MS)
            await old.sweep()
            assert len(await one.deliveries()) == 1, "not a moment too early"
            one.clock.advance(REST_MS)
            await old.sweep()
            assert await one.deliveries() == []
            [line] = await entries(stream, "webhook.forgotten_undelivered")
            assert (line["service"], line["events"]) == ("sun", 1)


async def test_a_mistake_of_ours_is_a_failure_like_others(sqlite: Engine) -> None:
    def broken(_: Letter) -> Posted:
        raise RuntimeError("oops")

    with logged():
        async with shop(sqlite) as one:
            one.merchant.answer = broken
            await one.sms()
            await one.work()
            assert await one.rows("events", "tries", "error") == [(1, "a mistake of ours; the log has it")]


# --- in order ---------------------------------------------------------------------------------------------------------


async def test_a_later_event_of_a_code_waits_and_those_of_others_do_not(engine: Engine) -> None:
    async with shop(engine) as one:
        await one.sms()
        [stuck] = await one.codes()
        [(first,)] = await one.rows("events", "id")
        one.merchant.answer = lambda letter: BUSY if letter.id == first else TAKEN
        await one.work()
        await one.use(stuck, "s")
        await one.sms("SUN more")
        await one.work()
        for _ in range(3):
            await one.later(0.5)
        assert one.merchant.ids.count(first) == 1
        assert [status for _, status, _ in await one.deliveries()] == ["pending", "pending", "delivered"]
        one.merchant.answer = lambda _: TAKEN
        await one.later(6)
        assert [status for _, status, _ in await one.deliveries()] == ["delivered"] * 3
        assert one.merchant.ids[-2] == first, "then the one that waited, at once"


async def test_what_waits_is_free_when_the_one_before_is_given_up(engine: Engine) -> None:
    async with shop(engine, settings=WebhookSettings(max_tries=1)) as one:
        await one.sms()
        one.merchant.open.clear()
        one.merchant.answer = lambda letter: BUSY if b"issued" in letter.body else TAKEN
        await one.work()
        await one.use((await one.codes())[0])
        await one.work()
        assert len(one.merchant.letters) == 1, "the first is under way"
        one.merchant.open.set()
        await one.work()
        assert await one.deliveries() == [("code.issued", "given_up", 1), ("code.redeemed", "delivered", 1)]


async def test_many_that_wait_hide_nobody_who_does_not(engine: Engine) -> None:
    async with shop(engine, services={"sun": changed(HOOKED, uses=0)}) as one:
        one.merchant.answer = lambda _: BUSY
        await one.sms()
        await one.work()
        [code] = await one.codes()
        for number in range(60):
            await one.use(code, str(number))
        one.merchant.answer = lambda _: TAKEN
        await one.sms("SUN more")
        await one.work()
        assert (await one.deliveries())[-1] == ("code.issued", "delivered", 1)
        await one.later(6)
        assert {status for _, status, _ in await one.deliveries()} == {"delivered"}
        subject = [told(letter)["data"] for letter in one.merchant.letters if b"redeemed" in letter.body]
        assert [data["state"] for data in subject if isinstance(data, dict)] == [str(number) for number in range(60)]


# --- nobody waits for another -----------------------------------------------------------------------------------------


async def test_a_slow_merchant_holds_up_nobody(engine: Engine) -> None:
    services = {"sun": HOOKED, "moon": changed(HOOKED, keywords=["MOON"], webhook_url="https://moon.example/")}

    class Slow(Merchant):
        async def post(self, letter: Letter) -> Posted:
            if letter.url == URL:
                return await super().post(letter)
            self.letters.append(letter)
            return TAKEN

    settings = WebhookSettings(parallel=10, parallel_per_service=4)
    async with shop(engine, services=services, settings=settings, merchant=Slow()) as one:
        one.merchant.open.clear()
        for number in range(20):
            await one.sms(f"SUN {number}")
        await one.work()
        assert one.merchant.waiting == 4
        for number in range(20):
            await one.sms(f"MOON {number}")
        await one.work()
        assert len([letter for letter in one.merchant.letters if letter.url != URL]) == 20
        one.merchant.open.set()
        await one.work()
        assert len(one.merchant.letters) == 40
        assert one.merchant.most_waiting == 4


async def test_who_fails_is_tried_one_at_a_time_until_a_success(sqlite: Engine) -> None:
    async with shop(sqlite, settings=WebhookSettings(parallel_per_service=4)) as one:
        one.merchant.answer = lambda _: BUSY
        await one.sms()
        await one.work()
        for number in range(10):
            await one.sms(f"SUN {number}")
        one.merchant.open.clear()
        await one.work()
        assert one.merchant.waiting == 1
        one.merchant.answer = lambda _: TAKEN
        one.merchant.open.set()
        for _ in range(5):
            await asyncio.sleep(0)
        one.merchant.open.clear()
        await one.work()
        assert one.merchant.waiting == 4
        one.merchant.open.set()
        await one.later(6)
        assert {status for _, status, _ in await one.deliveries()} == {"delivered"}


async def test_all_together_are_no_more_than_allowed(sqlite: Engine) -> None:
    services = {f"s{number}": changed(HOOKED, keywords=[f"K{number}"]) for number in range(9)}
    async with shop(sqlite, services=services, settings=WebhookSettings(parallel=5, parallel_per_service=2)) as one:
        one.merchant.open.clear()
        for number in range(9):
            for text in "abc":
                await one.sms(f"K{number} {text}")
        await one.work()
        assert one.merchant.waiting == 5
        one.merchant.open.set()
        await one.work()
        assert (len(one.merchant.letters), one.merchant.most_waiting) == (27, 5)


# --- ends, several nodes ----------------------------------------------------------------------------------------------


async def test_an_end_between_the_answer_and_its_record_posts_again_with_the_same_id(engine: Engine) -> None:
    merchant = Merchant()
    async with shop(engine, merchant=merchant) as one:
        await one.sms()
        await one.hooks.turn()
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(merchant.letters) == 1, "the merchant has said 200"
        one.hooks._results.clear()  # and here it dies
        one.hooks._posting.clear()
        clock = one.clock
    async with shop(engine, merchant=merchant, clock=clock, seed=2) as one:
        await one.work()
        assert len(merchant.ids) == 2
        assert len(set(merchant.ids)) == 1
        assert await one.deliveries() == [("code.issued", "delivered", 1)]


async def test_a_result_waits_for_the_store(engine: Engine) -> None:
    async with shop(engine) as one:
        await one.sms()
        await one.hooks.turn()
        for _ in range(5):
            await asyncio.sleep(0)
        one.database.before.append(StoreUnavailable("full"))
        with pytest.raises(StoreUnavailable):
            await one.hooks.turn()
        await one.work()
        assert await one.deliveries() == [("code.issued", "delivered", 1)]
        assert len(one.merchant.letters) == 1


async def test_the_stop_gives_back_what_is_not_answered(engine: Engine) -> None:
    async with shop(engine) as one:
        one.merchant.open.clear()
        await one.sms()
        await one.work()
        await one.hooks.close(0.01)
        assert await one.rows("events", "status", "tries", "node") == [("pending", 0, None)]
        assert one.merchant.waiting == 0


async def test_the_stop_records_what_is_answered(engine: Engine) -> None:
    async with shop(engine) as one:
        await one.sms()
        await one.hooks.turn()
        await one.hooks.close(5.0)
        assert await one.deliveries() == [("code.issued", "delivered", 1)]


async def test_two_nodes_never_post_the_same_event(postgres: Engine) -> None:
    async with (
        shop(postgres) as one,
        shop(postgres, clock=one.clock, seed=2, node="right") as other,
    ):
        for number in range(60):
            await one.sms(f"SUN {number}")
        other.hooks.wake(["sun"])
        await asyncio.gather(turn(one.hooks), turn(other.hooks))
        ids = one.merchant.ids + other.merchant.ids
        assert (len(ids), len(set(ids))) == (60, 60)
        assert one.merchant.ids
        assert other.merchant.ids
        assert {status for _, status, _ in await one.deliveries()} == {"delivered"}


async def bury(one: Shop) -> None:
    """Be the node that finds another one silent for long."""
    for seconds in (0, 10, 10, 10):
        one.clock.advance(seconds * 1000)
        await one.receiver.sweep(30_000)


@pytest.mark.parametrize("ahead_s", [HOUR, -HOUR])
async def test_a_node_s_clock_gives_it_nothing_that_another_is_posting(postgres: Engine, ahead_s: int) -> None:
    async with shop(postgres) as one:
        clock = ManualClock(one.clock.now_ms() + ahead_s * 1000)
        async with shop(postgres, clock=clock, seed=2, node="right") as other:
            one.merchant.open.clear()
            await one.sms()
            await one.work()
            await other.later(POLL_S)
            await other.later(3 * HOUR)
            assert other.merchant.ids == []
            one.merchant.open.set()
            await one.work()
            assert await one.deliveries() == [("code.issued", "delivered", 1)]


@pytest.mark.parametrize("ahead_s", [0, HOUR, -HOUR])
async def test_what_a_dead_node_was_posting_is_another_s_when_it_is_buried(postgres: Engine, ahead_s: int) -> None:
    async with shop(postgres) as one:
        clock = ManualClock(one.clock.now_ms() + ahead_s * 1000)
        async with shop(postgres, clock=clock, seed=2, node="right") as other:
            one.merchant.open.clear()
            await one.sms()
            await one.work()
            await other.later(29)
            assert other.merchant.ids == []
            await bury(other)
            await other.work()
            assert other.merchant.ids == one.merchant.ids
            # The first lives after all, and says that it failed: the other has the last word.
            one.merchant.answer = lambda _: BUSY
            one.merchant.open.set()
            await one.work()
            assert await one.deliveries() == [("code.issued", "delivered", 1)]


async def test_a_success_counts_even_if_another_has_the_event_by_now(postgres: Engine) -> None:
    async with (
        shop(postgres) as one,
        shop(postgres, clock=one.clock, seed=2, node="right") as other,
    ):
        for each in (one, other):
            each.merchant.open.clear()
        await one.sms()
        await one.work()
        await bury(other)
        await other.work()
        assert len(other.merchant.ids) == 1
        one.merchant.open.set()
        await one.work()
        other.merchant.answer = lambda _: BUSY
        other.merchant.open.set()
        await other.work()
        assert await one.deliveries() == [("code.issued", "delivered", 1)]


async def test_a_claim_whose_result_is_lost_is_made_again_by_the_same_node(engine: Engine) -> None:
    async with shop(engine) as one:
        await one.work()
        await one.sms()
        one.database.behind.append(StoreUnavailable("the connection was lost in the commit"))
        with pytest.raises(StoreUnavailable):
            await one.hooks.turn()
        await one.work()
        assert one.merchant.ids == []
        await one.later(46)
        assert await one.deliveries() == [("code.issued", "delivered", 1)]


async def test_a_redemption_on_another_node_waits_for_the_code_s_first_event(postgres: Engine) -> None:
    async with (
        shop(postgres) as one,
        shop(postgres, clock=one.clock, seed=2, node="right") as other,
    ):
        one.merchant.open.clear()
        await one.sms()
        await one.work()
        await other.use((await other.codes())[0])
        await other.work()
        assert other.merchant.ids == []
        one.merchant.open.set()
        await one.work()
        assert [kind for kind, _, _ in await one.deliveries()] == ["code.issued", "code.redeemed"]
        assert len(one.merchant.ids) == 2


# --- once more --------------------------------------------------------------------------------------------------------


async def replay(one: Shop, choice: Choice, *, rush: bool = True) -> int:
    return await again.replay(one.ports, choice, "command:tester", "some", rush=rush)


async def test_what_is_replayed_has_its_old_id_and_all_its_tries(engine: Engine) -> None:
    async with shop(engine, settings=WebhookSettings(max_tries=1)) as one:
        one.merchant.answer = lambda _: BUSY
        await one.sms()
        await one.work()
        one.merchant.answer = lambda _: TAKEN
        await one.sms("SUN more")
        await one.work()
        await replay(one, Choice(status="given_up"))
        await one.later(POLL_S)
        assert [one.merchant.ids.count(name) for name in dict.fromkeys(one.merchant.ids)] == [2, 1]
        assert await one.deliveries() == [("code.issued", "delivered", 1)] * 2
        await replay(one, Choice(service="sun"))
        await one.later(POLL_S)
        assert len(one.merchant.ids) == 5


async def test_an_event_in_its_pause_that_somebody_names_is_tried_now_and_once(engine: Engine) -> None:
    async with shop(engine) as one:
        one.merchant.answer = lambda _: BUSY
        await one.sms()
        await one.work()
        await one.later(6)
        assert len(one.merchant.ids) == 2, "and then it pauses for five minutes"
        assert await replay(one, Choice(), rush=False) == 0, "who names a whole day does not mean it"
        await one.later(POLL_S)
        assert len(one.merchant.ids) == 2
        assert await replay(one, Choice()) == 1
        await one.later(POLL_S)
        assert len(one.merchant.ids) == 3
        await one.later(30 * MINUTE - 1)
        assert len(one.merchant.ids) == 3, "it goes on where it was in the schedule"
        await one.later(4 * MINUTE)
        assert len(one.merchant.ids) == 4


async def test_the_pause_of_a_later_event_is_not_shorter_because_an_earlier_one_is_replayed(engine: Engine) -> None:
    async with shop(engine) as one:
        await one.sms()
        await one.work()
        one.merchant.answer = lambda _: BUSY
        await one.use((await one.codes())[0])
        await one.work()
        await one.later(6)
        first, later, _ = one.merchant.ids
        one.merchant.answer = lambda _: TAKEN
        await replay(one, Choice(first=first, before=f"{first}0"))
        await one.later(POLL_S)
        assert one.merchant.ids == [first, later, later, first]
        await one.later(6 * MINUTE)
        assert one.merchant.ids == [first, later, later, first, later]


async def test_what_is_being_posted_is_not_replayed_beside_it(engine: Engine) -> None:
    async with shop(engine) as one:
        one.merchant.open.clear()
        await one.sms()
        await one.work()
        await replay(one, Choice())
        await one.later(POLL_S)
        one.merchant.open.set()
        await one.work()
        assert len(one.merchant.ids) == 1


async def test_events_of_a_service_that_has_no_address_any_more_wait(engine: Engine) -> None:
    merchant = Merchant()
    async with shop(engine, merchant=merchant) as one:
        await one.sms()
        clock = one.clock
    async with shop(engine, merchant=merchant, clock=clock, seed=2, services={"sun": SUN}) as one:
        await one.later(POLL_S)
        assert merchant.ids == []
    async with shop(engine, merchant=merchant, clock=clock, seed=3) as one:
        await one.work()
        assert len(merchant.ids) == 1


# --- as it runs -------------------------------------------------------------------------------------------------------


async def test_an_event_leaves_right_after_its_commit(engine: Engine) -> None:
    async with shop(engine) as one:
        running = asyncio.create_task(one.hooks.run())
        await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
        await one.sms()
        await one.merchant.heard.wait()
        took_s = asyncio.get_running_loop().time() - began
        running.cancel()
        assert took_s < 1.0


async def test_a_store_that_is_away_ends_nothing(sqlite: Engine) -> None:
    async with shop(sqlite) as one:
        one.database.before.append(StoreUnavailable("full"))
        with logged():
            running = asyncio.create_task(one.hooks.run())
            await asyncio.sleep(0.05)
            await one.sms()
            await asyncio.wait_for(one.merchant.heard.wait(), 5)
            running.cancel()


async def test_a_secret_that_cannot_be_read_stops_its_own_service_only(sqlite: Engine) -> None:
    services = {"sun": HOOKED, "moon": changed(HOOKED, keywords=["MOON"])}
    async with shop(sqlite, services=services) as one:
        await change(sqlite, "update service_keys set id = id || 'x', sealed = x'00' where service = 'sun'")
        with logged() as stream:
            await one.later(POLL_S)
            await one.sms()
            await one.sms("MOON")
            await one.work()
            assert len(await entries(stream, "webhook.secret_not_readable")) == 1
        assert await one.rows("events", "status", "error") == [
            ("pending", "there is no secret to sign with"),
            ("delivered", None),
        ]


async def test_a_secret_is_used_as_soon_as_the_vault_has_its_key(sqlite: Engine) -> None:
    async with shop(sqlite) as one:
        await one.sms()
        merchant, clock, keys = one.merchant, one.clock, [Key("k1", bytes(32))]
    async with shop(sqlite, merchant=merchant, clock=clock, seed=2) as one:
        one.ports.vault.replace([Key("k2", b"2" * 32)])  # the key file of another machine
        one.hooks._secrets = secrets.Secrets(one.ports)
        with logged() as stream:
            await one.later(POLL_S)
            await one.later(POLL_S)
            assert len(await entries(stream, "webhook.secret_not_readable")) == 1, "once, not at every look"
            assert merchant.ids == []
            one.ports.vault.replace([Key("k2", b"2" * 32), *keys])
            await one.later(HOUR)
            assert len(await entries(stream, "webhook.secret_readable")) == 1
        assert len(merchant.ids) == 1


async def test_room_that_nobody_needs_is_given_to_the_next_at_once(sqlite: Engine) -> None:
    services = {"moon": changed(HOOKED, keywords=["MOON"]), "sun": HOOKED}
    async with shop(sqlite, services=services, settings=WebhookSettings(parallel=1)) as one:
        await one.sms()
        one.hooks._due = {"moon": None, "sun": None}
        await one.work()
        assert len(one.merchant.letters) == 1
