"""The clocks of a bound session: when to ask a silent peer, when it is gone, and when a bind has become useless.

Three questions are asked with enquire_link (SMPP 3.4 §2.7.2, §7.2):

- Is anybody there? After an interval of silence. Who says nothing for the time of an answer, an interval at most, is
  gone: a dead peer is noticed within two intervals, however long its answers to messages may take. One that says
  anything else meanwhile is busy, not dead, and is asked again.
- Have our answers arrived? Soon after an answer that no request of ours will prove otherwise.
- Is this bind good for anything? After a time without messages (enquire_link is none) it is ended, if so wanted: what
  stands between us and the SMSC may have forgotten half of it.
"""

from typing import Final

PROOF_MS: Final = 1_000  # for a request of ours that proves our answers, before we ask for nothing but that


class Pulse:
    """What was heard and said when.

    Args:
        interval_ms: of silence, before the peer is asked; 0 = never.
        answer_ms: that an answer may take.
        inactivity_ms: without messages, after which the session is useless; 0 = never.
        now_ms: when the session began.
    """

    __slots__ = (
        "_answer_ms",
        "_inactivity_ms",
        "_interval_ms",
        "_number",
        "asked_ms",
        "heard_ms",
        "moved_ms",
        "unproven_ms",
    )

    def __init__(self, interval_ms: int, answer_ms: int, inactivity_ms: int, now_ms: int) -> None:
        self._interval_ms = interval_ms
        self._answer_ms = min(interval_ms, answer_ms)
        self._inactivity_ms = inactivity_ms
        self._number = 0  # of the latest question
        self.asked_ms: int | None = None  # since when a question waits for its answer
        self.heard_ms = now_ms  # the last whole PDU: half a PDU and then nothing is silence
        self.moved_ms = now_ms  # the last message, or answer to one, in either direction
        self.unproven_ms: int | None = None  # since when there are answers that no request of ours will prove

    def question_ms(self) -> int | None:
        """Return when to ask; None for not now."""
        if not self._interval_ms or self.asked_ms is not None:
            return None
        silence_ms = self.heard_ms + self._interval_ms
        if self.unproven_ms is None:
            return silence_ms
        return min(silence_ms, self.unproven_ms + min(self._interval_ms, PROOF_MS))

    def verdict_ms(self) -> int | None:
        """Return when the peer must have answered; None when nothing was asked."""
        return None if self.asked_ms is None else self.asked_ms + self._answer_ms

    def useless_ms(self) -> int | None:
        """Return when a session without messages is to be ended; None for never."""
        return self.moved_ms + self._inactivity_ms if self._inactivity_ms else None

    def asked(self, number: int, now_ms: int) -> None:
        """Note that the question of this number was sent."""
        self._number = number
        self.asked_ms = now_ms

    def answered(self, number: int) -> None:
        """Note the answer to a question, be it the latest or one before it."""
        if number == self._number:
            self.asked_ms = None

    def gone(self) -> bool:
        """At the time of the verdict: whether nothing was heard since the question; if not, it may be asked again."""
        if self.asked_ms is not None and self.heard_ms <= self.asked_ms:
            return True
        self.asked_ms = None
        return False
