"""The tables of the record store, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, Table
from sqlalchemy import Text as Words

REVISION = "0006"  # the newest migration

metadata = MetaData()

ALERT = Table(
    "alert",
    metadata,
    Column("id", Words, primary_key=True),
    Column("rule", Words, nullable=False),
    Column("place", Words, nullable=False),
    Column("site", Words, nullable=False),
    Column("zone", Words, nullable=False),
    Column("quantity", Words, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("paged", Boolean, nullable=False),
    Column("state", Words, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("raised_ns", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("value", Float),
    Column("unit", Words, nullable=False),
    Column("limit", Float),
    Column("detector", Words, nullable=False),
    Column("message_kk", Words, nullable=False),
    Column("message_ru", Words, nullable=False),
    Column("message_en", Words, nullable=False),
    Column("why_kk", Words, nullable=False),
    Column("why_ru", Words, nullable=False),
    Column("why_en", Words, nullable=False),
    Column("citation", Words, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("retrospective", Boolean, nullable=False),
    Column("acknowledged_by", Words, nullable=False),
    Column("row", Integer, nullable=False),
    Column("search", Words, nullable=False),
    Column("origin", Words, nullable=False),
    Column("now_kk", Words, nullable=False),
    Column("now_ru", Words, nullable=False),
    Column("now_en", Words, nullable=False),
    Column("now_ns", BigInteger, nullable=False),
    Column("words", Words, nullable=False),
)

ALERT_EVENT = Table(
    "alert_event",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("key", Words, nullable=False, unique=True),
    Column("alert_id", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("previous", Words, nullable=False),
    Column("hash", Words, nullable=False),
)

POINT = Table(
    "point",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("place", Words, nullable=False),
    Column("info", Words, nullable=False),
)

REJECTED = Table(
    "rejected",
    metadata,
    Column("row", Integer, primary_key=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("source", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("detail", Words, nullable=False),
)
