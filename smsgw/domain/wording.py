"""What buyers are told by SMS about their payments, in their languages; merchants may have words of their own."""

from enum import StrEnum


class Say(StrEnum):
    """One kind of message."""

    PROMPT = "prompt"  # {product} {price} {merchant} {support} {yes}: the question
    CHARGE = "charge"  # {product} {price} {merchant} {support} {reference}: text of the billed message, one SMS
    RECEIPT = "receipt"  # the same, free, after a success
    DECLINED = "declined"  # {product} {merchant}: NO was taken
    TOO_LATE = "too_late"  # {product} {merchant}: nothing was charged
    WHICH = "which"  # {yes}: several questions are open; answer with the reference ({yes} has an example)
    PLAINLY = "plainly"  # {yes} {no}: the answer was not plain
    AGAIN = "again"  # {yes}: two questions crossed; answer once more
    NOTHING = "nothing"  # nothing waits for an answer
    REFUSED = "refused"  # {product} {merchant} {support}: confirmed, but not charged
    STOPPED = "stopped"  # {merchant}: no more questions; START brings them back
    STARTED = "started"  # {merchant}
    HELP = "help"  # {merchant} {product} {price} {support}
    HELP_NOTHING = "help_nothing"  # nothing is open
