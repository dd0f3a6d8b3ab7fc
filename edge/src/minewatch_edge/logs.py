"""The log of the agent: lines for a person, for the journal, or JSON; stdout is never written to."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

FORMATS = ("auto", "text", "journal", "json")
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def begin(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send the log to stderr in a form; may be called again when the configuration has changed."""
    out = stream if stream is not None else sys.stderr
    handler = logging.StreamHandler(out)
    chosen = form if form != "auto" else "journal" if in_journal(out) else "text"
    handler.setFormatter(_FORMATTERS[chosen]())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for foreign in ("pymodbus", "asyncua"):  # they log each failed request; the agent says it once
        logging.getLogger(foreign).setLevel(logging.CRITICAL)


def in_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a stream is the one that systemd connected to the journal (JOURNAL_STREAM)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}"


class _Journal(logging.Formatter):
    """One journal entry a record: the priority in front, no time (the journal has its own)."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next((p for least, p in _PRIORITIES if record.levelno >= least), 7)
        # Each line of a traceback needs the prefix, else it would count as plain information.
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        made = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": made, "level": record.levelname.lower(), "logger": record.name}
        entry["message"] = record.getMessage()
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


_FORMATTERS: dict[str, type[logging.Formatter]] = {"text": _Text, "journal": _Journal, "json": _Json}
