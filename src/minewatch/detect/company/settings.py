"""The settings of the detectors that judge several points together."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from minewatch.detect.company.trust_settings import TrustSettings


class ModelInForce(BaseModel):
    """A fitted model that the engine takes from a stated time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = Field(description="The device it is for, site/gateway/device.")
    file: Path = Field(description="The model's file.")
    digest: str = Field(description="The digest of its card; another file is refused.")
    valid_from: datetime = Field(description="From when it judges, ISO 8601 with offset.")
    reason: str = Field(min_length=1, description="Why it was put in force.")

    @field_validator("valid_from")
    @classmethod
    def _with_offset(cls, when: datetime) -> datetime:
        if when.tzinfo is None:
            raise ValueError("give the offset from UTC, as in 2026-03-01T00:00:00+05:00")
        return when


class MixtureMember(BaseModel):
    """A gas that acts together with others, and its own limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: str = Field(min_length=1, description="What is measured.")
    unit: str = Field(min_length=1, description="In which unit; points in another one are left out.")
    limit: float = Field(gt=0, allow_inf_nan=False, description="The gas's own limit, in that unit.")


class CompanySettings(BaseModel):
    """How several points are joined and judged together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(
        default=True, description="Whether sensors of a device or zone are judged together."
    )
    step_s: float = Field(
        default=1.0,
        ge=0.1,
        le=3600,
        description="Seconds from row to row of sensors that are judged together.",
    )
    hold_s: float = Field(
        default=5.0,
        gt=0,
        le=86400,
        description="How long a value is held where its point gives no interval, in seconds.",
    )
    grace_s: float = Field(
        default=2.0,
        ge=0,
        le=600,
        description="How long a row waits for readings that come later, in seconds.",
    )
    wait_s: float = Field(
        default=120.0,
        ge=0,
        le=3600,
        description="How long a row waits at most for a gateway whose clock is behind another, in seconds.",
    )
    most_groups: int = Field(
        default=500, ge=0, description="Devices and zones judged together; more are counted and left out."
    )
    drift_rows: int = Field(
        default=3600, ge=2, description="Rows over which the drift of a model itself is watched."
    )
    drift_share: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="A model has drifted when such a share of rows lies beyond the range of its fit.",
    )
    trust: TrustSettings = Field(
        default_factory=TrustSettings, description="Drift and lost response of single sensors."
    )
    mixture: tuple[MixtureMember, ...] = Field(
        default=(), description="Gases that act together: quantity, unit, limit of each."
    )
    models: tuple[ModelInForce, ...] = Field(
        default=(), description="Fitted models: device, file, digest, valid_from, reason."
    )

    @field_validator("mixture")
    @classmethod
    def _of_several(cls, members: tuple[MixtureMember, ...]) -> tuple[MixtureMember, ...]:
        gases = {member.quantity for member in members}
        if members and (len(gases) < 2 or len(gases) < len(members)):
            raise ValueError("name two gases or more, each of them once")
        return members
