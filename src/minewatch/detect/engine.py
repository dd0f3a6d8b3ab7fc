"""The engine: readings in, findings out.

Live data, replay and tests drive the same one; time comes with the data.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray
from prometheus_client import Counter

from minewatch.contracts import (
    B1,
    F8,
    I4,
    I8,
    U1,
    Findings,
    LimitTable,
    Outlook,
    PlaceEvidence,
    PointInfo,
    ReadingBatch,
    ScoreBatch,
    Transitions,
    TrialChange,
)
from minewatch.detect import limits, slots
from minewatch.detect import state as rows
from minewatch.detect.catalogue import DETECTORS
from minewatch.detect.kernels.gap import sweep
from minewatch.detect.kernels.jit import WHY_NO_CACHE
from minewatch.detect.kernels.layout import (
    GAP,
    NONE,
    SCORE,
    TRANSITION,
    UNCERTAIN_CLOCK,
    Rows,
    State,
)  # fmt: skip
from minewatch.detect.kernels.walk import walk
from minewatch.detect.memory import extended
from minewatch.detect.outlook import outlooks
from minewatch.detect.phases import Phases
from minewatch.detect.settings import DetectSettings
from minewatch.detect.trials import Trials
from minewatch.errors import NotFound

READINGS = Counter("minewatch_detect_readings_total", "Readings that the detectors took in.")
LATE = Counter("minewatch_detect_late_total", "Readings not after their point's last one: not judged.")
SCORES = Counter("minewatch_detect_scores_total", "Scores of at least 0.5.")

ROOM = 4096  # rows of the output buffers; a step that finds more goes round again
Number = TypeVar("Number", bound=np.generic)
log = structlog.get_logger(__name__)
NO_STATISTICS: F8 = np.zeros((0, len(DETECTORS)))


class Engine:
    """Detectors and limits of any number of points, for one thread at a time (kernels release the GIL)."""

    def __init__(self, settings: DetectSettings) -> None:
        self.late = 0
        self._phases = Phases(settings)
        self._reached: I4 = np.zeros(0, np.int32)  # by which phase of the settings each point is judged
        self.trials = Trials(settings.test_gas)
        self._points: list[PointInfo] = []
        self._told: list[bytes] = []  # the points as a snapshot tells them
        self._state = rows.empty()
        self._gap_limits = np.zeros(0, np.int64)
        self._moved = np.zeros(ROOM, TRANSITION)
        self._scored = np.zeros(ROOM, SCORE)

    @property
    def points(self) -> Sequence[PointInfo]:
        """The points in the order of their ids."""
        return self._points

    @property
    def state(self) -> State:
        """Everything that is remembered, for those who look at many points at once; not to be written."""
        return self._state

    def add_points(self, points: Sequence[PointInfo]) -> None:
        """Give the points the next dense ids."""
        used, wanted = len(self._points), len(self._points) + len(points)
        widest = max((len(p.sentinels) for p in points), default=0)
        self._state = rows.grow(self._state, wanted, widest)
        self._reached = extended(self._reached, wanted)
        self._reached[used:] = 0
        rows.describe(self._state, np.arange(used, wanted), points, self._phases.settings[0])
        self.trials.describe(used, points)
        self._points.extend(points)
        self._told.extend(rows.told(info) for info in points)

    def replace_point(self, point: int, info: PointInfo) -> None:
        """Describe a point anew; what it has learned is kept unless quantity or unit changed."""
        self._check(point)
        before = self._points[point]
        self._state = rows.grow(self._state, len(self._points), len(info.sentinels))
        if (before.quantity, before.unit) != (info.quantity, info.unit):
            rows.forget(self._state, point)
            self._reached[point] = 0
            slots.forget(self._state, point, self._phases.settings, self._reached)
        settings = self._phases.settings[self._reached[point]]
        rows.describe(self._state, np.array([point]), [info], settings)
        self.trials.describe(point, [info])
        self._points[point] = info
        self._told[point] = rows.told(info)

    def change(self, settings: DetectSettings) -> None:
        """Take other settings: each reading from now on is judged by those of its own time."""
        before, self._phases = self._phases, Phases(settings)
        self._settle(before)

    def set_limits(self, table: LimitTable, *, first: int = 0) -> None:
        """Judge points from ``first`` on by these limits from now on; those before it keep theirs.

        A limit with a known key goes on where it stood. Raises ConfigError for a limit that no reading could
        be judged by.
        """
        limit = limits.rows_of(table, range(first, len(self._points)), range(len(DETECTORS)))
        kept, old = np.split(self._state.limit, [self._state.limit_first[first]])
        limits.carry(limit, old, np.arange(len(self._points)))
        self._install(np.concatenate((kept, limit)))

    def step(self, batch: ReadingBatch, heard_ns: int = NONE) -> Findings:
        """Take readings in: points in any order, time order within each. Raises NotFound for a strange id.

        ``heard_ns`` is when they were heard, by the clock that ``tick`` is told: then silence is judged by
        that clock alone, whatever the senders' clocks say. Without it the readings' own times judge.
        Rows that are not after their point's last reading are counted late: they get a quality, no judgement,
        unless they are marked UNCERTAIN_CLOCK (see ``behind``).
        """
        return self._step(batch, NO_STATISTICS, heard_ns)

    def behind(self, batch: ReadingBatch) -> B1:
        """Return which rows are not after their point's last reading, at the start of the batch."""
        return np.asarray(batch.ts_ns <= self._state.point["track"]["last_ns"][batch.point], np.bool_)

    def statistics(self, batch: ReadingBatch) -> tuple[Findings, F8]:
        """Step, and return also what every detector said: (rows, detectors), NaN where it said nothing."""
        table = np.full((len(batch), len(DETECTORS)), np.nan)
        return self._step(batch, table, NONE), table

    def tick(self, now_ns: int) -> Transitions:
        """Judge silence by the clock; every other limit is judged by readings alone."""
        parts: list[Rows] = []
        done = 0
        while done < len(self._gap_limits):
            done, moved = sweep(
                self._state.point, self._state.limit, self._gap_limits, done, int(now_ns), self._moved
            )
            if moved:
                parts.append(self._moved[:moved].copy())
        return limits.transitions(parts)

    def tick_trials(self, now_ns: int) -> tuple[TrialChange, ...]:
        """Return the trials of calibration gas that end by the clock."""
        return self.trials.tick(now_ns, self._phases.signs[int(self._phases.at(now_ns))])

    def standing_trials(self, now_ns: int) -> tuple[TrialChange, ...]:
        """Return how each trial stands that runs, or is over while alerts of it may still wait."""
        return self.trials.standing(self._phases.signs[int(self._phases.at(now_ns))])

    def outlook(self, points: Sequence[int], now_ns: int) -> tuple[Outlook, ...]:
        """Return when points whose forecast pays will reach their next limit."""
        return outlooks(self._state, points, now_ns)

    def hear(self, points: I4, now_ns: int) -> None:
        """Let the silence of these points begin anew, as when their gateway is back or stands for them."""
        track = self._state.point["track"]
        track["heard_ns"][points] = np.maximum(track["heard_ns"][points], now_ns)

    def expect(self, points: I4, now_ns: int) -> None:
        """Let the silence of these points begin now, whatever was noted: a start, a birth, a clock set anew.

        Unlike ``hear`` it also takes back a time that is still to come, as a sender's fast clock leaves it.
        """
        self._state.point["track"]["heard_ns"][points] = now_ns

    def silence_anew(self, points: I4, now_ns: int) -> None:
        """Let the silence of these points begin now and be judged as if it had never been found."""
        self.hear(points, now_ns)
        limit = self._state.limit
        mine = self._gap_limits[np.isin(limit["point"][self._gap_limits], points)]
        limit["since_ns"][mine] = NONE
        limit["active"][mine] = 0

    def resume(self, keys: I8) -> None:
        """Take these limits as active, and no others: what the alert book says after a restart."""
        limit = self._state.limit
        active = np.isin(limit["key"], keys)
        limit["since_ns"][active != (limit["active"] != 0)] = NONE
        limit["active"] = active

    def begin_anew(self, point: int) -> None:
        """Let every limit of a point begin anew, inactive: there is a hole before its next reading."""
        limit = self._state.limit
        limit["since_ns"][limit["point"] == point] = NONE
        limit["hits"][limit["point"] == point] = 0
        limit["active"][limit["point"] == point] = 0

    def last_ns(self) -> I8:
        """Return the time of the last reading of every point; the smallest i8 where there is none."""
        return self._state.point["track"]["last_ns"][: len(self._points)].copy()

    def judged_ns(self) -> I8:
        """Return the time of the last row that limits were judged by, its clock doubted or not."""
        return self._state.point["track"]["judged_ns"][: len(self._points)].copy()

    def snapshot(self) -> bytes:
        """Return everything the engine remembers, as bytes that prove themselves whole."""
        return b"".join(self.encode())

    def encode(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes of a snapshot piece by piece, without a copy of what is large."""
        told = b"[" + b",".join(self._told) + b"]"
        return rows.encode(self._state, len(self._points), told, self.trials.snapshot())

    def restore(self, data: bytes) -> None:
        """Go on where a snapshot stood. Raises StoreError, and changes nothing, when it cannot be read.

        Points are matched by place and limits by key. An engine without points takes those of the snapshot,
        one without limits takes its limits too. Points described otherwise by now keep today's description.
        """
        infos, arrays = rows.decode(data)
        if not self._points:
            self.add_points(infos)
        ids = {info.place: p for p, info in enumerate(self._points)}
        target = np.array([ids.get(info.place, -1) for info in infos], np.int64)
        for old, new in enumerate(target):
            before, now = infos[old], self._points[new]
            if new >= 0 and (before.quantity, before.unit) != (now.quantity, now.unit):
                target[old] = -1
        source = np.flatnonzero(target >= 0)
        rows.take_over(self._state, arrays, source, target[source])
        unheard = np.flatnonzero(self._state.point["track"]["heard_ns"][: len(self._points)] == NONE)
        rows.describe(
            self._state, unheard, [self._points[p] for p in unheard.tolist()], self._phases.settings[0]
        )
        self._settle(self._phases)
        self.trials.take_over(arrays["trial"], target)
        self._restore_limits(arrays["limit"], target)
        slots.carry(self._state, {name: slots.moved(arrays[name], target) for name in slots.SLOTS})

    @staticmethod
    def warm_up() -> None:
        """Compile everything that a step, a tick and a score need, so that no reading ever waits for it."""
        engine = Engine(DetectSettings())
        engine.add_points([PointInfo("w", "w", "w", "w", "w", "value", "1", "w")])
        one = np.ones(1)
        engine.set_limits(
            LimitTable(
                key=np.array([1, 2]),
                point=np.zeros(2, np.int32),
                detector=np.array([0, GAP], np.uint16),
                comparison=np.zeros(2, np.uint8),
                threshold=np.append(one, one),
                deadband=np.zeros(2),
                on_delay_ns=np.zeros(2, np.int64),
                off_delay_ns=np.zeros(2, np.int64),
            )
        )
        engine.statistics(ReadingBatch.of([0], [0], [2.0]))
        engine.tick(2_000_000_000)
        if WHY_NO_CACHE:
            log.warning("kernels are compiled at every start", why=WHY_NO_CACHE)

    def _step(self, batch: ReadingBatch, statistics: F8, heard_ns: int) -> Findings:
        n = len(batch)
        point = _column(batch.point, np.int32)
        if n and (point.min() < 0 or point.max() >= len(self._points)):
            self._check(int(point.min()))
            self._check(int(point.max()))
        ts_ns = _column(batch.ts_ns, np.int64)
        value = _column(batch.value, np.float64)
        given = _column(batch.quality, np.uint8)
        quality = np.empty(n, np.uint8)
        found: list[tuple[Rows, Rows]] = []
        trials: list[TrialChange] = []
        places: list[PlaceEvidence] = []
        for begin, end, phase in self._runs(point, ts_ns, given):
            run = slice(begin, end)
            of = (point[run], ts_ns[run], value[run])
            found += self._walk(phase, *of, given[run], quality[run], statistics[run], int(heard_ns))
            worst = np.maximum(quality[run], given[run])
            changes, evidence = self.trials.step(*of, worst, int(heard_ns), self._phases.signs[phase])
            trials += changes
            places += evidence
        READINGS.inc(n)
        moved, scored = ([part[k] for part in found if len(part[k])] for k in (0, 1))
        return Findings(quality, limits.transitions(moved), _scores(scored), tuple(trials), tuple(places))

    def _walk(
        self, phase: int, point: I4, ts_ns: I8, value: F8, given: U1, quality: U1, statistics: F8, heard: int
    ) -> Iterator[tuple[Rows, Rows]]:
        """Take rows of one phase in; yield transitions and scores as often as their buffers fill."""
        parameters = self._phases.parameters[phase]
        done = 0
        while done < len(point):
            done, moved, scored, late = walk(
                self._state, parameters, point, ts_ns, value, given, done, quality,
                self._moved, self._scored, statistics, heard,
            )  # fmt: skip
            if late:
                self.late += late
                LATE.inc(late)
            yield self._moved[:moved].copy(), self._scored[:scored].copy()

    def _runs(self, point: I4, ts_ns: I8, given: U1) -> Iterator[tuple[int, int, int]]:
        """Yield (begin, end, phase) of rows that one phase of the settings judges, its points taken there."""
        if len(self._phases) == 1:
            yield 0, len(point), 0
            return
        phase = self._phases.of_rows(point, ts_ns, given == UNCERTAIN_CLOCK, self._reached)
        edges = np.flatnonzero(np.diff(phase, prepend=-1, append=-1)).tolist()
        for begin, end in itertools.pairwise(edges):
            now, here = int(phase[begin]), point[begin:end]
            ahead = np.unique(here[self._reached[here] != now]).astype(np.int64)
            if len(ahead):
                self._enter(ahead, np.full(len(ahead), now, np.int32), self._phases)
            yield begin, end, now

    def _settle(self, before: Phases) -> None:
        """Take every point to the phase of its last reading, from where it stood in ``before``."""
        self._enter(np.arange(len(self._points)), self._phases.at(self.last_ns()), before)

    def _enter(self, points: I8, phase: I4, before: Phases) -> None:
        """Take points to these phases: describe them anew where the settings of that differ."""
        reached, self._reached[points] = self._reached[points], phase
        learn_anew = False
        for old, new in np.unique(np.stack((reached, phase), axis=1), axis=0).tolist():
            was, now = before.settings[old], self._phases.settings[new]
            if rows.describing(was) != rows.describing(now):
                moved = points[(reached == old) & (phase == new)]
                rows.describe(self._state, moved, [self._points[p] for p in moved.tolist()], now)
            learn_anew |= slots.chosen(was) != slots.chosen(now)
        if learn_anew:
            self._state = slots.place(self._state, self._phases.settings, self._reached)

    def _check(self, point: int) -> None:
        if not 0 <= point < len(self._points):
            raise NotFound(
                f"engine: there is no point {point}, only 0 to {len(self._points) - 1}. Add it first."
            )

    def _install(self, limit: Rows) -> None:
        first = np.searchsorted(limit["point"], np.arange(len(self._state.limit_first)))
        self._state = slots.place(
            self._state._replace(limit=limit, limit_first=first.astype(np.int64)),
            self._phases.settings,
            self._reached,
        )
        self._gap_limits = np.flatnonzero(limit["detector"] == GAP).astype(np.int64)
        most = int(np.max(np.diff(first), initial=0))
        if 2 * most > len(self._moved):
            self._moved = np.zeros(4 * most, TRANSITION)

    def _restore_limits(self, old: Rows, target: I8) -> None:
        limit = self._state.limit
        if len(limit):
            limits.carry(limit, old, target)
            return
        limit = old.copy()
        limit["point"] = target[old["point"]]
        limit = limit[limit["point"] >= 0]
        self._install(limit[np.argsort(limit["point"], kind="stable")])


def _column(array: NDArray[Number], kind: type[Number]) -> NDArray[Number]:
    """Return the column as the one type the kernels were compiled for; a copy only when it is another."""
    return np.require(array, kind, ["C", "W"])


def _scores(parts: list[Rows]) -> ScoreBatch:
    found = np.concatenate(parts) if parts else np.zeros(0, SCORE)
    if parts:
        SCORES.inc(len(found))
    return ScoreBatch(
        *(np.ascontiguousarray(found[name]) for name in ("point", "ts_ns", "detector", "score", "evidence"))
    )
