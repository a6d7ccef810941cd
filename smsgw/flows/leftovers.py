"""Queued messages that nobody sends: expired, left by a node that is gone, or of a link that is in no settings.

Out of the store they are read page by page, a few pages at each sweep, round after round, however many wait.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from smsgw.flows.ports import Ports
from smsgw.kit.logs import get_logger
from smsgw.settings import LinkSettings
from smsgw.store import mts
from smsgw.store.mts import Claimed, Expired, Waiting

log = get_logger(__name__)

_PAGE: Final = 1_000
_PAGES: Final = 5  # at each sweep
_GRACE_MS: Final = 60_000  # beside the response timeout: what was sent in time and is answered late is not expired


class Leftovers:
    """Walks through the queue in the store.

    Args:
        ports: the world.
        links: those that this node has.
    """

    def __init__(self, ports: Ports, links: Mapping[str, LinkSettings]) -> None:
        self._ports = ports
        self._links = links
        self._grace_ms = _GRACE_MS + int(max((one.response_timeout_s for one in links.values()), default=0) * 1000)
        self._at = ("", "")  # link and id of the last message that was looked at
        self._strange: Counter[str] = Counter()  # {link that we do not have: its messages}, of this round so far
        self._told: frozenset[str] = frozenset()  # of the last round

    async def sweep(self) -> int:
        """Look at the next pages: expire what is too old, claim what a dead node left for our links.

        Returns:
            How many messages were claimed; they wait in the store to be sent.
        """
        claimed = 0
        for _ in range(_PAGES):
            async with self._ports.database.read() as reader:
                page = await mts.walk(reader, *self._at, _PAGE)
            claimed += await self._settle(page)
            if len(page) < _PAGE:
                self._end_round()
                break
            self._at = (page[-1].link, page[-1].id)
        return claimed

    async def _settle(self, page: Sequence[Waiting]) -> int:
        now_ms, node = self._ports.clock.now_ms(), self._ports.node
        late = [one for one in page if one.expires_ms + self._grace_ms <= now_ms]
        expired = {one.id for one in late}
        good = [one for one in page if one.id not in expired]
        self._strange.update(one.link for one in good if one.link not in self._links)
        orphans = [one for one in good if not one.alive and one.node != node and one.link in self._links]
        if late or orphans:
            async with self._ports.database.write() as transaction:
                await mts.expire(transaction, [Expired(id=one.id, now_ms=now_ms) for one in late])
                await mts.claim_each(
                    transaction, [Claimed(id=one.id, node=node, from_node=one.node) for one in orphans]
                )
        for link, count in Counter(one.link for one in late).items():
            log.warning("mt.expired_unsent", link=link, messages=count)
        if orphans:
            log.warning("mt.claimed", messages=len(orphans))
        return len(orphans)

    def _end_round(self) -> None:
        """Tell about links that are missing in the settings, once until others are."""
        strange, self._strange, self._at = self._strange, Counter(), ("", "")
        if frozenset(strange) != self._told:
            self._told = frozenset(strange)
            for link, count in sorted(strange.items()):
                log.warning("mt.link_not_in_settings", link=link, messages=count)
