"""Settings that change while the service runs, each from a stated time of the readings on.

The form is that of a fitted model put in force: from when, by whom, why.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

FIXED = ("changes", "test_gas.enabled", "test_gas.announced")  # the last has times of its own


class SettingsChange(BaseModel):
    """Settings of ``[detect]`` that have other values from a time on."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    valid_from: AwareDatetime = Field(description="From which time of readings on, ISO 8601 with offset.")
    by: str = Field(min_length=1, description="Who changes it.")
    reason: str = Field(min_length=1, description="Why it is changed.")
    set: dict[str, Any] = Field(min_length=1, description="The keys of [detect] that change.")

    @property
    def from_ns(self) -> int:
        """The time of the first reading that it judges."""
        return round(self.valid_from.timestamp() * 1e9)

    def values_in(self, settings: BaseModel) -> dict[str, Any]:
        """Return what settings hold where this sets something, by dotted key."""
        return {key: operator.attrgetter(key)(settings) for key in self._keys()}

    def upon(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings after it. Raises ValueError for a key that only a start can change."""
        if fixed := [key for key in self._keys() if key.startswith(FIXED)]:
            raise ValueError(f"{fixed[0]} cannot change from a time on: set it in [detect] and start anew")
        after = {**settings, **self.set}
        if isinstance(gas := self.set.get("test_gas"), dict):
            after["test_gas"] = {**settings["test_gas"], **gas}
        return after

    def _keys(self) -> list[str]:
        gas = self.set.get("test_gas")
        inside = [f"test_gas.{key}" for key in gas] if isinstance(gas, dict) else []
        return sorted([key for key in self.set if key != "test_gas"] + inside)
