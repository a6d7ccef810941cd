"""The samples' SmsgwPaymentReturn in PHP, Python and Node: a payment's true proof is read once, and no other is."""

import asyncio
import hmac
import json
import sys
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from smsgw.kit.clock import ManualClock
from tests.flows.payments.market import PHONE
from tests.flows.world import receipt
from tests.merchant.shops import PACKAGES, SCRIPTS, keys_of
from tests.peers.programs import program
from tests.servers.engines import Engine
from tests.web.checkout.counter import Counter, counter

# Each reads one object a line from stdin, {token, state}, and writes what it makes of it: claims, or null.
_PYTHON = """
import json, sys
sys.path.insert(0, {folder})
from smsgw_return import SmsgwPaymentReturn
door = SmsgwPaymentReturn("gold", {keys}, {spent})
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(door.open(asked["token"], asked["state"])))
"""
_NODE = """
const {{ SmsgwPaymentReturn }} = require({folder} + '/smsgw-return.js')
const door = new SmsgwPaymentReturn({{ service: 'gold', keys: {keys}, spent: {spent} }})
for (const line of require('node:fs').readFileSync(0, 'utf8').trim().split('\\n')) {{
  const asked = JSON.parse(line)
  console.log(JSON.stringify(door.open(asked.token, asked.state)))
}}
"""
_PHP = """
require {folder} . '/smsgw.php';
$door = new SmsgwPaymentReturn('gold', json_decode('{keys}', true), {spent});
while (($line = fgets(STDIN)) !== false) {{
    $asked = json_decode($line, true);
    echo json_encode($door->open($asked['token'], $asked['state'])), "\\n";
}}
"""
DRIVERS: Mapping[str, tuple[list[str], str]] = {
    "python": ([sys.executable, "-B", "-c"], _PYTHON),
    "node": (["node", "-e"], _NODE),
    "php": (["php", "-r"], _PHP),
}


async def test_a_payment_s_proof_is_read_once_and_no_other_is(sqlite: Engine, tmp_path: Path) -> None:
    for language in DRIVERS:
        program(DRIVERS[language][0][0], PACKAGES.get(language, language))
    async with counter(sqlite, clock=ManualClock(int(time.time() * 1000))) as one:
        place = await one.page(reference="order-1", state="s-7")
        await one.one.accept()
        await one.one.say("YES")
        [bill] = one.one.ready()
        one.one.outboxes["north"].accepted(bill, "A7")
        await one.one.settle()
        await one.one.sms(link="north", pdu=receipt("A7", source_addr=PHONE, destination_addr="7250"))
        good, again = await token(one, place), await token(one, place)
        await one.one.later(10_000)
        place = await one.page(reference="order-2", state="s-7")
        await one.one.accept()
        await one.one.say("NO")
        declined = await token(one, place)
        keys = (await keys_of(one.one))["gold"]
    asked = [
        *((forged, "s-7") for forged in forgeries(good, keys)),
        (declined, "s-7"),
        (good, "another visitor's"),
        (good, ""),
        (good, "s-7"),
        (good, "s-7"),
        (again, "s-7"),
    ]
    for language in DRIVERS:
        told = await answers(language, asked, keys, tmp_path)
        claims = told[-3] or {}
        assert [index for index, answer in enumerate(told) if answer is not None] == [len(told) - 3], language
        assert (claims["aud"], claims["outcome"], claims["merchant_reference"]) == ("gold", "succeeded", "order-1")
        assert (claims["amount_minor"], claims["currency"], claims["product"]) == (250, "EUR", "gold-250")


def forgeries(good: str, keys: Mapping[str, bytes]) -> list[str]:
    """Return proofs that are none: the true one with one thing changed, rightly signed where that is possible."""
    head, body, signature = good.split(".")
    [(kid, secret)] = keys.items()
    claims = decoded(body)

    def signed(header: Mapping[str, Any], **changes: Any) -> str:
        first, second = encoded({"alg": "HS256", "kid": kid, "typ": "smsgw-payment+jws", **header}), claims | changes
        made = hmac.digest(secret, f"{first}.{encoded(second)}".encode(), "sha256")
        return f"{first}.{encoded(second)}.{urlsafe_b64encode(made).rstrip(b'=').decode()}"

    assert decoded(signed({}).split(".")[1]) == claims
    return [
        "",
        f"{head}.{body}.",
        f"{head}.{encoded(claims | {'amount_minor': 1})}.{signature}",
        signed({"typ": "smsgw-return+jws"}),
        signed({"typ": "JWT"}),
        signed({"alg": "none"}),
        signed({}, aud="silver"),
        signed({}, iss="other"),
        signed({}, outcome="success"),
        signed({}, outcome="charge_unknown"),
        signed({}, test=True),
        signed({}, exp=int(time.time()) - 1),
        signed({}, jti="red_01hf7yat00e81a4wk4x3bq7j9z"),
        signed({}, jti="../pay_01hf7yat00e81a4wk4x3bq7j9z"),
    ]


async def token(one: Counter, place: str) -> str:
    """Go back to the shop; return what the browser brings."""
    location = (await one.get(f"{place}/return")).headers["Location"]
    return parse_qs(urlsplit(location).query)["rt"][0]


async def answers(
    language: str, asked: list[tuple[str, str]], keys: Mapping[str, bytes], folder: Path
) -> list[dict[str, Any] | None]:
    """Have a sample read proofs."""
    command, text = DRIVERS[language]
    spent = folder / f"spent-{language}"
    spent.mkdir()
    script = text.format(
        folder=json.dumps(str(SCRIPTS / language)),
        keys=json.dumps({key: b64encode(secret).decode() for key, secret in keys.items()}),
        spent=json.dumps(str(spent)),
    )
    process = await asyncio.create_subprocess_exec(
        *command,
        script,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    lines = "".join(json.dumps({"token": proof, "state": state}) + "\n" for proof, state in asked)
    async with asyncio.timeout(30):
        out, errors = await process.communicate(lines.encode())
    assert (process.returncode, errors) == (0, b"")
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == len(asked)
    return found


def encoded(value: Mapping[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def decoded(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found
