"""The daemons on one database: who lives, and whose work is left behind."""

from collections.abc import Sequence

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


async def claim_messages(transaction: Transaction, node: str, from_node: str) -> int:
    """Hand the messages that a node left queued to another; return how many."""
    return await transaction.execute("mts.claim", node=node, from_node=from_node)


async def tell_keys(transaction: Transaction, node: str, keys: Sequence[str]) -> None:
    """Record which keys of the vault a node has read, the one in use first."""
    await transaction.execute("nodes.tell_keys", node=node, keys=" ".join(keys))


async def keys_of_all(reader: Reader, since_ms: int) -> dict[str, list[str]]:
    """Return {node: its keys, the one in use first} of the nodes that were heard of since a moment."""
    rows = await reader.fetch("nodes.keys", since_ms=since_ms)
    return {node: keys.split() for node, keys in rows}
