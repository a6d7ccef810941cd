"""Cuts a stream of octets into PDUs by their command_length (SMPP 3.4 §3.2): any chunks in, whole frames out."""

from typing import Final

from smsgw.errors import FramingError
from smsgw.smpp import status

_LENGTH_BYTES: Final = 4
SHORTEST_PDU: Final = 16  # the header alone


class Framer:
    """Holds at most one incomplete PDU, of which no octet is kept once its length is known to be wrong.

    Args:
        max_pdu_bytes: the longest PDU that is accepted.
    """

    __slots__ = ("_needed", "_rest", "broken", "max_pdu_bytes")

    def __init__(self, max_pdu_bytes: int) -> None:
        self.max_pdu_bytes = max_pdu_bytes
        self.broken: FramingError | None = None  # set after the frames before the broken one were handed out
        self._rest = bytearray()
        self._needed = _LENGTH_BYTES  # octets without which self._rest yields nothing

    @property
    def held(self) -> int:
        """Octets waiting for the rest of their PDU."""
        return len(self._rest)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the PDUs that this chunk completes; nothing any more once ``broken``."""
        if self.broken:
            return []
        if self._rest:
            # A peer that drips single octets must not cost a copy of everything for each of them.
            self._rest += chunk
            if len(self._rest) < self._needed:
                return []
            chunk = bytes(self._rest)
            self._rest.clear()
        return self._cut(chunk)

    def _cut(self, chunk: bytes) -> list[bytes]:
        frames: list[bytes] = []
        start, end = 0, len(chunk)
        self._needed = _LENGTH_BYTES
        while end - start >= _LENGTH_BYTES:
            length = int.from_bytes(chunk[start : start + _LENGTH_BYTES], "big")
            if not SHORTEST_PDU <= length <= self.max_pdu_bytes:
                side = "below 16" if length < SHORTEST_PDU else f"above {self.max_pdu_bytes}"
                self.broken = FramingError(f"command_length is {side}", command_status=status.ESME_RINVCMDLEN)
                return frames
            if length > end - start:
                self._needed = length
                break
            frames.append(chunk[start : start + length])
            start += length
        self._rest += chunk[start:]
        return frames
