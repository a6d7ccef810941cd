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
    """A long message: complete, or what there is of one that will never be."""

    id: str  # the piece that completed it; of what is not complete, the latest that has just come, else the first
    others: list[str]
    parts: list[Part]  # in order
    complete: bool = True
    begins: bool = True  # whether the first part is there


def join(stored: Iterable[Piece], arrived: Sequence[Piece]) -> tuple[list[Whole], set[str]]:
    """Return the messages that are complete now, and the ids of pieces that came a second time.

    A piece with the number of another of its key, and other content, is of the next message: phones count references to
    255 or to 65,535 and begin anew. The one before it is given up: what there is of it is a whole that is not complete.

    Args:
        stored: pieces that wait, oldest first.
        arrived: pieces that have just come, in order. A complete message begins anew with the next piece of its key.
    """
    waiting: dict[str, dict[int, Piece]] = {}
    for piece in stored:
        waiting.setdefault(piece.key, {}).setdefault(piece.part.number, piece)
    fresh = {piece.id for piece in arrived}
    wholes: list[Whole] = []
    doubles: set[str] = set()
    for piece in arrived:
        have = waiting.setdefault(piece.key, {})
        before = have.get(piece.part.number)
        if before is not None and before.part.body == piece.part.body:
            doubles.add(piece.id)
            continue
        if before is not None:
            wholes.append(give_up(list(have.values()), fresh))
            have.clear()
        have[piece.part.number] = piece
        if len(have) == piece.part.total:
            parts = segments.in_order([one.part for one in have.values()])
            wholes.append(Whole(id=piece.id, others=[one.id for one in have.values() if one is not piece], parts=parts))
            del waiting[piece.key]
    return wholes, doubles


def give_up(pieces: Sequence[Piece], fresh: frozenset[str] | set[str] = frozenset()) -> Whole:
    """Return what there is of a message whose other parts will not come: the parts in order, without marks.

    Args:
        pieces: at least one, each number once.
        fresh: ids of those that have just come, and are not stored.
    """
    just_come = [piece for piece in pieces if piece.id in fresh]
    named = just_come[-1] if just_come else pieces[0]
    return Whole(
        id=named.id,
        others=[piece.id for piece in pieces if piece is not named],
        parts=segments.in_order([piece.part for piece in pieces]),
        complete=False,
        begins=any(piece.part.number == 1 for piece in pieces),
    )
