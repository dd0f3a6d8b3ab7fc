"""What was not taken, and why; not part of the journal."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

REJECTED = """
CREATE TABLE rejected (
    "row" INTEGER PRIMARY KEY NOT NULL, time_ns BIGINT NOT NULL, source TEXT NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL
)
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(REJECTED)
