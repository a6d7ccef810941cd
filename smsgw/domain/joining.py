"""Long messages: which parts make a whole now. Bytes are joined first and decoded then."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from smsgw.text import segments
from smsgw.text.segments import Part


class Piece(Struct, frozen=True, kw_only=True):
    """A part of a long message, stored already or just come."""

    id: str
    key: str  # equal for the parts of one message
    part: Part


class Whole(Struct, frozen=True, kw_only=True):
    """A long message that is complete."""

    id: str  # the piece that completed it
    others: list[str]
    parts: list[Part]  # in order


def join(stored: Iterable[Piece], arrived: Sequence[Piece]) -> tuple[list[Whole], set[str]]:
    """Return the messages that are complete now, and the ids of pieces that came a second time.

    Args:
        stored: pieces that wait, oldest first.
        arrived: pieces that have just come, in order. A complete message begins anew with the next piece of its key.
    """
    waiting: dict[str, dict[int, Piece]] = {}
    for piece in stored:
        waiting.setdefault(piece.key, {}).setdefault(piece.part.number, piece)
    wholes: list[Whole] = []
    doubles: set[str] = set()
    for piece in arrived:
        have = waiting.setdefault(piece.key, {})
        if piece.part.number in have:
            doubles.add(piece.id)
            continue
        have[piece.part.number] = piece
        if len(have) == piece.part.total:
            parts = segments.in_order([one.part for one in have.values()])
            wholes.append(Whole(id=piece.id, others=[one.id for one in have.values() if one is not piece], parts=parts))
            del waiting[piece.key]
    return wholes, doubles
