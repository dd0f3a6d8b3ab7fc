"""Where alerts, the journal and the list of points are kept."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class RecordSettings(BaseModel):
    """The record store: one SQLite file, written by one process and read by any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(
        default=Path("records.sqlite"),
        description="The database file; a relative path starts at the data folder.",
    )
    busy_timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="How long to wait for another process that holds the file, in seconds, before saying so.",
    )
