"""Delivered again, or sent twice? SMPP has no reliable id of a message, so this is decided here, and only here.

Where the operator sends an id of its own, it decides. Otherwise a message repeats an earlier one of equal link,
addresses and content only if the acknowledgement of that one may not have arrived. Those are the *doubted* ones:
answered too late, answered with an error although they may be stored, or unproven when their session ended. One for
one: each doubt absorbs one redelivery. A redelivery is in its turn a message whose acknowledgement may not arrive.
Two equal messages in one window of a healthy session are two purchases.

Where several nodes share a database, an equal message may be unproven in a session that is open on another node. That
session may be healthy, or its connection may have broken a moment ago: nobody here can know. Such a message is neither
bought nor a repetition yet; the operator is asked to deliver it again.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct


class Candidate(Struct, frozen=True, kw_only=True):
    """A message that has just come, as far as this decision needs it."""

    id: str
    fingerprint: str
    operator_id: str | None
    arrived_ms: int  # monotonic
    smsc_timer_ms: int  # how long the SMSC waits for our response before it delivers again


class Repeats(Struct, frozen=True, kw_only=True):
    """What was found."""

    of: dict[str, str]  # {id: the id that it repeats}; of several deliveries all repeat the first
    absorbed: list[str]  # doubts that are over
    undecided: frozenset[str] = frozenset()  # ids of those that cannot be decided yet


def find(
    candidates: Iterable[Candidate],
    *,
    doubted: Mapping[str, list[str]],
    by_operator_id: Mapping[str, str],
    elsewhere: Collection[str] = (),
) -> Repeats:
    """Decide for each message, in order of arrival, whether it repeats an earlier one.

    Args:
        candidates: messages that wait for their transaction together, none of them answered.
        doubted: {fingerprint: ids, oldest first} of stored messages.
        by_operator_id: {operator's id: id} of stored messages.
        elsewhere: fingerprints of messages that are unproven in open sessions of other nodes.
    """
    of: dict[str, str] = {}
    absorbed: list[str] = []
    undecided: set[str] = set()
    doubts = {fingerprint: list(ids) for fingerprint, ids in doubted.items()}
    given = dict(by_operator_id)
    unanswered: dict[str, list[Candidate]] = {}
    for one in candidates:
        if one.operator_id is not None:
            original = given.setdefault(one.operator_id, one.id)
            if original != one.id:
                of[one.id] = original
        else:
            earlier = unanswered.setdefault(one.fingerprint, [])
            if waiting := doubts.get(one.fingerprint):
                of[one.id] = waiting.pop(0)
                absorbed.append(of[one.id])
            elif earlier and one.arrived_ms - earlier[0].arrived_ms >= one.smsc_timer_ms:
                first = earlier.pop(0).id
                of[one.id] = of.get(first, first)
            elif one.fingerprint in elsewhere:
                undecided.add(one.id)
                continue
            earlier.append(one)
    return Repeats(of=of, absorbed=absorbed, undecided=frozenset(undecided))
