"""The page at /docs: everything that the document says, without any script, and nothing from elsewhere."""

import html
import re
from types import SimpleNamespace
from typing import Any

from smsgw.flows.payments.events import ABOUT
from smsgw.flows.payments.returning import KIND, claims
from smsgw.simulator.subscribers import MAGIC
from smsgw.store.payments import PaymentRow
from smsgw.web.api.problem import PROBLEMS
from smsgw.web.api.trials import TRIALS
from smsgw.web.checkout.form import Filled
from tests.servers.engines import Engine
from tests.web.api.merchant import merchant, told


async def test_the_page_shows_every_operation_field_and_problem(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        document = told(await here.here.ask("GET", "/v1/openapi.json"))
        answer = await here.here.ask("GET", "/docs")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = html.unescape(answer.text)
    for kind, one in document["webhooks"].items():
        assert f'id="{one["post"]["operationId"]}"' in text
        assert f"<h2>{kind}</h2>" in text
    for path, methods in document["paths"].items():
        assert path in text
        assert all(f'id="{one["operationId"]}"' in text for one in methods.values())
    assert all(f'id="{code}"' in text for code in PROBLEMS)
    for name in ("Answer", "VerifyRequest", "CodeTrace", "Claims", "Issued", "Redeemed", "PaymentRequest", "Payment"):
        assert all(f"<code>{field}</code>" in text for field in document["components"]["schemas"][name]["properties"])


def claimed() -> list[str]:
    """Return the names of what a return token says."""
    row: Any = SimpleNamespace(**dict.fromkeys(PaymentRow.__struct_fields__, ""))
    merchant: Any = SimpleNamespace(settings=SimpleNamespace(return_valid_s=300))
    return list(claims(row, merchant, 0))


async def test_the_page_tells_how_buyers_pay_and_how_that_is_tried(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        text = html.unescape((await here.here.ask("GET", "/docs")).text)
    article = text.partition('id="checkout"')[2].partition("</article>")[0]
    fields, _, token = article.partition("Check rt of a payment")
    told_of = re.findall(r"<dt><code>(\w+)", fields)
    assert told_of == ["product", "reference", "state", "layout", "lang"]
    assert {*told_of} - {"lang"} == {"product", *Filled(reference="a", state="b", layout="c").carried}
    assert KIND in token
    assert re.findall(r"<dt><code>(\w+)", token) == claimed()
    assert '"allow": true' in text.partition('id="authorize"')[2].partition("</article>")[0]
    trials = text.partition('id="trials"')[2].partition("</article>")[0]
    assert re.findall(r"<dt><code>(\d+)", trials) == [one.digits for one in TRIALS]


def test_numbers_for_tests_are_told_apart_by_the_simulated_operator() -> None:
    assert {one.digits for one in TRIALS} <= MAGIC.keys()
    assert {f"payment.{event}" for one in TRIALS for event in one.events} <= ABOUT.keys()
    assert {one.reason for one in TRIALS if "failed" not in one.events} == {""}


async def test_it_needs_nothing_from_elsewhere(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        text = (await here.here.ask("GET", "/docs")).text
        assert "<script" not in text
        assert set(re.findall(r'(?:src|href)="([^"#]+)', text)) == {"/docs/static/docs.css", "/v1/openapi.json"}
        assert (await here.here.ask("GET", "/docs/static/docs.css")).status == 200
        targets = set(re.findall(r'href="#([^"]+)"', text))
        assert targets <= set(re.findall(r'id="([^"]+)"', text))
