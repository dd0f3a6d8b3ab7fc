"""Indexes by which the calibration ledger and announced tests are found in the journal."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

LEDGER = """
CREATE INDEX alert_event_calibration ON alert_event (json_extract(text, '$.calibration.from_ns'), "key")
WHERE json_extract(text, '$.calibration.from_ns') IS NOT NULL
"""
ANNOUNCED = """
CREATE INDEX alert_event_announced ON alert_event (json_extract(text, '$.service_ns'))
WHERE json_extract(text, '$.announced.to_ns') IS NOT NULL
"""


def upgrade() -> None:
    """Create them: few rows of a journal are in either."""
    op.execute(LEDGER)
    op.execute(ANNOUNCED)
