"""Local safety of one gateway: readings in, positions of outputs and notes of what happened out.

The agent's loop calls everything here; it has no clock. Outputs are ordered first, then the state goes to the
disk, then notes to the spool: a disk that hangs delays no siren.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minewatch_edge.clocks import UNKNOWN, Moment
from minewatch_edge.rows import Columns
from minewatch_edge.safety import globs, state_file
from minewatch_edge.safety.judge import Limit, PointJudge, Transition, judges
from minewatch_edge.safety.lives import AGENT, Event, Lives
from minewatch_edge.safety.output import Output
from minewatch_edge.safety.panel import Panel
from minewatch_edge.safety.positions import position
from minewatch_edge.safety.rule import Place, Rule
from minewatch_edge.safety.silence import Silence
from minewatch_edge.sparkplug.births import PointBirth

log = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000
_NOTES_WAITING = 2_000
_NEVER_NS = 1 << 62
TEST_RULE = "output-test"
FAILED_RULE = "output-failed"


class NoSafety:
    """A gateway that judges nothing by itself: it pays nothing for it."""

    observer = None

    def start(self, moment: Moment) -> None:
        """Have nothing to begin."""

    def stop(self) -> None:
        """Have nothing to end."""

    def measure(self, points: Sequence[PointBirth], moment: Moment) -> None:
        """Care for no points."""

    def step(self, moment: Moment, tell: Callable[[Event], None]) -> int:
        """Never be due."""
        return moment.mono_ns + _NEVER_NS

    def noted(self) -> None:
        """Have told nothing."""

    def problems(self) -> dict[str, str]:
        """Have none."""
        return {}

    def report(self) -> dict[str, Any]:
        """Have nothing to show."""
        return {}


class Safety:
    """Judges, outputs, buttons and the alerts of a gateway."""

    def __init__(
        self,
        site: str,
        gateway: str,
        rules: Sequence[Rule],
        points: Sequence[PointBirth],
        *,
        state: Path,
        outputs: Sequence[Output] = (),
        panels: Sequence[Panel] = (),
    ) -> None:
        """``points`` are those of the sampler, in its order: `observe` counts in them."""
        self._name = f"{site}/{gateway}"
        self._site = site
        self._rules = tuple(rules)
        self._moved: list[Transition] = []
        self._judges: list[PointJudge | None] = []
        self._lives = Lives(self._name)
        self._state = state
        self._outputs = tuple(outputs)
        self._watch(points)
        self._panels = tuple(panels)
        self._testing: dict[str, int] = {}  # until when, by output
        self._failed: dict[str, int] = {}  # since when, by output
        self._notes: deque[str] = deque()
        self._handed = 0  # notes that are on their way to the spool
        self._changed = False
        self._saved_ns = 0
        self._problems: dict[str, str] = {}
        self.notes_dropped = 0

    @property
    def limits(self) -> list[Limit]:
        """Every rule at every point that is judged here."""
        return [limit for judge in self._judges if judge is not None for limit in judge.limits]

    @property
    def lives(self) -> Lives:
        """The alerts that are not over."""
        return self._lives

    def start(self, moment: Moment) -> None:
        """Go on with what was saved, and drive the outputs at once."""
        try:
            saved = state_file.load(self._state)
            self._restore(saved)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.error("local alerts cannot be read back (%s: %s); they begin anew", self._state, error)
            self._problems["safety state"] = f"{self._state} could not be read: {error}"
        self._silence.begin(moment.mono_ns)
        for event in self._lives.withdraw(moment.wall_ns):
            self._tell(event)
        for output in self._outputs:
            output.start()
        for panel in self._panels:
            panel.start()
        self.step(moment)

    def measure(self, points: Sequence[PointBirth], moment: Moment) -> None:
        """Go on with other points; of those that stay nothing is forgotten."""
        self._watch(points)
        self._silence.begin(moment.mono_ns)
        for event in self._lives.withdraw(moment.wall_ns):
            self._tell(event)

    def _watch(self, points: Sequence[PointBirth]) -> None:
        known = {judge.place: judge for judge in self._judges if judge is not None}
        made = judges(self._rules, [Place.of(self._site, p) for p in points], self._moved.append)
        self._judges = [known.get(j.place, j) if j is not None else None for j in made]
        watched = [judge for judge in self._judges if judge is not None]
        self._lives.watch([limit for judge in watched for limit in judge.limits])
        self._silence = Silence(watched, [output.config for output in self._outputs])

    def stop(self) -> None:
        """Save; outputs that an alert holds stay as they are, the others take their fail-safe position."""
        for output in self._outputs:
            output.stop()
        for panel in self._panels:
            panel.stop()
        self._save()

    def observe(self, _device: str, columns: Columns) -> None:
        """Judge readings; a point that no rule watches costs nothing."""
        judges_, doubted = self._judges, columns.clock == UNKNOWN
        for point, at_ms, value, quality in zip(
            columns.points, columns.times, columns.values, columns.qualities, strict=True
        ):
            judge = judges_[point]
            if judge is not None:
                judge.take(at_ms * 1_000_000, value, quality, doubted=doubted)

    def judge(self, point: int) -> PointJudge | None:
        """Return the judge of a point, None where no rule watches it."""
        return self._judges[point]

    @property
    def observer(self) -> Callable[[str, Columns], None]:
        """What is to hear every reading."""
        return self.observe

    def step(self, moment: Moment, tell: Callable[[Event], None] | None = None) -> int:
        """Do what the readings and buttons ask for; return when to come again, on the steady clock.

        ``tell`` takes what is to be told; it is kept until `noted` says that the spool holds it.
        """
        for moved in self._moved:
            event = self._lives.take(moved, moment.wall_ns)
            log.warning("%s: %s at %s (%g)", event["event"], event["rule"], event["place"], moved.value)
            self._tell(event)
        self._moved.clear()
        due = [moment.mono_ns + _SECOND_NS]
        for panel in self._panels:
            pressed, again_ns = panel.step(moment.mono_ns)
            due.append(again_ns)
            if pressed:
                self._press(panel, moment)
        self._silence.look(moment.mono_ns)
        due += [self._drive(output, moment) for output in self._outputs]
        fresh = len(self._notes) > self._handed
        if self._changed and (fresh or moment.mono_ns - self._saved_ns >= _SECOND_NS):
            self._saved_ns = moment.mono_ns
            self._save()
        if tell is not None and self._handed < len(self._notes):
            for content in self.take_notes():
                tell(content)
        return min(due)

    # --- notes ----------------------------------------------------------------------------------------------

    @property
    def notes(self) -> Sequence[str]:
        """What the spool does not hold yet, the oldest first."""
        return tuple(self._notes)

    def take_notes(self) -> list[Event]:
        """Return what was not handed out before."""
        fresh = [json.loads(note) for note in list(self._notes)[self._handed :]]
        self._handed = len(self._notes)
        return fresh

    def noted(self) -> None:
        """Learn that the spool holds all that was handed out."""
        if self._handed:
            self._changed = True
        for _ in range(self._handed):
            self._notes.popleft()
        self._handed = 0

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by part."""
        found = dict(self._problems)
        found |= {f"output {o.config.id}": o.problem for o in self._outputs if o.problem}
        found |= {f"panel {p.config.id}": p.problem for p in self._panels if p.problem}
        found |= self._silence.problems()
        if self.notes_dropped:
            found["notes"] = f"{self.notes_dropped} events were given up: the spool did not take them"
        return found

    def report(self) -> dict[str, Any]:
        """Return what the state shows: outputs by their name, and the alerts that stand."""
        return {
            "outputs": {
                o.config.id: {"on": o.wanted.on, "why": o.wanted.why, "obeys": not o.problem}
                for o in self._outputs
            },
            "alerts": [
                {"rule": x.rule, "place": x.place, "active": x.active, "acknowledged": x.acknowledged}
                for x in self._lives.held.values()
            ],
        }

    # --- inside ---------------------------------------------------------------------------------------------

    def _drive(self, output: Output, moment: Moment) -> int:
        config = output.config
        testing = self._testing.get(config.id, 0) > moment.mono_ns
        silent = self._silence.of(config)
        again_ns = output.step(position(config, self._lives.held, silent, testing), moment.mono_ns)
        if output.failed != (config.id in self._failed):
            self._tell_failure(output, moment)
        return min(again_ns, self._testing[config.id]) if testing else again_ns

    def _press(self, panel: Panel, moment: Moment) -> None:
        config, actor = panel.config, f"panel:{self._name}/{panel.config.id}"
        log.warning("panel %s: %s", config.id, config.action)
        if config.action == "acknowledge":
            for event in self._lives.acknowledge(actor, config.rules, config.zones, moment.wall_ns):
                self._tell(event)
            self._silence.acknowledge(config.zones)
            return
        driven = [o.config.id for o in self._outputs if globs.matches(config.outputs, o.config.id)]
        until_ns = moment.mono_ns + int(config.test_s * 1e9)
        self._testing.update(dict.fromkeys(driven, until_ns))
        event = self._own("test", TEST_RULE, config.id, moment.wall_ns, moment.wall_ns, actor)
        self._tell(event | {"outputs": driven, "seconds": config.test_s})

    def _tell_failure(self, output: Output, moment: Moment) -> None:
        name = output.config.id
        since_ns = self._failed.pop(name, 0)
        kind = "cleared" if since_ns else "raised"
        if not since_ns:
            since_ns = self._failed[name] = moment.wall_ns
        event = self._own(kind, FAILED_RULE, name, since_ns, moment.wall_ns, AGENT)
        self._tell(event | {"why": output.problem})

    def _own(self, kind: str, rule: str, part: str, cause_ns: int, time_ns: int, actor: str) -> Event:
        """Return an event about the gateway's own parts."""
        return {
            "kind": "alert", "event": kind, "rule": rule, "place": f"{self._name}/{part}", "zone": "",
            "priority": 2, "cause_ns": cause_ns, "time_ns": time_ns, "gateway_ns": time_ns, "value": 0.0,
            "actor": actor, "gateway": self._name,
        }  # fmt: skip

    def _tell(self, event: Event) -> None:
        self._changed = True
        self._notes.append(json.dumps(event, ensure_ascii=False, allow_nan=False))
        while len(self._notes) > _NOTES_WAITING:
            self._notes.popleft()
            self._handed = max(0, self._handed - 1)
            self.notes_dropped += 1

    def _restore(self, saved: dict[str, Any]) -> None:
        self._lives.restore(saved.get("lives", ()))
        self._failed = {str(k): int(v) for k, v in saved.get("failed", {}).items()}
        notes = [str(note) for note in saved.get("notes", ())]
        for note in notes:
            json.loads(note)
        self._notes.extend(notes)
        known = {output.config.id for output in self._outputs}
        self._failed = {k: v for k, v in self._failed.items() if k in known}
        for output in self._outputs:
            output.failed = output.config.id in self._failed

    def _save(self) -> None:
        if not self._changed:
            return
        state = {"lives": self._lives.save(), "failed": self._failed, "notes": list(self._notes)}
        try:
            state_file.save(self._state, state)
        except OSError as error:
            if "safety state" not in self._problems:
                log.error("local alerts cannot be saved (%s); a restart would forget them", error)
            self._problems["safety state"] = f"{self._state} cannot be written: {error}"
            return
        self._changed = False
        if self._problems.pop("safety state", ""):
            log.warning("local alerts are saved again")
