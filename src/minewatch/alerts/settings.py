"""What a site may choose about rules and alerts."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class AlertSettings(BaseModel):
    """Which rule packs are in force and when silence of a gateway becomes an alert."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packs: tuple[str, ...] = Field(
        default=(),
        description="Names of the shipped rule packs in force (`kz-coal`, `signal`, ...); "
        "empty means the list in `rules/default.toml`.",
    )
    rule_dirs: tuple[Path, ...] = Field(
        default=(),
        description="Folders with the mine's own rule packs (`*.toml`), read after the shipped ones.",
    )
    gateway_offline_grace_s: float = Field(
        default=10.0,
        ge=0,
        le=600,
        description="How long a gateway may be away before its silence becomes an alert, in seconds.",
    )
    gateway_offline_priority: int = Field(
        default=2, ge=1, le=4, description="Priority of the alert for a silent gateway: 1 is the most urgent."
    )
    gateway_offline_page: bool = Field(
        default=True, description="Whether a silent gateway calls a person or is only shown."
    )
