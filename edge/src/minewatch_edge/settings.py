"""What the parts of the agent are told of its configuration."""

from __future__ import annotations

from minewatch_edge.config import EdgeConfig
from minewatch_edge.delivery import DeliverySettings
from minewatch_edge.spool import SpoolLimits


def delivery_settings(config: EdgeConfig) -> DeliverySettings:
    """Return how rows are sent."""
    spool, broker = config.spool, config.broker
    return DeliverySettings(spool.resend_s, spool.resend_per_s, broker.acknowledgement, broker.keepalive_s)


def spool_limits(config: EdgeConfig) -> SpoolLimits:
    """Return the caps of the spool."""
    spool = config.spool
    return SpoolLimits(
        max_bytes=int(spool.max_mb * 1e6),
        max_age_ns=int(spool.max_age_h * 3.6e12),
        full_sync=spool.full_sync,
    )
