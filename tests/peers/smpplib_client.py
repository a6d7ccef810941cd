"""smpplib as a gateway: a client that nobody here wrote, and that binds to an SMSC of ours."""

from typing import Any, Final

import smpplib.client

SUBSCRIBER: Final = "359881234567"
SHORT_CODE: Final = "1234"


class SmpplibClient:
    """smpplib's blocking client, used from a thread."""

    def __init__(self, port: int) -> None:
        make: Any = smpplib.client.Client
        self.client: Any = make("127.0.0.1", port, allow_unknown_opt_params=True, timeout=5)
        self.delivered: list[Any] = []
        self.answered: list[Any] = []
        self.client.set_message_received_handler(self._on_delivered)
        self.client.set_message_sent_handler(self._on_answered)

    def _on_delivered(self, pdu: Any) -> int:
        self.delivered.append(pdu)
        return 0

    def _on_answered(self, pdu: Any) -> None:
        self.answered.append(pdu)

    def bind(self, password: str = "secret") -> None:
        self.client.connect()
        self.client.bind_transceiver(system_id="smsgw", password=password)

    def receive(self) -> None:
        self.client.read_once()

    def submit(self, text: bytes) -> None:
        self.client.send_message(
            source_addr=SHORT_CODE, destination_addr=SUBSCRIBER, short_message=text, registered_delivery=False
        )
        self.client.read_once()

    def leave(self) -> None:
        self.client.unbind()
        self.client.disconnect()
