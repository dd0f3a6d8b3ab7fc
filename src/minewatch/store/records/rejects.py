"""What a reject table keeps of what strangers send: how many rows, and text that is safe to show."""

from __future__ import annotations

from dataclasses import replace

from minewatch.contracts import Rejected

KEPT = 10_000  # the newest rows; older ones are only in the counters
LONGEST = 200  # characters


def kept(row: Rejected) -> Rejected:
    """Return a row as a table keeps it."""
    return replace(
        row, source=printable(row.source), reason=printable(row.reason), detail=printable(row.detail)
    )


def printable(text: str, most: int = LONGEST) -> str:
    """Return a text of at most ``most`` characters, all of them printable.

    Control characters, marks of direction and halves of surrogate pairs are written as their escapes. A text
    that was cut ends with an ellipsis. A printable text that is short enough stays as it is.
    """
    if len(text) <= most and text.isprintable():
        return text
    pieces: list[str] = []
    room = most
    for character in text[: most + 1]:
        piece = character if character.isprintable() else character.encode("unicode_escape").decode()
        room -= len(piece)
        if room < 0:
            return _cut(pieces, most)
        pieces.append(piece)
    return "".join(pieces)


def _cut(pieces: list[str], most: int) -> str:
    """Join pieces and an ellipsis; an escape is kept whole or left out."""
    while sum(map(len, pieces)) > most - 1:
        pieces.pop()
    return "".join(pieces) + "\N{HORIZONTAL ELLIPSIS}"
