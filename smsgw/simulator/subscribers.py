"""Phones that behave by their numbers: what each answers to a prompt, and what becomes of it when it is charged.

The last four digits of an MSISDN are looked up in ``MAGIC``, the one table of all cases. A prompt is what ``read``
takes for one; by default a message that quotes a word for yes and says how much. No I/O here, and no clock: a fate
depends on the number, and on how often it was tried.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct

from smsgw.kit.limits import TokenBucket
from smsgw.simulator.prompts import Reply, quoted
from smsgw.simulator.receipts import ENROUTE
from smsgw.simulator.submissions import SubmittedMessage
from smsgw.simulator.treatment import AS_EVER, Report, Treatment
from smsgw.smpp import status

DIGITS: Final = 4  # of an MSISDN, the last ones
LACK_OF_CREDIT: Final = "051"  # err of a receipt: not enough money, and that is the end
RETRIED: Final = "052"  # err: not enough money, and the operator will try again
_MOST_PHONES: Final = 100_000  # that are remembered; the oldest is forgotten
_ANSWERS_PER_S, _ANSWERS_AT_ONCE = 0.1, 20  # of one phone: two machines that answer each other shall not for ever
_THROTTLED: Final = (status.ESME_RTHROTTLED,) * 2


class Pace(Struct, frozen=True, kw_only=True):
    """How long things take, in milliseconds."""

    answer_ms: int = 0  # from a prompt to its answer
    late_answer_ms: int = 3_600_000  # the same, when the payment should have expired
    response_ms: int = 0  # from each submit_sm, and each request to the API, to its response
    late_response_ms: int = 120_000  # the same, when the gateway should have given up waiting
    lead_ms: int = 200  # by which a receipt overtakes its response
    credit_ms: int = 5_000  # until a phone that lacked credit has some
    late_receipt_ms: int = 7_200_000  # from the submission to a receipt that nobody expects any more
    pending_ms: int = 2_000  # until the API knows what became of a payment


Word = Literal["yes", "no", "stop", "help", "garbage"]
Read = Callable[[str], Reply | str | None]
"""Returns what can be answered to a text, or only its yes; None: it is no prompt."""

Response = Literal["soon", "late", "never", "broken", "after the receipt"]
Said = Literal["as all", "none", "twice", "late", "lack of credit", "retried", "retried, as failed"]
Api = Literal[
    "charged",
    "refused",
    "throttled twice",
    "lost",  # charged, and the connection breaks instead of the answer
    "lost before",  # the same, and not charged
    "late",
    "error before",  # 500, not charged
    "error after",  # 500, charged
    "pending, charged",
    "pending, refused",
    "pending for ever",
    "pending for ever, charged",
]


class Behaviour(Struct, frozen=True, kw_only=True):
    """One row of the table: a phone and the operator's machines behind it."""

    about: str
    answers: tuple[Word, ...] = ("yes",)
    late: bool = False  # the answers come late
    prompt_refused: bool = False
    refused: bool = False  # every charge is, definitely
    throttles: tuple[int, ...] = ()  # command_status of so many tries, in turn; the next one is taken
    taken: bool = True  # False: the charge is lost in the SMSC
    status: int = 0  # of the response to a charge that is taken
    response: Response = "soon"
    receipts: Said = "as all"
    money: bool = True  # whether it is taken in the end
    api: Api = "charged"
    refundable: bool = True  # whether the API gives the money back


