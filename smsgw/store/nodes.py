"""The daemons on one database: who lives, and whose work is left behind."""

from collections.abc import Collection

from smsgw.store.database import Reader, Transaction


async def beat(transaction: Transaction, node: str, now_ms: int) -> None:
    """Record that a node lives."""
    await transaction.execute("nodes.beat", node=node, now_ms=now_ms)


async def silent(reader: Reader, node: str, before_ms: int) -> list[str]:
    """Return the other nodes that have not been heard of since ``before_ms``."""
    return [name for (name,) in await reader.fetch("nodes.silent", node=node, before_ms=before_ms)]


async def bury(transaction: Transaction, node: str, before_ms: int) -> bool:
    """Take a silent node off the list; False when somebody else did, or when it is back."""
    return await transaction.execute("nodes.bury", node=node, before_ms=before_ms) == 1


async def claim_messages(transaction: Transaction, node: str, from_node: str, links: Collection[str]) -> int:
    """Hand the messages that a node left queued on these links to another; return how many."""
    return await transaction.execute("mts.claim", node=node, from_node=from_node, links=list(links))
