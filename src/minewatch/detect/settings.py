"""The settings of the detect room; defaults are engineering choices, none is a legal limit."""

from __future__ import annotations

import itertools
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from minewatch.contracts import ParameterChange
from minewatch.detect.changes import SettingsChange
from minewatch.detect.trial_settings import TestGasSettings


class DetectSettings(BaseModel):
    """How readings are judged, the same for every point."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    utc_offset_h: float = Field(
        default=5.0,
        ge=-14,
        le=14,
        description="Local time of the shifts, in hours ahead of UTC (Kazakhstan: 5).",
    )
    shift_starts_h: tuple[float, ...] = Field(
        default=(0.0, 8.0, 16.0),
        min_length=1,
        max_length=24,
        description="When shifts begin, in hours of the local day, ascending.",
    )
    shift_least_s: float = Field(
        default=1800.0,
        ge=0,
        description="The shift mean has no value before so many seconds of the shift were measured.",
    )
    coverage: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="The share of a window that must be measured before its mean has a value.",
    )
    default_interval_s: float = Field(
        default=120.0,
        gt=0,
        description="The longest time a reading stands for, where its point gives no interval.",
    )
    rate_window_s: float = Field(
        default=60.0,
        gt=0,
        le=86400,
        description="The window of the rate of rise; at least six intervals of the point.",
    )
    stuck_after_s: float = Field(
        default=86400.0,
        gt=0,
        description="Unchanged for so many seconds is uncertain, until the point's usual rests are known.",
    )
    frozen_factor: float = Field(
        default=3.0,
        gt=1,
        description="A rest of so many times the longest usual one of the point is frozen.",
    )
    frozen_least_s: float = Field(
        default=3600.0,
        gt=0,
        description="No rest shorter than this is frozen.",
    )
    frozen_least_readings: int = Field(
        default=30,
        ge=2,
        description="No rest of fewer readings is frozen.",
    )
    frozen_warm_up_rests: int = Field(
        default=200,
        ge=1,
        description="Rests that a point must have shown before its own are what is usual.",
    )
    frozen_fade_s: float = Field(
        default=2_592_000.0,
        gt=0,
        description="How long a long rest is remembered.",
    )
    frozen_growth: float = Field(
        default=1.2,
        ge=1,
        description="One rest teaches at most so many times what was usual.",
    )
    saturated_after_s: float = Field(
        default=14400.0,
        gt=0,
        description="Unchanged for so long at the stop of an instrument that saturates is uncertain.",
    )
    fastest: dict[str, float] = Field(
        default_factory=dict,
        description="The most that points of a quantity can move, in units a second; others as built in.",
    )
    ambient_memory_h: float = Field(
        default=168.0,
        ge=1,
        description="Hours that the ambient of a gas is the mean of.",
    )
    ambient_free_h: float = Field(
        default=24.0,
        ge=0,
        description="Hours in which the ambient is first found, without a cap.",
    )
    ambient_rise: float = Field(
        default=0.02,
        ge=0,
        description="The most the ambient rises in an hour after that, in the unit of the gas.",
    )
    ambient_least_s: float = Field(
        default=1800.0,
        gt=0,
        le=3600,
        description="An hour measured for less than this does not move the ambient.",
    )
    noise_5db_criterion: float = Field(
        default=90.0,
        description="The level that is a full dose in 8 hours by the 5 dB exchange.",
    )
    noise_5db_threshold: float = Field(
        default=80.0,
        description="Levels below this add nothing by the 5 dB exchange.",
    )
    noise_3db_criterion: float = Field(
        default=80.0,
        description="The level that is a full dose in 8 hours by the 3 dB exchange.",
    )
    memory_readings: int = Field(
        default=600,
        ge=2,
        le=100_000,
        description="How many readings the baseline of the change chart remembers.",
    )
    warm_up_readings: int = Field(
        default=60,
        ge=2,
        le=10_000_000,
        description="Readings learned before the change chart judges.",
    )
    noise_floor: float = Field(
        default=0.001,
        ge=0,
        lt=1,
        description="The least noise assumed, as a share of the instrument's range; at least its resolution.",
    )
    clip_sigmas: float = Field(
        default=4.0,
        gt=0,
        description="One reading counts for at most so many sigmas in the CUSUM and the baseline.",
    )
    cusum_slack: float = Field(
        default=0.5,
        ge=0,
        description="Sigmas taken off at each reading: half the smallest shift worth finding.",
    )
    cusum_cap: float = Field(
        default=32.0,
        gt=0,
        description="The CUSUM never exceeds so many sigmas, so that it comes down again.",
    )
    ewma_half_score: float = Field(
        default=4.0,
        gt=0,
        description="The z at which the ewma score is 0.5.",
    )
    cusum_half_score: float = Field(
        default=8.0,
        gt=0,
        description="The CUSUM at which the cusum score is 0.5.",
    )
    robust_readings: int = Field(
        default=60,
        ge=5,
        le=63,
        description="Readings whose median and spread the robust z is measured against.",
    )
    level_window_s: float = Field(
        default=1800.0,
        ge=1,
        le=8_640_000,
        description="Each of the two windows whose medians a level shift compares.",
    )
    novelty_threshold: float = Field(
        default=0.17,
        gt=0,
        le=10,
        description="The novelty that is an alarm: the root of the newness, plus that for the hour weighted.",
    )
    novelty_hour_weight: float = Field(
        default=0.5,
        ge=0,
        le=10,
        description="What newness for the hour of the week counts against newness of the value itself.",
    )
    novelty_hour_s: float = Field(
        default=2700.0,
        gt=0,
        le=1e9,
        description="The time constant in which the usual value of an hour of the week is learned.",
    )
    novelty_hour_share: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="No reading gives more than this share to the usual value of its hour.",
    )
    novelty_memory_readings: int = Field(
        default=4000,
        ge=100,
        le=1_000_000_000,
        description="A value not seen for so many readings is new again.",
    )
    novelty_memory_s: float = Field(
        default=1_209_600.0,
        ge=0,
        le=1e9,
        description="A value is remembered for at least so many seconds, however fast the point reads.",
    )
    novelty_warm_up_readings: int = Field(
        default=50,
        ge=0,
        le=1_000_000_000,
        description="Readings remembered before novelty is judged.",
    )
    novelty_warm_up_s: float = Field(
        default=86400.0,
        ge=0,
        le=1e9,
        description="Seconds of memory before novelty is judged.",
    )
    novelty_gate_readings: int = Field(
        default=100,
        ge=0,
        le=1_000_000_000,
        description="For so many readings after an alarm only something clearly newer is another.",
    )
    novelty_gate_s: float = Field(
        default=3600.0,
        ge=0,
        le=1e9,
        description="The gate is closed for at least so many seconds.",
    )
    novelty_again: float = Field(
        default=2.0,
        ge=1,
        le=1000,
        description="While the gate is closed, an alarm takes so many times the novelty of the last one.",
    )
    novelty_floor: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="The least range that newness is measured against, as a share of the instrument's range.",
    )
    novelty_floor_steps: float = Field(
        default=100.0,
        ge=0,
        le=1e9,
        description="The least range that newness is measured against, in steps of the instrument.",
    )

    forecast_horizon_s: float = Field(
        default=600.0,
        gt=0,
        le=864_000,
        description="How far ahead the forecast looks.",
    )
    forecast_coverage: float = Field(
        default=0.9,
        ge=0.01,
        le=0.999,
        description="The share of outcomes that the interval of the forecast should hold.",
    )
    wear_baseline_s: float = Field(
        default=86_400.0,
        gt=0,
        le=1e9,
        description="Measured time that a machine's wear baseline is learned from.",
    )
    test_gas: TestGasSettings = TestGasSettings()
    changes: tuple[SettingsChange, ...] = Field(
        default=(),
        max_length=1000,
        description="Settings with other values from a time on: `valid_from`, `by`, `reason`, `set`.",
    )

    def phases(self) -> tuple[Self, ...]:
        """Return the settings as each change leaves them, first as they are before any."""
        found = [self.model_copy(update={"changes": ()})]
        for change in self.changes:
            found.append(self.model_validate(change.upon(found[-1].model_dump())))
        return tuple(found)

    def told(self) -> tuple[ParameterChange, ...]:
        """Return the changes as the journal tells them."""
        return tuple(
            ParameterChange(c.from_ns, c.by, c.reason, c.values_in(before), c.values_in(after))
            for c, (before, after) in zip(self.changes, itertools.pairwise(self.phases()), strict=True)
        )

    @field_validator("changes")
    @classmethod
    def _in_order(
        cls, changes: tuple[SettingsChange, ...], info: ValidationInfo
    ) -> tuple[SettingsChange, ...]:
        times = [change.from_ns for change in changes]
        if times != sorted(set(times)):
            raise ValueError("changes must stand in the order of valid_from, each time once")
        if changes and len(info.data) == len(cls.model_fields) - 1:  # else another key is wrong, and is told
            try:
                cls(**info.data).model_copy(update={"changes": changes}).phases()
            except ValidationError as error:
                first = error.errors()[0]
                key = ".".join(str(part) for part in first["loc"])
                raise ValueError(f"{key}: {first['msg']}") from None
        return changes

    @field_validator("fastest")
    @classmethod
    def _above_zero(cls, fastest: dict[str, float]) -> dict[str, float]:
        if any(not speed > 0 for speed in fastest.values()):
            raise ValueError("a speed must be above 0; write inf for no bound")
        return fastest

    @field_validator("shift_starts_h")
    @classmethod
    def _within_a_day(cls, starts: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= h < 24 for h in starts) or list(starts) != sorted(set(starts)):
            raise ValueError("shift starts must be hours from 0 to under 24, ascending, each once")
        return starts
