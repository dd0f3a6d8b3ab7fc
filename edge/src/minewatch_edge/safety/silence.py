"""Sensors that give nothing a limit could judge: outputs that they drive take the position for that case."""

from __future__ import annotations

from collections.abc import Sequence

from minewatch_edge.safety import globs
from minewatch_edge.safety.judge import PointJudge
from minewatch_edge.safety.positions import OutputConfig

_INTERVALS = 3  # a slow sensor is not silent before so many of its own intervals


class Silence:
    """Which points have had no usable reading for too long, by output."""

    def __init__(self, watched: Sequence[PointJudge], outputs: Sequence[OutputConfig]) -> None:
        self._watched = tuple(watched)
        self._seen = [0] * len(watched)
        self._heard_ns = [0] * len(watched)
        self._drivers = {
            output.id: [i for i, judge in enumerate(watched) if output.watches(judge)] for output in outputs
        }
        self._patience = {output.id: int(output.no_signal_after_s * 1e9) for output in outputs}
        self._silenced: set[str] = set()
        self._silent: dict[str, set[str]] = {output.id: set() for output in outputs}
        self._looked_ns = 0

    def begin(self, mono_ns: int) -> None:
        """Count every silence from now."""
        self._heard_ns = [mono_ns] * len(self._watched)

    def look(self, mono_ns: int) -> None:
        """Look who has spoken; five times a second is often enough."""
        if mono_ns - self._looked_ns < 200_000_000:
            return
        self._looked_ns = mono_ns
        for i, judge in enumerate(self._watched):
            if judge.usable_count != self._seen[i]:
                self._seen[i] = judge.usable_count
                self._heard_ns[i] = mono_ns
                self._silenced.discard(judge.place.name)
        for output, drivers in self._drivers.items():
            patience = self._patience[output]
            self._silent[output] = {
                self._watched[i].place.name
                for i in drivers
                if mono_ns - self._heard_ns[i] > max(patience, self._own_ns(i))
            }

    def of(self, output: OutputConfig) -> set[str]:
        """Return the silent places that count for an output; silenced ones only if it cannot be silenced."""
        silent = self._silent[output.id]
        return silent - self._silenced if output.silence else silent

    def acknowledge(self, zones: Sequence[str]) -> None:
        """Silence what is silent now, in these zones, until it has spoken again."""
        silent = set[str]().union(*self._silent.values())
        self._silenced |= {
            judge.place.name
            for judge in self._watched
            if judge.place.name in silent and globs.matches(zones, judge.place.birth.zone)
        }

    def problems(self) -> dict[str, str]:
        """Return which outputs cannot be judged for."""
        return {
            f"signal for {output}": f"{', '.join(sorted(places)[:5])}: no usable reading to judge by"
            for output, places in self._silent.items()
            if places
        }

    def _own_ns(self, i: int) -> int:
        return int(_INTERVALS * self._watched[i].place.birth.interval_s * 1e9)
