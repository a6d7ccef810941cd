"""The page at /docs: everything that the document says, without any script, and nothing from elsewhere."""

import html
import re

from smsgw.web.api.problem import PROBLEMS
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


async def test_it_needs_nothing_from_elsewhere(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        text = (await here.here.ask("GET", "/docs")).text
        assert "<script" not in text
        assert set(re.findall(r'(?:src|href)="([^"#]+)', text)) == {"/docs/static/docs.css", "/v1/openapi.json"}
        assert (await here.here.ask("GET", "/docs/static/docs.css")).status == 200
        targets = set(re.findall(r'href="#([^"]+)"', text))
        assert targets <= set(re.findall(r'id="([^"]+)"', text))
