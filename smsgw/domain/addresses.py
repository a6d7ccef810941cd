"""IP addresses: whether one is in a list of networks, and whose it is behind proxies."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def is_network(text: str) -> bool:
    """Whether a setting is an address or a network, without bits set behind its prefix."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1000)
def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Return the networks that settings name; an address is a network of its own."""
    return tuple(ip_network(text) for text in texts)


def is_within(address: str, allowed: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none. Mapped IPv4 counts as IPv4."""
    parsed = parse(address)
    return parsed is not None and any(parsed in network for network in allowed)


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address, or None when it is none."""
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def client(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Return the address that a request comes from.

    Each proxy appends to X-Forwarded-For whom it was asked by: read from its end, the first that is none of our proxies
    is whom they saw. What stands before it anybody may have written. Without a proxy in between the header is nothing.

    Args:
        peer: the other end of the connection.
        forwarded: the header, all its lines joined by commas.
        proxies: ours.
    """
    address = peer
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    while hops and is_within(address, proxies):
        hop = hops.pop().removeprefix("[").partition("]")[0]
        parsed = parse(hop)
        if parsed is None:
            break  # a proxy of ours would have written an address
        address = str(parsed)
    return address
