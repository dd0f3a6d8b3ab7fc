"""A button at the gateway: read often, debounced, and only its press counts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from minewatch_edge.errors import DriverError
from minewatch_edge.safety.errands import Errands
from minewatch_edge.safety.lines import Line
from minewatch_edge.tables import Table

log = logging.getLogger(__name__)

ACTIONS = ("acknowledge", "test")


@dataclass(frozen=True, slots=True)
class PanelConfig:
    """One [[panel]]: what its button does, to which alerts or outputs."""

    id: str
    kind: str
    action: str
    rules: tuple[str, ...]
    zones: tuple[str, ...]
    outputs: tuple[str, ...]
    test_s: float
    inverted: bool
    poll_ms: float
    debounce_ms: float
    options: Table = field(compare=False)
    said: Mapping[str, object] = field(
        default_factory=dict
    )  # the table as it stands, to compare with another


class Debounce:
    """Says once that a button was pressed: its level must be steady, and must have been open before."""

    def __init__(self, steady_ns: int) -> None:
        self._steady_ns = steady_ns
        self._level: bool | None = None  # the steady one
        self._seen: bool | None = None
        self._since_ns = 0

    def take(self, level: bool, at_ns: int) -> bool:
        """Take a sample in; return whether the button has just been pressed."""
        if level != self._seen:
            self._seen, self._since_ns = level, at_ns
        if level == self._level or at_ns - self._since_ns < self._steady_ns:
            return False
        before, self._level = self._level, level
        return level and before is False


class Panel:
    """One button in work; ``step`` is called by the agent's loop only."""

    def __init__(self, config: PanelConfig, line: Line) -> None:
        self.config = config
        self.problem = ""
        self._line = line
        self._debounce = Debounce(int(config.debounce_ms * 1e6))
        self._errands: Errands[int] = Errands(f"panel-{config.id}", self._work)
        self._answers: list[tuple[int, bool]] = []
        self._due_ns = 0

    def start(self) -> None:
        """Begin to watch it."""
        self._errands.start()

    def step(self, mono_ns: int) -> tuple[bool, int]:
        """Return whether it was pressed since the last call, and when to come again."""
        pressed = False
        while self._answers:
            at_ns, level = self._answers.pop(0)
            pressed |= self._debounce.take(level, at_ns)
        if mono_ns >= self._due_ns and not self._errands.busy:
            self._due_ns = mono_ns + int((self.config.poll_ms if not self.problem else 1000.0) * 1e6)
            self._errands.send(mono_ns)
        return pressed, max(self._due_ns, mono_ns + 1_000_000)

    def stop(self) -> None:
        """Let go of it."""
        if self._errands.stop(2.0):
            self._line.close()

    def _work(self, asked_ns: int | None) -> None:
        if asked_ns is None:
            return
        try:
            level = self._line.read() != self.config.inverted
        except DriverError as error:
            self._refused(str(error))
        except Exception as error:  # no mistake of a library may end the thread
            if not self.problem:
                log.exception("panel %s failed", self.config.id)
            self._refused(f"{type(error).__name__}: {error}")
        else:
            if self.problem:
                log.warning("panel %s answers again", self.config.id)
            self.problem = ""
            self._answers.append((asked_ns, level))

    def _refused(self, why: str) -> None:
        if not self.problem:
            log.error("panel %s: %s", self.config.id, why)
        self.problem = why
