"""Where the SMSC's messages meet money and phones: what is charged when, which fate a phone has, what phones answer.

Without a till and without phones it changes nothing.
"""

from smsgw.kit.clock import Clock
from smsgw.simulator.billing import Billing
from smsgw.simulator.submissions import SubmittedMessage
from smsgw.simulator.subscribers import Answer, Subscribers
from smsgw.simulator.treatment import AS_EVER, Treatment
from smsgw.smpp.pdus import DataSm, DeliverSm, SubmitSm


class Commerce:
    """The till and the phones of one SMSC.

    Args:
        billing: takes money for what its price list says; None: nothing costs anything.
        subscribers: phones that answer, and have their own fate when they are charged; None: nobody answers.
        clock: the wall clock stamps the ledger.
    """

    def __init__(self, billing: Billing | None, subscribers: Subscribers | None, clock: Clock) -> None:
        self.billing = billing
        self.subscribers = subscribers
        self._clock = clock

    def is_billed(self, message: SubmitSm | DataSm | SubmittedMessage) -> bool:
        """Whether a message of the gateway costs money."""
        if self.billing is None:
            return False
        source = message.source if isinstance(message, SubmittedMessage) else message.source_addr
        return self.billing.rate_of(source, message.service_type, message.tlvs) is not None

    def treat(self, request: SubmitSm | DataSm) -> Treatment:
        """Return the fate that a phone has in store for a message; a definite refusal goes to the ledger."""
        if self.subscribers is None:
            return AS_EVER
        treatment = self.subscribers.treat(request.destination_addr, billed=self.is_billed(request))
        if self.billing is not None and self.subscribers.is_final(treatment.refusal):
            self.billing.refused(request, self._clock.now_ms())
        return treatment

    def accepted(self, request: SubmitSm | DataSm, message_id: str) -> bool:
        """A message was taken; False: it costs nothing."""
        if self.billing is None or not self.is_billed(request):
            return False
        self.billing.accepted(request, message_id, self._clock.now_ms())
        return True

    def ended(self, message_id: str, state: str) -> None:
        """A billed message has its end; only the first word about that counts."""
        if self.billing is not None:
            self.billing.ended(message_id, state, self._clock.now_ms())

    def acknowledged(self, pdu: DeliverSm | DataSm) -> None:
        """The gateway has taken a subscriber's message."""
        if self.billing is not None:
            self.billing.acknowledged(pdu, self._clock.now_ms())

    def answers(self, message: SubmittedMessage) -> list[Answer]:
        """Return what a phone answers to a message, without what it cannot pay for: the operator keeps that."""
        if self.subscribers is None or self.is_billed(message):
            return []
        found = self.subscribers.answers(message, self._clock.monotonic_ms())
        return [answer for answer in found if not (answer.unpaid and self._keeps(message, answer))]

    def _keeps(self, message: SubmittedMessage, answer: Answer) -> bool:
        if self.billing is None:
            return False
        return self.billing.undelivered(message.destination, message.source, answer.text, self._clock.now_ms())
