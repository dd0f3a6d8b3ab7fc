"""Whether a sensor can be trusted, live: drift against its neighbours, and what it no longer answers.

Readings become means of an hour, each hour of a zone is closed by the readings of the next, and costs a look
at each sensor then. Judged are quantities of the air that the meters of a zone share. An answer is looked for
to changes of the neighbours, of the barometer (gas comes out of the gob as it falls) and to test gas. Each
sensor has its own memory, so that one that comes or goes makes none of the others learn anew; a new
calibration date does, because drift is counted from a calibration on.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from minewatch.contracts import (
    B1,
    F8,
    I8,
    PointInfo,
    Quality,
    ReadingBatch,
    ScoreBatch,
    Subject,
    Text,
    TrialChange,
    TrialStage,
)
from minewatch.detect import parcel
from minewatch.detect.company import trust_words
from minewatch.detect.company.catalogue import IDS
from minewatch.detect.company.trust_settings import TrustSettings
from minewatch.detect.instruments import SHARED_AIR
from minewatch.detect.judge import Statistics
from minewatch.detect.kernels.layout import Rows
from minewatch.detect.kernels.trust import LEAST_OTHERS, collect, response, walk_drift, walk_response
from minewatch.detect.kernels.trust_layout import (
    BY_BAROMETER,
    BY_NEIGHBOURS,
    BY_TEST_GAS,
    MEANS,
    STIMULI,
    TRUST,
)

LATE = Counter("minewatch_trust_late_total", "Readings of hours that were closed already: in no mean.")

RECOVERED = "recovered"  # the reason of a test that went as tests go
GRACE_NS = 60_000_000_000  # how long a step waits for readings that come later
COVERED = 0.5  # share of a step's readings that its mean needs
HOLE_STEPS = 3  # what was pending before a longer hole begins anew
GASES = frozenset({"methane", "carbon_dioxide", "oxygen"})  # that come and go with the barometer
DRIFT, RESPONSE = IDS["drift"], IDS["response"]
KINDS = {"trust": TRUST}
HALF = 0.5  # of an answer; more is lost
EVENT = 0.5  # so many times the least drift is a change of the neighbours to be answered


@dataclass(frozen=True, slots=True)
class _Group:
    """Meters of one quantity in one zone; ``barometer`` is the slot of the one that they are held against."""

    slots: NDArray[np.int64]
    points: tuple[int, ...]
    infos: tuple[PointInfo, ...]
    needed: F8  # readings of a step
    least: float
    floor: float
    barometer: int


class _Drifts(NamedTuple):
    """Of each sensor: the drift in times of what is told, in its unit, beside how many, and their median."""

    size: F8
    off: F8
    others: I8
    around: F8


class Trust:
    """The memory of all sensors that are watched, for one thread at a time."""

    def __init__(self, settings: TrustSettings) -> None:
        self.settings = settings
        self._step_ns = round(settings.step_s * 1e9)
        self._bounds = np.full(STIMULI, HALF)
        self._bounds[BY_TEST_GAS] = settings.test_gas_lost
        self._points: tuple[PointInfo, ...] = ()
        self._rows: Rows = np.zeros(0, TRUST)
        self._slot: I8 = np.zeros(0, np.int64)  # of each point, -1 where it is not watched
        self._group: I8 = np.zeros(0, np.int64)  # of each slot
        self._groups: list[_Group] = []
        self._open: I8 = np.zeros(0, np.int64)
        self._newest: I8 = np.zeros(0, np.int64)

    @property
    def subjects(self) -> Sequence[Subject]:
        """Each sensor with what can be said of it."""
        return [
            Subject(detector, info)
            for group in self._groups
            for info in group.infos
            for detector in (DRIFT, RESPONSE)
            if len(group.infos) > LEAST_OTHERS or (detector == RESPONSE and info.quantity in GASES)
        ]

    def set_points(self, points: Sequence[PointInfo]) -> None:
        """Watch these points from now on; a sensor that is known goes on where it stood."""
        if not self.settings.enabled or tuple(points) == self._points:
            return
        before, keys = self._told(), self._keys()
        self._points = tuple(points)
        by: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for p, info in enumerate(points):
            if info.zone and (info.quantity, info.unit) in SHARED_AIR:
                by[info.site, info.zone, info.quantity, info.unit].append(p)
        members = [p for group in by.values() for p in group]
        self._slot = np.full(len(points), -1, np.int64)
        self._slot[members] = np.arange(len(members))
        self._group = np.repeat(np.arange(len(by)), [len(group) for group in by.values()])
        self._rows = _fresh(
            [keys.get(id(points[p])) or _key(points[p], self.settings.step_s) for p in members]
        )
        barometers = _barometers(points)
        self._groups = [self._described(group, points, barometers) for group in by.values()]
        self._open, self._newest = np.zeros(len(by), np.int64), np.zeros(len(by), np.int64)
        self._go_on(before)

    def take(self, batch: ReadingBatch) -> tuple[list[ScoreBatch], list[Statistics]]:
        """Take readings in, with the quality that the engine gave them; return what closed steps say."""
        if not self._groups or not len(batch):
            return [], []
        good = (batch.quality < Quality.UNCERTAIN) & np.isfinite(batch.value) & (self._slot[batch.point] >= 0)
        good &= batch.ts_ns > 0
        if not good.any():
            return [], []
        slot, ts, value = self._slot[batch.point[good]], batch.ts_ns[good], batch.value[good]
        step = ts // self._step_ns
        found: list[ScoreBatch] = []
        said: list[Statistics] = []
        for one in [int(step[0])] if step.min() == step.max() else np.unique(step).tolist():
            mine = step == one
            self._take(slot[mine], ts[mine], value[mine], one, found, said)
        return found, said

    def tested(self, trials: Sequence[TrialChange]) -> list[Statistics]:
        """Take note of what meters showed of test gas, once a test is over; return what that says.

        Only tests that were told to be ones and ended as such count, and of them those whose bottle nobody
        stated: less shown of a weaker bottle is no loss, and what is shown of a stated one is in the ledger.
        """
        said: list[Statistics] = []
        way = self.settings
        for trial in trials:
            slot = int(self._slot[trial.point]) if trial.point < len(self._slot) else -1
            shown = trial.level - trial.base
            if trial.stage is not TrialStage.OVER or trial.reason != RECOVERED:
                continue
            if slot < 0 or not np.isfinite(shown) or _bottle_is_stated(trial):
                continue
            row = self._rows[slot]
            lost, sigmas = response(
                row["answer"][BY_TEST_GAS], 1.0, shown, way.test_gas_warm_up, way.response_tie,
                way.response_memory, way.test_gas_recent, way.response_sure,
            )  # fmt: skip
            if np.isfinite(lost):
                row["lost"][BY_TEST_GAS], row["sigmas"][BY_TEST_GAS] = lost, sigmas
                if (loss := self._loss(self._points[trial.point], row)) is not None:
                    said.append(self._row(RESPONSE, self._points[trial.point].place, trial.ts_ns, *loss))
        return said

    def state(self) -> parcel.Arrays:
        """Return what is remembered, for a snapshot."""
        return {"trust": self._told()}

    def restore(self, arrays: parcel.Arrays) -> None:
        """Go on where a snapshot stood, sensor by sensor; one of before these detectors has nothing."""
        if "trust" in arrays:
            self._go_on(arrays["trust"])

    @staticmethod
    def warm_up() -> None:
        """Compile everything that live data need, before they come."""
        info = [
            PointInfo(f"s/{d}/x", "s", "g", d, "x", "methane", "% CH4", "z", interval_s=1.0) for d in "abc"
        ]
        trust = Trust(TrustSettings(step_s=1.0))
        trust.set_points(info)
        ids = np.arange(3, dtype=np.int32)
        zeros = np.zeros(3, np.uint8)
        for second in (1, 2, 200):
            at = np.full(3, second * 1_000_000_000)
            trust.take(ReadingBatch(ids, at, np.ones(3), zeros, zeros.astype(np.bool_)))
        response(trust._rows[0]["answer"][BY_TEST_GAS], 1.0, 1.0, 4.0, 0.5, 9.0, 2.0, 4.0)

    def _described(self, points: list[int], infos: Sequence[PointInfo], barometers: dict[str, int]) -> _Group:
        mine = tuple(infos[p] for p in points)
        first = mine[0]
        steps = np.array([self.settings.step_s / i.interval_s if i.interval_s > 0 else 0.0 for i in mine])
        barometer = barometers.get(_place(first), barometers.get(first.site, -1))
        return _Group(
            self._slot[points],
            tuple(points),
            mine,
            np.maximum(np.floor(COVERED * steps), 1.0),
            self.settings.drift_least.get(first.quantity, SHARED_AIR[first.quantity, first.unit]),
            max(max(i.resolution for i in mine), 1e-9),
            int(self._slot[barometer]) if barometer >= 0 and first.quantity in GASES else -1,
        )

    def _take(
        self, slot: I8, ts: I8, value: F8, step: int, found: list[ScoreBatch], said: list[Statistics]
    ) -> None:
        """Take readings of one step in; close what they close."""
        group = self._group[slot]
        touched: B1 = np.zeros(len(self._groups), np.bool_)
        touched[group] = True
        np.maximum.at(self._newest, group, ts)
        for g in np.flatnonzero(touched & (self._open < step - 1)).tolist():
            first = int(self._open[g])
            for past in (first, first + 1) if first else ():  # no more of them can hold readings
                if past < step - 1:
                    self._close(g, past, found, said)
            self._reach(g, step - 1 if first else step)
        LATE.inc(collect(self._rows, slot, np.ascontiguousarray(value), step))
        due = touched & (self._newest >= (self._open + 1) * self._step_ns + GRACE_NS)
        for g in np.flatnonzero(due).tolist():
            past = int(self._open[g])
            self._close(g, past, found, said)
            self._reach(g, past + 1)

    def _reach(self, g: int, step: int) -> None:
        self._open[g] = step
        self._rows["open"][self._groups[g].slots] = step

    def _close(self, g: int, step: int, found: list[ScoreBatch], said: list[Statistics]) -> None:
        """Judge the means of a step that is over."""
        group = self._groups[g]
        rows = self._rows[group.slots]
        means = _means(rows, step, group.needed)
        if np.isnan(means).all():
            return
        ts_ns = (step + 1) * self._step_ns
        told = self._drifting(group, rows, means, ts_ns)
        self._answering(group, rows, means, step, told.around)
        self._rows[group.slots] = rows
        for k in np.flatnonzero(np.isfinite(told.size)).tolist():
            lasted = ts_ns - int(rows["since_ns"][k])
            say = partial(
                trust_words.drifted, group.infos[k], float(told.off[k]), int(told.others[k]), lasted
            )
            self._tell(DRIFT, group, k, ts_ns, float(told.size[k]), say, found, said)
        for k in np.flatnonzero(np.isfinite(means)).tolist():
            if (loss := self._loss(group.infos[k], rows[k])) is not None:
                self._tell(RESPONSE, group, k, ts_ns, *loss, found, said)

    def _drifting(self, group: _Group, rows: Rows, means: F8, ts_ns: int) -> _Drifts:
        """Let the rows learn; return how far each sensor has drifted, in times of what is told."""
        way, n = self.settings, len(means)
        sensors = np.ascontiguousarray(rows["drift"])
        off, sigmas, around = (np.empty((1, n)) for _ in range(3))
        others = np.empty((1, n), np.int64)
        table = means[np.newaxis]
        walk_drift(table, sensors, way.drift_warm_up, group.floor, off, sigmas, around, others)
        rows["drift"] = sensors
        size = np.minimum(np.abs(sigmas[0]) / way.drift_half, np.abs(off[0]) / group.least)
        began = np.where(rows["since_ns"] > 0, rows["since_ns"], ts_ns - self._step_ns)
        rows["since_ns"] = np.where(size >= 0.5, began, np.where(np.isnan(size), rows["since_ns"], 0))
        return _Drifts(size, off[0], others[0], around[0])

    def _answering(self, group: _Group, rows: Rows, means: F8, step: int, around: F8) -> None:
        """Let the rows note whether the sensors answered what moved at this step."""
        way = self.settings
        pressure = np.full(len(means), self._pressure(group, step))
        for stimulus, moved, least in (
            (BY_NEIGHBOURS, around, EVENT * group.least),
            (BY_BAROMETER, pressure, way.barometer_hpa),
        ):
            answers = np.ascontiguousarray(rows["answer"][:, stimulus])
            lost, sigmas = (np.ascontiguousarray(rows[name][:, stimulus]) for name in ("lost", "sigmas"))
            walk_response(
                answers, step, moved, means, least, way.event_steps, way.response_warm_up, way.response_tie,
                way.response_memory, way.response_recent, way.response_sure, lost, sigmas,
            )  # fmt: skip
            rows["answer"][:, stimulus] = answers
            rows["lost"][:, stimulus], rows["sigmas"][:, stimulus] = lost, sigmas

    def _pressure(self, group: _Group, step: int) -> float:
        if group.barometer < 0:
            return float("nan")
        return float(_means(self._rows[[group.barometer]], step, np.ones(1))[0])

    def _loss(self, info: PointInfo, row: np.void) -> tuple[float, partial[Text]] | None:
        """Return the largest loss of an answer and its words, if one is known."""
        size = np.minimum(row["lost"] / self._bounds, row["sigmas"] / self.settings.response_sure)
        if np.isnan(size).all():
            return None
        worst = int(np.nanargmax(size))
        lost, missed = float(row["lost"][worst]), int(row["answer"]["missed"][worst])
        return max(float(size[worst]), 0.0), partial(trust_words.unanswered, info, worst, lost, missed)

    def _tell(
        self, detector: int, group: _Group, k: int, ts_ns: int, size: float, say: partial[Text],
        found: list[ScoreBatch], said: list[Statistics],
    ) -> None:  # fmt: skip
        said.append(self._row(detector, group.infos[k].place, ts_ns, size, say))
        if size >= 1.0:  # a score of 0.5
            found.append(_scored(detector, group.points[k], ts_ns, size))

    def _row(self, detector: int, place: str, ts_ns: int, size: float, say: partial[Text]) -> Statistics:
        hole_ns = HOLE_STEPS * self._step_ns
        return Statistics(detector, place, np.array([ts_ns]), np.array([size]), hole_ns, lambda _: say())

    def _told(self) -> Rows:
        rows = self._rows.copy()
        rows["newest_ns"] = self._newest[self._group]
        return rows

    def _keys(self) -> dict[int, int]:
        """Return the keys of the points that are known, by the identity of their descriptions."""
        slots = self._slot.tolist()
        keys = self._rows["key"].tolist()
        return {id(info): keys[slot] for info, slot in zip(self._points, slots, strict=True) if slot >= 0}

    def _go_on(self, before: Rows) -> None:
        """Take over what is known of sensors with the same key; a group goes on at its newest one."""
        _, mine, old = np.intersect1d(self._rows["key"], before["key"], return_indices=True)
        self._rows[mine] = before[old]
        if len(self._groups):
            begin = np.flatnonzero(np.diff(self._group, prepend=-1))  # the slots of a group are neighbours
            self._newest = np.maximum.reduceat(self._rows["newest_ns"], begin)
            self._open = np.maximum.reduceat(self._rows["open"], begin)
            self._rows["open"] = self._open[self._group]


def _means(rows: Rows, step: int, needed: F8) -> F8:
    column = step % MEANS
    there = (rows["which"][:, column] == step) & (rows["count"][:, column] >= needed)
    found: F8 = np.full(len(rows), np.nan)
    found[there] = rows["sum"][there, column] / rows["count"][there, column]
    return found


def _fresh(keys: Sequence[int]) -> Rows:
    rows = np.zeros(len(keys), TRUST)
    rows["key"] = keys
    rows["drift"]["offset"] = np.nan
    rows["lost"] = rows["sigmas"] = np.full(STIMULI, np.nan)
    return rows


def _bottle_is_stated(trial: TrialChange) -> bool:
    return trial.announcement is not None and np.isfinite(trial.announcement.gas_pct)


def _key(info: PointInfo, step_s: float) -> int:
    """Return what a memory is worth only with: place, what is measured there, calibration, step."""
    text = repr((info.place, info.zone, info.quantity, info.unit, info.calibration_due_ns, step_s))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little", signed=True)


def _place(info: PointInfo) -> str:
    return f"{info.site}/{info.zone.partition('/')[0]}"


def _barometers(points: Sequence[PointInfo]) -> dict[str, int]:
    """Return the first barometer of each site, and of each first step of its zones."""
    found: dict[str, int] = {}
    for p, info in enumerate(points):
        if (info.quantity, info.unit) == ("barometric_pressure", "hPa") and info.zone:
            found.setdefault(_place(info), p)
            found.setdefault(info.site, p)
    return found


def _scored(detector: int, point: int, ts_ns: int, size: float) -> ScoreBatch:
    return ScoreBatch(
        np.array([point], np.int32),
        np.array([ts_ns]),
        np.array([detector], np.uint16),
        np.array([size / (size + 1.0)], np.float32),
        np.array([size]),
    )