# One row for each case, by the last digits of the MSISDN. 90xx: what the phone answers. 91xx: it says yes at once, and
# the charge goes wrong: by SMPP as told before the semicolon, by the operator's API as told after it. Where the
# response is the operator's proof, whatever it takes is charged then, and the receipts change nothing. Where the YES
# itself costs money, 9100 cannot send it, and the others pay when it is acknowledged.
MAGIC: Final[Mapping[str, Behaviour]] = {
    "9000": Behaviour(about="YES at once, charged"),
    "9001": Behaviour(about="NO", answers=("no",)),
    "9002": Behaviour(about="STOP", answers=("stop",)),
    "9003": Behaviour(about="HELP", answers=("help",)),
    "9004": Behaviour(about="garbage: maybe yes", answers=("garbage",)),
    "9005": Behaviour(about="no answer", answers=()),
    "9006": Behaviour(about="YES twice", answers=("yes", "yes")),
    "9007": Behaviour(about="YES late", late=True),
    "9008": Behaviour(about="the prompt is refused", answers=(), prompt_refused=True),
    "9009": Behaviour(about="HELP, then YES", answers=("help", "yes")),
    "9010": Behaviour(about="YES, then NO", answers=("yes", "no")),
    "9100": Behaviour(about="refused for good; refused", refused=True, money=False, api="refused"),
    "9101": Behaviour(about="throttled twice, then fine; 429 twice", throttles=_THROTTLED, api="throttled twice"),
    "9102": Behaviour(
        about="no response, charged, no receipt; connection lost, charged",
        response="never",
        receipts="none",
        api="lost",
    ),
    "9103": Behaviour(about="no response, charged, receipt; as 9102", response="never", api="lost"),
    "9104": Behaviour(
        about="no response, not charged; connection lost, not charged",
        taken=False,
        response="never",
        money=False,
        api="lost before",
    ),
    "9105": Behaviour(about="connection breaks, charged; as 9102", response="broken", api="lost"),
    "9106": Behaviour(about="late response, charged; late answer, charged", response="late", api="late"),
    "9107": Behaviour(
        about="receipt: lack of credit; pending, then refused",
        receipts="lack of credit",
        money=False,
        api="pending, refused",
    ),
    "9108": Behaviour(
        about="receipts: lack of credit will retry (ENROUTE), then delivered; pending, then charged",
        receipts="retried",
        api="pending, charged",
    ),
    "9109": Behaviour(
        about="the same, with UNDELIV as the state of the first; as 9108",
        receipts="retried, as failed",
        api="pending, charged",
    ),
    "9110": Behaviour(
        about="receipt never comes, charged; pending for ever, charged",
        receipts="none",
        api="pending for ever, charged",
    ),
    "9111": Behaviour(
        about="receipt never comes, not charged; pending for ever, not charged",
        receipts="none",
        money=False,
        api="pending for ever",
    ),
    "9112": Behaviour(about="receipt before the response; charged", response="after the receipt"),
    "9113": Behaviour(about="receipt twice; charged", receipts="twice"),
    "9114": Behaviour(about="receipt when nobody expects it any more, charged; charged", receipts="late"),
    "9115": Behaviour(
        about="system error once, not charged, then fine; 500, not charged, then fine",
        throttles=(status.ESME_RSYSERR,),
        api="error before",
    ),
    "9116": Behaviour(
        about="system error, charged, no receipt; 500, charged",
        status=status.ESME_RSYSERR,
        receipts="none",
        api="error after",
    ),
    "9117": Behaviour(about="charged; charged, and refunds are refused", refundable=False),
}
BY_HAND: Final = Behaviour(about="somebody answers by hand, or nobody; charged", answers=())


class Answer(Struct, frozen=True, kw_only=True):
    """One message that a phone sends back."""

    text: str
    after_ms: int
    unpaid: bool = False  # the phone has no credit: where the message costs money, it is not sent


