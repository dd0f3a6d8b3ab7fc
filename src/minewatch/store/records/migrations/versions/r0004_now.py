"""What is known of an alert while it stands, and since when."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; nothing more than its reason is known of an alert so far."""
    for language in ("kk", "ru", "en"):
        op.execute(f"ALTER TABLE alert ADD COLUMN now_{language} TEXT NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE alert ADD COLUMN now_ns BIGINT NOT NULL DEFAULT 0")
