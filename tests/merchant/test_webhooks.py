"""The samples that take webhooks, in PHP, Python and Node: what is ours is kept once, and goods are handed out once."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.merchant.gold import NEW, OLD, OTHER, GoldShop, Posted, event, gold, payment, signed
from tests.merchant.shops import COMMANDS

MOST_S: Final = 300  # age of a request


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def language(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def shop(language: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoldShop]:
    """One site for all tests, each has payments of its own."""
    with gold(language, tmp_path_factory.mktemp(language)) as one:
        yield one


def changed(one: Posted, **headers: str) -> Posted:
    """Return a request with other headers; an underscore in a name stands for its dash."""
    return Posted(headers={**one.headers, **{key.replace("_", "-"): to for key, to in headers.items()}}, body=one.body)


async def test_what_is_not_ours_is_refused_and_leaves_nothing(shop: GoldShop) -> None:
    paid = payment()
    body = event("payment.succeeded", paid)
    good = signed(body)
    signature = good.headers["webhook-signature"]
    now = int(good.headers["webhook-timestamp"])
    bad = [
        signed(body, OTHER),
        Posted(headers=good.headers, body=body.replace(b'"units":250', b'"units":999')),
        Posted(headers=good.headers, body=body + b" "),
        Posted(headers={}, body=body),
        Posted(headers=good.headers, body=b""),
        changed(good, webhook_id=signed(body).id),
        signed(body, age_s=MOST_S + 5),
        signed(body, age_s=-MOST_S - 5),
        changed(good, webhook_timestamp=str(now + 1)),
        changed(good, webhook_timestamp=f"{now}.0"),
        changed(good, webhook_timestamp=""),
        changed(good, webhook_timestamp="9" * 400),
        changed(good, webhook_signature=""),
        changed(good, webhook_signature="v1,"),
        changed(good, webhook_signature=signature.replace("v1,", "v1a,")),
        changed(good, webhook_signature=signature.removeprefix("v1,")),
        changed(good, webhook_signature=signature[:-1]),
        changed(good, webhook_signature=signature.replace(" ", "")[:20]),
        changed(good, webhook_signature="é"),
    ]
    assert await shop.take(*bad) == [400] * len(bad)
    assert (shop.goods(paid), shop.events(paid)) == (0, [])
    assert await shop.take(good) == [204], "the true one is not refused"
    assert (shop.goods(paid), shop.events(paid)) == (1, [3])


async def test_one_signature_that_fits_is_enough_and_the_body_is_read_as_it_came(shop: GoldShop) -> None:
    for secret, age_s in ((NEW, 0), (OLD, 0), (NEW, MOST_S - 20), (NEW, 20 - MOST_S)):
        paid = payment()
        spaced = json.dumps(json.loads(event("payment.succeeded", paid)), indent=1).encode()  # not as we write it
        good = signed(spaced, secret, age_s=age_s)
        others = (signed(spaced, OTHER).headers["webhook-signature"], "v2,x", good.headers["webhook-signature"], "v1,")
        assert await shop.take(changed(good, webhook_signature=" ".join(others))) == [204]
        assert shop.goods(paid) == 1


async def test_an_event_that_comes_again_is_answered_and_ignored(language: str, tmp_path: Path) -> None:
    paid = payment()
    first = signed(event("payment.succeeded", paid))
    back = signed(event("payment.refunded", paid, sequence=4, refunded_minor=1))
    again = [signed(one.body, name=one.id, age_s=-1) for one in (first, back)]  # each try has its own time
    with gold(language, tmp_path) as shop:
        assert await shop.take(first) == [204]
        assert await shop.take(back) == [204]
        shop.note(back).unlink()  # whoever has looked at it
        assert await shop.take(*again) == [204, 204]
        assert (shop.goods(paid), shop.note(back).exists()) == (1, False)
    with gold(language, tmp_path) as shop:  # it was killed
        assert await shop.take(*again, first, back) == [204] * 4
        assert (shop.goods(paid), shop.events(paid), shop.note(back).exists()) == (1, [3, 4], False)


async def test_of_equal_events_at_once_one_hands_out_goods(shop: GoldShop, language: str) -> None:
    paid = [payment() for _ in range(5)]
    requests = [signed(event("payment.succeeded", one)) for one in paid]
    with gold(language, shop.folder.parent) as other:  # a second process of the same site
        answers = await asyncio.gather(*(at.take(*(requests * 4)) for at in (shop, other)))
    assert answers == [[204] * 20] * 2
    assert [shop.goods(one) for one in paid] == [1] * 5
    assert [shop.events(one) for one in paid] == [[3]] * 5
    assert not list(shop.folder.glob("draft-*"))


async def test_the_sequence_says_what_is_newest_and_not_the_time_of_arrival(shop: GoldShop) -> None:
    returned, partly, paid = payment(sequence=9), payment(sequence=9), payment(sequence=9)
    for about, back in ((returned, 250), (partly, 100)):
        later = event("payment.refunded", about, sequence=10, refunded_minor=back)
        earlier = event("payment.charge_unknown", about, sequence=8, status="charge_unknown")
        for body in (later, earlier, event("payment.succeeded", about)):
            assert await shop.take(signed(body)) == [204]
        assert shop.events(about) == [8, 9, 10]
    assert shop.goods(returned) == 0, "all of the money went back before"
    assert shop.goods(partly) == 1
    for sequence in (9, 8, 2):  # nothing that comes late takes back what was said
        kind: Any = "payment.succeeded" if sequence == 9 else "payment.confirmed"
        assert await shop.take(signed(event(kind, paid, sequence=sequence))) == [204]
    assert (shop.goods(paid), shop.events(paid)) == (1, [2, 8, 9])


async def test_refunds_and_discrepancies_are_noted_and_other_events_hand_out_nothing(shop: GoldShop) -> None:
    noted: tuple[Any, ...] = ("payment.refunded", "payment.refund_failed", "payment.discrepancy")
    kept: tuple[Any, ...] = ("payment.confirmed", "payment.failed", "payment.charge_unknown", "payment.expired")
    for kind in noted + kept:
        about = payment(status="failed", discrepancy="grant" if kind == "payment.discrepancy" else None)
        one = signed(event(kind, about))
        assert await shop.take(one) == [204]
        assert (shop.goods(about), shop.events(about), shop.note(one).exists()) == (0, [3], kind in noted)


async def test_what_is_no_event_of_a_payment_is_passed_over(shop: GoldShop) -> None:
    about = payment()
    for kind in ("code.issued", "payment.authorize", "something.new"):
        body = event("payment.succeeded", about).replace(b"payment.succeeded", kind.encode())
        assert await shop.take(signed(body)) == [204]
    assert (shop.goods(about), shop.events(about)) == (0, [])


async def test_a_payment_at_a_simulated_operator_gets_no_goods(shop: GoldShop) -> None:
    about = payment(test=True)
    assert await shop.take(signed(event("payment.succeeded", about))) == [204]
    assert (shop.goods(about), shop.events(about)) == (0, [3])


@pytest.mark.parametrize("lost", ["goods", "events"])
async def test_what_could_not_be_stored_is_not_answered_well_and_is_done_when_it_comes_again(
    shop: GoldShop, lost: str
) -> None:
    paid = payment()
    one = signed(event("payment.succeeded", paid))
    folder, away = shop.folder / lost, shop.folder / "away"
    folder.rename(away)
    folder.symlink_to("/proc")  # where no file can be made, whoever asks for it
    assert await shop.take(one) == [500]
    folder.unlink()
    away.rename(folder)
    assert await shop.take(one) == [204]
    assert (shop.goods(paid), shop.events(paid)) == (1, [3])
