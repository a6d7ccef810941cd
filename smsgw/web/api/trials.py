"""What the phones of a test key do, by the last four digits of their numbers, as a merchant sees it: for /docs."""

from typing import Final

from msgspec import Struct


class Trial(Struct, frozen=True, kw_only=True):
    """One kind of phone at the simulated operator (simulator/subscribers.py has all of them)."""

    digits: str
    does: str
    events: tuple[str, ...]  # what is posted of it once the question is out, in this order
    reason: str = ""  # of a failure


TRIALS: Final = (
    Trial(digits="9000", does="answers YES, and is charged", events=("confirmed", "succeeded")),
    Trial(digits="9001", does="answers NO", events=("declined",)),
    Trial(digits="9002", does="answers STOP: it is asked no more (`number_blocked`)", events=("declined",)),
    Trial(digits="9005", does="does not answer", events=("expired",)),
    Trial(digits="9004", does="answers nothing that counts (maybe yes)", events=("expired",)),
    Trial(digits="9006", does="answers YES twice, and is charged once", events=("confirmed", "succeeded")),
    Trial(digits="9008", does="cannot be asked", events=("failed",), reason="prompt_refused"),
    Trial(digits="9009", does="answers HELP, then YES", events=("confirmed", "succeeded")),
    Trial(digits="9100", does="YES; not charged", events=("confirmed", "failed"), reason="operator_refused"),
    Trial(digits="9107", does="YES; lacks credit", events=("confirmed", "failed"), reason="operator_not_charged"),
    Trial(digits="9108", does="YES; has credit some seconds later", events=("confirmed", "succeeded")),
    Trial(
        digits="9103",
        does="YES; the operator says only seconds later that it was charged",
        events=("confirmed", "charge_unknown", "succeeded"),
    ),
    Trial(
        digits="9102",
        does="YES; nobody says whether it was charged, until our staff find out",
        events=("confirmed", "charge_unknown"),
    ),
    Trial(
        digits="9109",
        does="YES; is said not to be charged, and was",
        events=("confirmed", "failed", "discrepancy"),
        reason="operator_not_charged",
    ),
)
