"""Asks merchants before money is taken: may this payment go on? Two seconds, then the merchant's default decides.

One signed POST, which is not repeated. Whoever cannot be asked in time is not lost: the payment's own time is over a
moment later, and the default counts (charging.py).
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from smsgw.errors import SmsgwError
from smsgw.flows.payments import events
from smsgw.flows.payments.charging import AUTHORIZE_MS
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.hands import Hands
from smsgw.flows.ports import Catalog, Consultant, Heard, Letter, Ports
from smsgw.kit.logs import get_logger
from smsgw.store.payments import PaymentRow

log = get_logger(__name__)

PARALLEL: Final = 200  # questions at a time, to all merchants
PARALLEL_OF_ONE: Final = 50  # of one merchant, so that a slow one leaves room
_AGAIN_S: Final = 0.25  # pause while the store cannot write
_TRIES: Final = 8  # then the clock decides
_OK: Final = 200


class _Answer(Struct, frozen=True):
    allow: bool


_answer = msgspec.json.Decoder(_Answer)


class Authorizer:
    """Asks, and tells the payments what was answered.

    Args:
        ports: the world.
        catalog: merchants.
        payments: go on by the answer.
        consultant: the way out.
        secrets_of: a merchant's secrets, with which questions are signed.
    """

    def __init__(
        self,
        ports: Ports,
        catalog: Catalog,
        payments: Payments,
        consultant: Consultant,
        secrets_of: Callable[[str], list[bytes]],
    ) -> None:
        self._ports = ports
        self._catalog = catalog
        self._payments = payments
        self._consultant = consultant
        self._secrets_of = secrets_of
        self._all = 0
        self.hands = Hands(PARALLEL_OF_ONE)

    def hear(self, effects: Effects) -> None:
        """Begin to ask about payments that have just been confirmed."""
        for payment in effects.authorize:
            row = effects.changed[payment]
            if self._all >= PARALLEL or not self.hands.free(row.merchant):
                log.warning("authorize.not_asked", payment=payment, merchant=row.merchant)
                continue
            self._all += 1
            self.hands.begin(row.merchant, f"authorize {payment}", self._ask(row))

    async def _ask(self, row: PaymentRow) -> None:
        try:
            answer = await self._answered(row)
            for _ in range(_TRIES):
                try:
                    await self._payments.authorized(row.id, answer)
                except SmsgwError as error:
                    if not error.retry:
                        raise
                    await asyncio.sleep(_AGAIN_S)
                else:
                    return
        finally:
            self._all -= 1

    async def _answered(self, row: PaymentRow) -> bool | None:
        """Return the merchant's answer; None: there is none that could be understood."""
        merchant = self._catalog.merchants.get(row.merchant)
        secrets = self._secrets_of(row.merchant)
        if merchant is None or not secrets:
            log.error("authorize.no_secret", payment=row.id, merchant=row.merchant)
            return None
        now_ms = self._ports.clock.now_ms()
        letter = Letter(
            url=merchant.settings.authorize_url,
            id=self._ports.ids.new("evt"),
            timestamp_s=now_ms // 1000,
            body=events.question(row, now_ms),
            secrets=secrets,
        )
        try:
            heard = await self._consultant.consult(letter, AUTHORIZE_MS / 1000)
        except Exception as error:  # whatever it is: the default counts
            log.error("authorize.failed_inside", payment=row.id, merchant=row.merchant, exc_info=error)
            return None
        answer = _read(heard)
        told = {"payment": row.id, "merchant": row.merchant, "http_status": heard.http_status}
        if answer is None:
            log.warning("authorize.no_answer", **told, error=heard.error or "not the answer that was asked for")
        else:
            log.info("authorize.answered", **told, allow=answer)
        return answer

    async def close(self) -> None:
        """End; who has not answered by now is not waited for."""
        await self.hands.close(0.0)


def _read(heard: Heard) -> bool | None:
    if heard.http_status != _OK:
        return None
    try:
        return _answer.decode(heard.body).allow
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
