"""The simulated operator inside the daemon, for the payments of test keys: real SMPP, phones by magic numbers.

It listens on 127.0.0.1 with a password that nobody knows, forgets what is old, and takes its time as operators do.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final

from smsgw.domain.sandbox import NAME, SERVICE_TYPE
from smsgw.kit.clock import Clock
from smsgw.kit.passwords import Secret
from smsgw.simulator.billing import Billing, Rate
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.subscribers import Pace, Subscribers
from smsgw.smpp import status

KEPT: Final = 10_000  # lines of its ledger
_WAITING: Final = 10_000  # messages of its phones
_PASSWORD_OCTETS: Final = 6  # 8 characters, the most that SMPP carries (3.4 §5.2.2)
_RECEIPT_MS: Final = 1_000
PACE: Final = Pace(answer_ms=1_000, response_ms=100)
_REFUSAL: Final = status.ESME_RINVDSTADR  # definite also where money is concerned, which "submit failed" is not
_PER_MS: Final = 16  # message ids of two lives of the daemon must not meet: they begin at the time, in sixteenths


class Sandbox:
    """The SMSC, its till and its phones.

    Args:
        clock: for receipts and timeouts.
        random_bytes: from a cryptographic generator.
        pace: how long things take.
    """

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes], pace: Pace = PACE) -> None:
        self.password = Secret(urlsafe_b64encode(random_bytes(_PASSWORD_OCTETS)).decode())
        # What is billed costs whatever the payment says; the till counts pieces (XTS is ISO 4217's code for tests).
        rate = Rate(way="mt", service_type=SERVICE_TYPE, amount_minor=1, currency="XTS")
        self.billing = Billing([rate], keep=KEPT)
        self._smsc = Smsc(
            SmscSettings(
                system_id=NAME,
                password=self.password.reveal(),
                first_message_id=clock.now_ms() * _PER_MS,
                max_waiting=_WAITING,
                receipt_delay_ms=_RECEIPT_MS,
                max_connections=8,
            ),
            clock=clock,
            billing=self.billing,
            subscribers=Subscribers(pace, refusal=_REFUSAL),
        )

    async def start(self) -> int:
        """Listen; return the port.

        Raises:
            StartError: nothing can listen on 127.0.0.1.
        """
        return await self._smsc.start()

    async def stop(self) -> None:
        """Close; what its phones wanted to say is forgotten."""
        await self._smsc.stop()
