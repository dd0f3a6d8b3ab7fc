"""Fields that several routes take."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Header, Path, Query

from minewatch.serve import times
from minewatch.serve.problems import bad_field

MOST = 1_000
DESK = "operator"

Limit = Annotated[int, Query(ge=1, le=MOST, description="Most items in the answer")]
Cursor = Annotated[str, Query(max_length=400, description="`next` of the page before", examples=[""])]
Zone = Annotated[str, Query(max_length=200, description="Only this zone and those inside it")]
From = Annotated[
    str | None,
    Query(alias="from", description="Begin, ISO 8601 with offset", examples=["2026-01-31T00:00:00+05:00"]),
]
To = Annotated[
    str | None,
    Query(
        alias="to",
        description="End (not included), ISO 8601 with offset",
        examples=["2026-02-01T00:00:00+05:00"],
    ),
]
AlertIdPath = Annotated[str, Path(alias="id", min_length=1, max_length=64, description="Id of the alert")]
PointIdPath = Annotated[int, Path(alias="id", ge=0, lt=2**31, description="Id of the point")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="A repeat with the same key carries out the command once and gets the same answer",
        examples=["6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
    ),
]


def time_ns(text: str | None, field: str, default_ns: int, *, where: str = "query") -> int:
    """Read a time of the query string, or of another part; raises Problem naming the field."""
    if text is None:
        return default_ns
    try:
        return times.parse(text)
    except ValueError as error:
        raise bad_field(f"{where}.{field}", str(error)) from None


def span_ns(
    begin: str | None, end: str | None, default_begin_ns: int, default_end_ns: int
) -> tuple[int, int]:
    """Read ``from`` and ``to``; raises Problem when the end is before the begin. An end of 0 is open."""
    from_ns = time_ns(begin, "from", default_begin_ns)
    to_ns = time_ns(end, "to", default_end_ns)
    if to_ns and to_ns < from_ns:
        raise bad_field("query.to", "the end is before the begin")
    return from_ns, to_ns


def number_cursor(cursor: str) -> int:
    """Read a cursor that is a number; "" is the begin. Raises Problem."""
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 19 and int(cursor) <= times.LAST_NS):
        raise bad_field("query.cursor", "this is not a cursor of this list: use `next` of the page before")
    return int(cursor)


def actor(
    x_actor: Annotated[
        str,
        Header(
            max_length=200,
            description="Name of the desk that asks, percent-encoded UTF-8, until there are accounts",
            examples=["control-room-1"],
        ),
    ] = DESK,
) -> str:
    """Return the desk that asks."""
    name = unquote(x_actor, errors="replace").strip()
    if not name:
        return DESK
    if len(name) > 64 or not name.isprintable():
        raise bad_field("header.x-actor", "the name of a desk has 1 to 64 printable characters")
    return name


Actor = Annotated[str, Depends(actor)]


def comment_text(comment: str) -> str:
    """Return a remark without blanks around it; raises Problem when it has control characters."""
    cleaned = comment.strip()
    if any(not c.isprintable() and c not in "\n\t" for c in cleaned):
        raise bad_field("body.comment", "a comment has no control characters besides line breaks and tabs")
    return cleaned
