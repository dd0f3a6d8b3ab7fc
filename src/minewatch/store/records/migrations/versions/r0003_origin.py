"""Who found an alert: the service, a gateway, or both."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; what is known so far was found by the service."""
    op.execute("ALTER TABLE alert ADD COLUMN origin TEXT NOT NULL DEFAULT ''")
