"""The parts of what is known of an alert, by whose they are, so that a restart goes on with them."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; of what was said before nobody knows the parts."""
    op.execute("ALTER TABLE alert ADD COLUMN words TEXT NOT NULL DEFAULT '[]'")
