"""What the detector of calibration gas takes for a test, and for how long."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from minewatch.contracts import Announcement
from minewatch.detect.kernels.trial_layout import Signs

SECOND = 1_000_000_000


class AnnouncedTest(BaseModel):
    """A calibration that somebody announces."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: str = Field(min_length=1, description="The meter: the place of its point.")
    begin: AwareDatetime = Field(description="When the window begins, with its offset.")
    end: AwareDatetime = Field(description="When it ends, at most 12 hours later.")
    by: str = Field(min_length=1, description="Who announces it.")
    gas_pct: float | None = Field(default=None, gt=0, le=60, description="What the bottle holds, in percent.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not timedelta(0) < self.end - self.begin <= timedelta(hours=12):
            raise ValueError("the window must end after it begins, at most 12 hours later")
        return self

    def said(self) -> Announcement:
        """Return it as an announcement told while the service runs is."""
        gas_pct = math.nan if self.gas_pct is None else self.gas_pct
        begin_ns, end_ns = (round(moment.timestamp() * 1e9) for moment in (self.begin, self.end))
        return Announcement(self.place, begin_ns, end_ns, self.by, gas_pct)


class TestGasSettings(BaseModel):
    """When a rise at one meter is a test, and what speaks against it; every doubt calls a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    __test__ = False  # the name is no test of pytest's

    enabled: bool = Field(
        default=True,
        description="Whether test gas is tagged at all; without it every rise over a limit calls at once.",
    )
    decide_s: float = Field(
        default=8.0,
        ge=5,
        le=15,
        description="How long a call may wait, from the first second of a step, until its shape is decided.",
    )
    bound_s: float = Field(
        default=180.0,
        ge=30,
        le=300,
        description="The longest test that nobody announced, in seconds; gas that still stands then calls.",
    )
    announced_bound_s: float = Field(
        default=900.0,
        ge=30,
        le=3600,
        description="The longest announced test at one meter, in seconds, however long its window is.",
    )
    least_pct: float = Field(
        default=1.5,
        gt=0,
        le=5,
        description="Gas from a bottle is to set an alarm off: a step that ends below so many percent calls.",
    )
    most_pct: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Methane above so many percent always calls: air explodes from about 5 % on.",
    )
    neighbour_rise_pct: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="A second meter of the place that rises by so many percent ends a test.",
    )
    air_least_m_s: float = Field(
        default=0.25,
        ge=0,
        le=5,
        description="Air slower than so many metres a second ends a test.",
    )
    air_fall: float = Field(
        default=0.33,
        gt=0,
        lt=1,
        description="Air that has lost such a share of its usual velocity ends a test.",
    )
    pressure_hpa: float = Field(
        default=1.0,
        gt=0,
        le=20,
        description="A barometer that moves by so many hPa within a minute or so ends a test.",
    )
    announced: tuple[AnnouncedTest, ...] = Field(
        default=(),
        max_length=10_000,
        description="Announced tests, each with `place`, `begin`, `end`, `by` and, where known, `gas_pct`.",
    )


def signs(settings: TestGasSettings) -> Signs:
    """Return the settings in the units of the kernel, with the constants of the shape.

    The shape was chosen on the four windows of March 2014 of a real longwall (methane_1hz), ``bound_s`` on
    the lengths of the tests of two other meters there (MM252, MM262). On the other windows 8 of 11 were
    then tagged; two changes were made with those in sight: the least rise went from 0.6 to 0.4 (with
    ``least_pct`` beside it), and what is usual of the air is learned anew after a hole.
    """
    return Signs(
        onset_rise=0.3,
        onset_ns=4 * SECOND,
        decide_ns=round(settings.decide_s * SECOND),
        flat=0.5,
        least=0.4,
        least_level=settings.least_pct,
        most=settings.most_pct,
        creep=0.3,
        settle_ns=16 * SECOND,
        bound_ns=round(settings.bound_s * SECOND),
        announced_ns=round(settings.announced_bound_s * SECOND),
        recovered_ns=60 * SECOND,
        neighbour=settings.neighbour_rise_pct,
        air_least=settings.air_least_m_s,
        air_fall=settings.air_fall,
        pressure=settings.pressure_hpa,
        fresh_ns=10 * SECOND,
        alive_ns=600 * SECOND,
        hole_ns=120 * SECOND,
    )
