"""The rows of the table: what is said where."""

from msgspec import Struct


class Words(Struct, frozen=True, kw_only=True):
    """Everything that the checkout says in one language."""

    name: str  # of the language, in itself
    languages: str  # label of the switch
    error: str  # before the page's title, when something is wrong
    test: str  # nothing is charged for real

    # The form
    choose: str  # heading of the goods
    choose_first: str  # nothing was chosen
    start: str  # "from {price}"
    chosen: str  # label of what was chosen
    change: str  # to choose something else
    number: str  # heading and label of the field
    number_hint: str  # {example}
    how: str  # what will happen: an SMS with a question, paid by the phone account
    remember: str  # checkbox
    pay: str  # button
    pay_with: str  # "Pay with {number}"
    pay_with_hint: str  # the number that was used last time
    other: str  # button: another number
    forget: str  # button: forget the number
    forgotten: str
    help: str  # "Questions? {support}"
    back: str  # "Back to {merchant}"
    waiting: str  # a payment of this browser waits
    see: str  # link to it

    # Why a payment could not be begun
    number_missing: str
    number_invalid: str  # {example}
    number_ambiguous: str  # {example}
    operator_unknown: str
    operator_not_supported: str
    number_blocked: str  # {address}
    too_many_prompts: str
    confirmation_open: str
    order_open: str
    order_paid: str
    reference_used: str
    product_unknown: str
    slow_down: str
    busy: str
    form_expired: str
    closed_title: str  # the merchant does not let anybody begin here
    closed: str
    trouble_title: str  # the page cannot be shown now
    trouble: str
    nothing_title: str
    nothing: str

    # The payment's page
    sending_title: str
    sending: str  # {number}
    answer_title: str  # "Answer {word} on your phone"
    answer: str  # {number} {short_code}: an SMS came from there
    answer_costs: str  # the answer itself costs {price}
    no_other: str  # "To decline, answer {no}"
    open_messages: str  # link that opens the phone's messages
    left: str  # "Time left"
    about: str  # "About {time} left" where no script counts
    charging_title: str
    charging: str
    unknown_title: str
    unknown: str
    paid_title: str
    paid: str  # {merchant}
    declined_title: str
    declined: str
    expired_title: str
    expired: str
    canceled_title: str
    canceled: str
    failed_title: str
    nothing_charged: str
    taken_after_all: str  # {merchant}: a charge was proven after the payment's end
    refunded: str  # {amount}
    failed: dict[str, str]  # by reason; "" for all others

    product: str
    amount: str
    to: str  # the merchant
    phone: str
    operator: str
    short_code: str
    receipt: str  # label of the payment's reference

    cancel: str
    again: str
    look: str  # link: look again, without script
    returning: str  # "Back to {merchant} in {seconds} s"; script fills it in
    stay: str
    offline: str  # the live connection is gone; it tries again
