"""Payments as far as they are the caller's; everything else is not found."""

from smsgw.flows.payments.desk import Payments, Story
from smsgw.flows.payments.whose import Whose
from smsgw.store.payments import PaymentRow
from smsgw.web.api.operations import Call, Caller
from smsgw.web.api.problem import Fault


def whose(caller: Caller) -> Whose:
    """Return which payments a caller may see."""
    return Whose(merchants=caller.names, test=caller.key.test)


async def own(payments: Payments, call: Call) -> PaymentRow:
    """Return the payment that a request names.

    Raises:
        Fault: it is not the caller's.
    """
    row = await payments.get(call.request.match_info["id"], whose(call.caller))
    if row is None:
        raise _unknown()
    return row


async def story_of(payments: Payments, call: Call) -> Story:
    """Return the payment that a request names, with everything that is known about it.

    Raises:
        Fault: it is not the caller's.
    """
    story = await payments.story(call.request.match_info["id"], whose(call.caller))
    if story is None:
        raise _unknown()
    return story


def _unknown() -> Fault:
    return Fault("not_found", "there is no such payment of a merchant of yours")
