"""Where a merchant's address may lead: not into our own network, and never to what tells a machine's credentials."""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from smsgw.domain.addresses import networks, parse

# Link-local networks, and the clouds' metadata services outside of them; nobody's web server is there.
_NEVER: Final = networks(
    (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0/32",
        "255.255.255.255/32",
        "::/128",
        "224.0.0.0/4",
        "ff00::/8",
    )
)
# Their last 32 bits are an IPv4 address: NAT64 (RFC 6052, RFC 8215), IPv4-compatible (RFC 4291 §2.5.5.1; some systems
# still tunnel them), IPv4-translated (RFC 2765 §2.1). Mapped ones are IPv4 addresses since they were parsed.
_EMBEDDING: Final = networks(("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96"))


def is_forbidden(address: str, *, private_networks: bool) -> bool:
    """Whether nothing may be posted to an address.

    Args:
        address: as the resolver or the settings have it; what is none is forbidden.
        private_networks: whether private, loopback and other addresses that are not on the Internet are allowed.
    """
    parsed = parse(address)
    if parsed is None:
        return True
    return any(
        any(one in network for network in _NEVER) or not (private_networks or one.is_global)
        for one in (parsed, *_inner(parsed))
    )


def _inner(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that an IPv6 one leads to by way of a translator or a tunnel."""
    if isinstance(address, IPv4Address):
        return []
    inner = [found for found in (address.sixtofour, *(address.teredo or ())) if found is not None]
    if any(address in network for network in _EMBEDDING):
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return inner
