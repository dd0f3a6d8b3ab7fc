"""Which position an output should have: what drives it, what silences it, what it does without a signal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from minewatch_edge.safety import globs
from minewatch_edge.safety.judge import PointJudge
from minewatch_edge.safety.lives import Life
from minewatch_edge.tables import Table

FUNCTIONS = ("siren", "beacon", "relay")
NO_SIGNAL = ("safe", "on", "off", "hold")


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """One [[output]]: which alerts drive it, and how it behaves; ``options`` is what only its kind reads."""

    id: str
    kind: str
    function: str
    rules: tuple[str, ...]
    zones: tuple[str, ...]
    priority: int
    safe_on: bool
    on_no_signal: str
    no_signal_after_s: float
    inverted: bool
    pulse_s: float
    silence: bool
    latch: bool
    heartbeat_s: float
    hang_s: float
    verify_s: float
    options: Table = field(compare=False)
    said: Mapping[str, object] = field(
        default_factory=dict
    )  # the table as it stands, to compare with another

    def concerns(self, rule: str, priority: int, zone: str) -> bool:
        """Say whether an alert of this rule, priority and zone drives it."""
        return (
            priority <= self.priority and globs.matches(self.rules, rule) and globs.matches(self.zones, zone)
        )

    def watches(self, judge: PointJudge) -> bool:
        """Say whether any rule at this point drives it."""
        zone = judge.place.birth.zone
        return any(self.concerns(x.rule.id, x.rule.priority, zone) for x in judge.limits)


class Position(NamedTuple):
    """On or off, and why; ``held``: an alert or a test wants it so, whatever becomes of the agent."""

    on: bool
    held: bool
    why: str


def position(
    output: OutputConfig,
    lives: Mapping[tuple[str, str], Life],
    silent: Collection[str],
    testing: bool,
) -> Position:
    """Return the position; an alert outweighs a lost signal, a test outweighs both.

    ``silent`` are the places without a signal that drive the output and that nobody has silenced.
    """
    if testing:
        return Position(True, True, "test")
    for life in lives.values():
        if output.concerns(life.rule, life.priority, life.zone) and _drives(output, life):
            return Position(True, True, f"{life.rule} at {life.place}")
    if silent and output.on_no_signal != "hold":
        on = output.safe_on if output.on_no_signal == "safe" else output.on_no_signal == "on"
        return Position(on, False, f"no signal from {min(silent)}")
    return Position(False, False, "")


def _drives(output: OutputConfig, life: Life) -> bool:
    if life.acknowledged and output.silence:
        return False
    return life.active or (output.latch and not life.acknowledged)
