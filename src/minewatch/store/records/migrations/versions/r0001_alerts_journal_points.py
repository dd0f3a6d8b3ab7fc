"""Alerts, their append-only journal, points."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

ALERT = """
CREATE TABLE alert (
    id TEXT PRIMARY KEY NOT NULL, rule TEXT NOT NULL, place TEXT NOT NULL, site TEXT NOT NULL,
    zone TEXT NOT NULL, quantity TEXT NOT NULL, priority INTEGER NOT NULL, paged BOOLEAN NOT NULL,
    state TEXT NOT NULL, active BOOLEAN NOT NULL, raised_ns BIGINT NOT NULL, changed_ns BIGINT NOT NULL,
    value FLOAT, unit TEXT NOT NULL, "limit" FLOAT, detector TEXT NOT NULL,
    message_kk TEXT NOT NULL, message_ru TEXT NOT NULL, message_en TEXT NOT NULL,
    why_kk TEXT NOT NULL, why_ru TEXT NOT NULL, why_en TEXT NOT NULL,
    citation TEXT NOT NULL, verified BOOLEAN NOT NULL, retrospective BOOLEAN NOT NULL,
    acknowledged_by TEXT NOT NULL, "row" INTEGER NOT NULL, search TEXT NOT NULL
)
"""
# the live list, and history by time, are each read in the order of an index
LIVE = "CREATE INDEX alert_live ON alert (priority, raised_ns DESC, id) WHERE state <> 'normal'"
HISTORY = "CREATE INDEX alert_history ON alert (raised_ns DESC, id)"
RULE = "CREATE INDEX alert_rule ON alert (rule, raised_ns DESC, id)"

EVENT = """
CREATE TABLE alert_event (
    "row" INTEGER PRIMARY KEY NOT NULL, "key" TEXT NOT NULL UNIQUE, alert_id TEXT NOT NULL,
    text TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
)
"""
OF_ALERT = 'CREATE INDEX alert_event_of ON alert_event (alert_id, "row")'
REFUSE = """
CREATE TRIGGER alert_event_no_{what} BEFORE {what} ON alert_event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
"""

POINT = "CREATE TABLE point (id INTEGER PRIMARY KEY NOT NULL, place TEXT NOT NULL, info TEXT NOT NULL)"


def upgrade() -> None:
    """Create the tables, their indexes, and the triggers that keep the journal append-only."""
    for statement in (ALERT, LIVE, HISTORY, RULE, EVENT, OF_ALERT, POINT):
        op.execute(statement)
    for what in ("UPDATE", "DELETE"):
        op.execute(REFUSE.format(what=what))
