"""Rows of every table for tests, each good as it is; a test names only what it is about."""

from typing import Any

from msgspec import structs

from smsgw.store.attempts import Attempt
from smsgw.store.codes import CodeRow
from smsgw.store.events import Event
from smsgw.store.mos import MoRow
from smsgw.store.mts import MtRow
from smsgw.store.receipts import ReceiptRow
from smsgw.store.sessions import SessionRow

POLICY = '{"length":8,"alphabet":"both","valid_ms":60000,"counted_from":"first_use","uses":3}'

_MO = MoRow(
    id="mo_1",
    link="north",
    session="ses_1",
    received_ms=1_000,
    source="359881234567",
    destination="1234",
    esm_class=0,
    data_coding=8,
    payload=bytes(range(256)),
    tlvs=b"\0",
    fingerprint="f",
    operator_id=None,
    part_key=None,
    part_number=None,
    part_total=None,
    status="done",
    whole=None,
    body="слънце 😀 ␀",
    service="sun",
    outcome="code_issued",
)
_MT = MtRow(
    id="mt_1",
    mo="mo_1",
    node="left",
    link="north",
    source="1234",
    source_ton=3,
    source_npi=1,
    destination="359881234567",
    dest_ton=1,
    dest_npi=1,
    esm_class=0x40,
    data_coding=8,
    sealed=bytes(range(256)),
    key_id="k1",
    registered=1,
    part=1,
    parts=2,
    created_ms=1_000,
    expires_ms=9_000,
    not_before_ms=1_000,
    tries=0,
)
_CODE = CodeRow(
    id="code_1",
    service="sun",
    mo="mo_1",
    link="north",
    msisdn="359881234567",
    lookup="l1",
    sealed=b"\0\xff",
    key_id="k1",
    policy=POLICY,
    issued_ms=1_000,
)
_ATTEMPT = Attempt(
    id="att_1",
    service="sun",
    code="code_1",
    at_ms=1_000,
    visitor="192.0.2.1",
    outcome="success",
    redemption="red_1",
    channel="redirect",
    reason=None,
    state="слънце",
    uses_left=2,
    valid_until_ms=9_000,
    latency_ms=3,
)
_RECEIPT = ReceiptRow(
    id="rcpt_1",
    link="north",
    session="ses_1",
    received_ms=1_000,
    message_id="7",
    state="DELIVRD",
    error="000",
    done_ms=900,
    event="deliver",
    payload=b"id:7 stat:DELIVRD",
    tlvs=b"",
    mt=None,
)
_EVENT = Event(
    id="evt_1",
    service="sun",
    type="code.issued",
    subject="code_1",
    place=0,
    body='{"type":"code.issued","data":{}}',
    at_ms=1_000,
)
_SESSION = SessionRow(id="ses_1", link="north", node="left", bound_ms=1_000, proven="mo_0")


def mo(name: str, **changes: Any) -> MoRow:
    return structs.replace(_MO, id=name, **changes)


def part(name: str, number: int, **changes: Any) -> MoRow:
    given = {"part_key": "k", "part_number": number, "part_total": 3, "status": "part", "body": None, "service": None}
    return mo(name, **(given | {"outcome": None} | changes))


def mt(name: str, **changes: Any) -> MtRow:
    return structs.replace(_MT, id=name, **changes)


def code(name: str, **changes: Any) -> CodeRow:
    return structs.replace(_CODE, id=name, **({"lookup": f"lookup of {name}"} | changes))


def attempt(name: str, **changes: Any) -> Attempt:
    return structs.replace(_ATTEMPT, id=name, **changes)


def receipt(name: str, **changes: Any) -> ReceiptRow:
    return structs.replace(_RECEIPT, id=name, **changes)


def session(name: str, **changes: Any) -> SessionRow:
    return structs.replace(_SESSION, id=name, **changes)


def event(name: str, **changes: Any) -> Event:
    return structs.replace(_EVENT, id=name, **changes)
