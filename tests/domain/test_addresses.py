"""Addresses: in a network or not, and whose a request is behind proxies."""

import pytest

from smsgw.domain.addresses import client, is_network, is_within, networks

PROXIES = networks(("10.0.0.0/8", "2001:db8:ffff::/48", "192.0.2.9"))


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("192.0.2.7", True),
        ("192.0.2.0/24", True),
        ("2001:db8::/48", True),
        ("::1", True),
        ("192.0.2.7/24", False),
        ("192.0.2.0/33", False),
        ("example.org", False),
        ("", False),
        ("192.0.2", False),
    ],
)
def test_what_is_a_network(text: str, *, good: bool) -> None:
    assert is_network(text) is good


@pytest.mark.parametrize(
    ("address", "within"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("192.0.2.9", True),
        ("192.0.2.8", False),
        ("2001:db8:ffff:1::1", True),
        ("2001:db8:fffe::1", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_what_is_in_one(address: str, *, within: bool) -> None:
    assert is_within(address, PROXIES) is within
    assert not is_within(address, ())


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("198.51.100.1", "", "198.51.100.1"),
        ("198.51.100.1", "203.0.113.5", "198.51.100.1"),  # no proxy of ours: anybody may write that
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.5, 10.0.0.2", "203.0.113.5"),  # what stands before it, the visitor wrote
        ("10.0.0.1", "1.1.1.1 ,, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", "[2001:db8::5]:443", "2001:db8::5"),
        ("10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("unknown", "203.0.113.5", "unknown"),
    ],
)
def test_whose_request_it_is(peer: str, forwarded: str, found: str) -> None:
    assert client(peer, forwarded, PROXIES) == found