class Subscribers:
    """All phones.

    Args:
        pace: how long things take.
        read: tells prompts from other texts, and what can be answered to them.
        refusal: command_status of a definite refusal, of prompts and of charges.
        otherwise: how phones behave whose number is not in the table.
        magic: the table.
    """

    def __init__(
        self,
        pace: Pace | None = None,
        *,
        read: Read | None = None,
        refusal: int = status.ESME_RSUBMITFAIL,
        otherwise: Behaviour = BY_HAND,
        magic: Mapping[str, Behaviour] = MAGIC,
    ) -> None:
        self.pace = pace or Pace()
        self._read = read or quoted
        self._refusal = refusal
        self._otherwise = otherwise
        self._magic = magic
        self._tries: OrderedDict[str, int] = OrderedDict()
        self._patience: OrderedDict[str, TokenBucket] = OrderedDict()

    def behaviour_of(self, msisdn: str) -> Behaviour:
        """Return how a phone behaves."""
        return self._magic.get(msisdn[-DIGITS:], self._otherwise)

    def next_try(self, msisdn: str, most: int) -> int:
        """Count a charge: return how many there were before it, 0 to ``most``; after that it begins again."""
        before = self._tries.pop(msisdn, 0)
        if before < most:
            self._tries[msisdn] = before + 1
            _limit(self._tries)
        return before

    def is_final(self, command_status: int) -> bool:
        """Whether it is the definite refusal."""
        return command_status == self._refusal

    # What phones answer

    def answers(self, message: SubmittedMessage, now_ms: int) -> tuple[Answer, ...]:
        """Return what a phone answers to a message that cost nothing; now on the monotonic clock."""
        behaviour = self.behaviour_of(message.destination)
        reply = self._read(message.text) if message.text and behaviour.answers else None
        if reply is None or not self._is_willing(message.destination, now_ms):
            return ()
        if isinstance(reply, str):
            reply = Reply(yes=reply)
        after_ms = self.pace.late_answer_ms if behaviour.late else self.pace.answer_ms
        return tuple(
            Answer(text=getattr(reply, word), after_ms=after_ms, unpaid=behaviour.refused) for word in behaviour.answers
        )

    def _is_willing(self, msisdn: str, now_ms: int) -> bool:
        bucket = self._patience.get(msisdn)
        if bucket is None:
            bucket = self._patience[msisdn] = TokenBucket(_ANSWERS_PER_S, _ANSWERS_AT_ONCE)
            _limit(self._patience)
        return bucket.take(1, now_ms)

    # What becomes of what is sent to them

    def treat(self, msisdn: str, *, billed: bool) -> Treatment:
        """Return what is special about a message to a phone; call it once for each submit_sm."""
        behaviour, soon_ms = self.behaviour_of(msisdn), self.pace.response_ms
        if not billed:
            refusal = self._refusal if behaviour.prompt_refused else 0
            return Treatment(refusal=refusal, answer_after_ms=soon_ms) if refusal or soon_ms else AS_EVER
        refusal = self._refusal if behaviour.refused else self._throttle(msisdn, behaviour)
        if refusal:
            return Treatment(refusal=refusal)
        ends_after_ms, reports = self._receipts(behaviour)
        return Treatment(
            taken=behaviour.taken,
            status=behaviour.status,
            answer_after_ms=self._answer_after_ms(behaviour),
            breaks=behaviour.response == "broken",
            state="" if behaviour.money else "UNDELIV",
            ends_after_ms=ends_after_ms,
            reports=reports,
        )

    def _throttle(self, msisdn: str, behaviour: Behaviour) -> int:
        if not behaviour.throttles:
            return 0
        before = self.next_try(msisdn, len(behaviour.throttles))
        return behaviour.throttles[before] if before < len(behaviour.throttles) else 0

    def _answer_after_ms(self, behaviour: Behaviour) -> int | None:
        delays: dict[Response, int | None] = {
            "late": self.pace.late_response_ms,
            "never": None,
            "after the receipt": self.pace.lead_ms,
        }
        return delays.get(behaviour.response, self.pace.response_ms)

    def _receipts(self, behaviour: Behaviour) -> tuple[int | None, tuple[Report, ...] | None]:
        """Return when a charge ends, and its receipts; None where it is as with all messages."""
        pace, at_once = self.pace, Report(after_ms=0)
        if behaviour.response == "after the receipt":
            return 0, (at_once,)
        plans: dict[Said, tuple[int | None, tuple[Report, ...] | None]] = {
            "as all": (None, None),
            "none": (None, ()),
            "twice": (0, (at_once, at_once)),
            "late": (pace.late_receipt_ms, (Report(after_ms=pace.late_receipt_ms),)),
            "lack of credit": (0, (Report(after_ms=0, error=LACK_OF_CREDIT),)),
            "retried": (pace.credit_ms, self._retried(ENROUTE)),
            "retried, as failed": (pace.credit_ms, self._retried("UNDELIV")),
        }
        return plans[behaviour.receipts]

    def _retried(self, state: str) -> tuple[Report, ...]:
        first = Report(after_ms=0, state=state, error=RETRIED)
        return (first, Report(after_ms=self.pace.credit_ms))


def _limit(remembered: OrderedDict[str, int] | OrderedDict[str, TokenBucket]) -> None:
    if len(remembered) > _MOST_PHONES:
        remembered.popitem(last=False)
