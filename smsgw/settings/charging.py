"""How an operator takes money: named ways to charge, each with what is its proof and what its answers mean."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from smsgw.settings.kinds import Seconds

Meaning = Literal["charged", "failed", "progress"]


class ChargeProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of an operator's ways to charge a phone; ``[charging.<name>]`` in the link's file."""

    # mo: the YES itself costs money at its short code. mt: we send a billed message. direct: the operator's HTTP API.
    way: Literal["mo", "mt", "direct"]
    # mt: what says that the money was taken: the SMSC's response to the billed message, or its receipt.
    proof: Literal["response", "receipt"] = "receipt"
    validity_s: Seconds = 3_600.0  # mt: how long the SMSC tries to charge; told to it as validity_period
    receipt_grace_s: Seconds = 900.0  # mt: how long after that a receipt may come; then nobody knows
    user_message_reference: bool = True  # mt: whether the attempt's number is sent (TLV 0x0204), for receipts to repeat
    # mt: command_status → "sent", "refuse", "again", "unknown"; over a table stricter than that of free messages
    status: dict[str, str] = {}
    receipt_states: dict[str, Meaning] = {}  # mt: the operator's words, in capitals; over the link's receipt_states
    receipt_errors: dict[str, Meaning] = {}  # mt: err of a receipt, which goes before its state: "lack of credit" waits
    max_tries: Annotated[int, Meta(ge=1, le=20)] = 3  # after definite refusals that may be tried again
    # direct
    adapter: Literal["camara", "example"] = "camara"
    url: str = ""  # the API's base address
    credentials_file: str = ""  # "user:password" or a bearer token; as password_file
    timeout_s: Seconds = 10.0  # longest wait for an answer; then nobody knows, and the API is asked
    refunds: bool = False  # whether the operator gives money back on our word
