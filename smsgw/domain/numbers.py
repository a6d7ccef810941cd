"""Addresses as they stand in SMPP messages."""

_SHORTEST_PHONE = 7  # digits; shorter ones are short codes and services


def is_phone(address: str) -> bool:
    """Whether an address can be a subscriber's phone: answering short codes and words makes machines talk for ever."""
    digits = address.lstrip("+")
    return len(digits) >= _SHORTEST_PHONE and digits.isascii() and digits.isdigit()
