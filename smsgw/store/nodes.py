"""The daemons on one database: who lives, and whose work is left behind."""

from collections.abc import Collection, Sequence

from smsgw.store.database import Reader, Transaction


async def beat(transaction: Transaction, node: str, now_ms: int) -> None:
    """Record that a node lives."""
    await transaction.execute("nodes.beat", node=node, now_ms=now_ms)


async def others(reader: Reader, node: str) -> dict[str, int]:
    """Return the latest sign of life of each other node, by its own clock: only that it changes means anything."""
    return {str(name): int(seen_ms) for name, seen_ms in await reader.fetch("nodes.others", node=node)}


async def bury(transaction: Transaction, node: str, seen_ms: int) -> bool:
    """Take a node off the list whose latest sign of life is this; False when somebody else did, or when it is back."""
    return await transaction.execute("nodes.bury", node=node, seen_ms=seen_ms) == 1


async def claim_messages(transaction: Transaction, node: str, from_node: str, links: Collection[str]) -> int:
    """Hand the messages that a node left queued on these links to another; return how many."""
    return await transaction.execute("mts.claim", node=node, from_node=from_node, links=list(links))


async def tell_keys(transaction: Transaction, node: str, keys: Sequence[str]) -> None:
    """Record which keys of the vault a node has read, the one in use first."""
    await transaction.execute("nodes.tell_keys", node=node, keys=" ".join(keys))


async def keys_of_all(reader: Reader, since_ms: int) -> dict[str, list[str]]:
    """Return {node: its keys, the one in use first} of the nodes that were heard of since a moment."""
    rows = await reader.fetch("nodes.keys", since_ms=since_ms)
    return {node: keys.split() for node, keys in rows}
