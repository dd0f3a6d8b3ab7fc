"""Logs: key and value pairs on stderr, one line an event."""

from __future__ import annotations

import logging
import os
import sys

import structlog


def set_up_logs(level: str | None = None) -> None:
    """Send structlog to stderr; the level is MINEWATCH_LOG (debug, info, warning, error), else info."""
    name = (level or os.environ.get("MINEWATCH_LOG", "info")).upper()
    number = logging.getLevelNamesMapping().get(name, logging.INFO)
    colors = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=colors)
            if colors
            else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
