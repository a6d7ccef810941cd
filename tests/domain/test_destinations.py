"""Where nothing may be posted to, however the address is written, and what a setting may allow."""

import pytest

from smsgw.domain.destinations import is_forbidden

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "sun.example",
    "",
]
PRIVATE = ["127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1"]
PRIVATE += ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "192.0.2.1"]
PRIVATE += ["::127.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1"]


@pytest.mark.parametrize("address", NEVER)
def test_never(address: str) -> None:
    assert is_forbidden(address, private_networks=True)
    assert is_forbidden(address, private_networks=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_only_where_private_networks_are_allowed(address: str) -> None:
    assert is_forbidden(address, private_networks=False)
    assert not is_forbidden(address, private_networks=True) or address.startswith("64:ff9b")


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_the_internet(address: str) -> None:
    assert not is_forbidden(address, private_networks=False)
