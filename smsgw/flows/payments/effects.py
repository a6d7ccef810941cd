"""What a transaction about payments leaves to be done after its commit."""

from msgspec import Struct

from smsgw.flows.outgoing import Outgoing
from smsgw.store.payments import PaymentRow


class Effects(Struct, frozen=True, kw_only=True):
    """Collected while the transaction runs; nothing of it may be done before the commit."""

    outgoing: list[Outgoing]  # free messages, for the senders
    billed: list[Outgoing]  # billed ones, for the cashier
    again: list[tuple[str, str, int]]  # attempts that were put off: link, attempt, not before (wall clock)
    direct: list[str]  # payments that an operator's HTTP API is to charge
    authorize: list[str]  # payments about which the merchant is asked first
    refunds: list[str]  # refunds that the operator is to be told of
    hooked: set[str]  # merchants who are told something
    changed: dict[str, PaymentRow]  # payments that are not as before
    stories: list[tuple[str, dict[str, object]]]  # for the log: event, keys


def nothing() -> Effects:
    """Return effects to be filled."""
    return Effects(
        outgoing=[], billed=[], again=[], direct=[], authorize=[], refunds=[], hooked=set(), changed={}, stories=[]
    )


def is_empty(effects: Effects) -> bool:
    """Whether there is nothing to be done."""
    return not (effects.changed or effects.outgoing)
