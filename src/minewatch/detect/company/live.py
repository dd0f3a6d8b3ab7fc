"""Several points judged together, live: joined on a grid of times, scored, with reasons in words.

Devices with two sensors or more are judged by their company (``mahalanobis``: a robust default at once, the
covariance of their own first rows after that, a fitted model from the time that the settings state); meters
of one quantity in one zone by their ``neighbours``; zones with air and methane by ``airflow-gas``.

A row waits ``grace_s`` for readings that come later, so the order in which points arrive changes nothing.
Bad and uncertain readings never get in; a value is held for a while, then the sensor is missing from the row.
"""

from __future__ import annotations

import itertools
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

import numpy as np
import structlog
from prometheus_client import Counter, Gauge

from minewatch.contracts import B1, F8, I8, PointInfo, Quality, ReadingBatch, ScoreBatch, Subject, Text
from minewatch.detect.company.catalogue import IDS
from minewatch.detect.company.drift import Drift
from minewatch.detect.company.fit import Choice, fit
from minewatch.detect.company.learner import Learner
from minewatch.detect.company.model import Model, read
from minewatch.detect.company.neighbours import AirflowGas, Neighbours, Sensor
from minewatch.detect.company.scorer import Scored, Scorer, reason
from minewatch.detect.company.settings import CompanySettings, ModelInForce
from minewatch.detect.judge import Statistics
from minewatch.detect.kernels.join import join_rows

ROWS = Counter("minewatch_company_rows_total", "Rows of several points that were judged together.")
LEFT_OUT = Gauge("minewatch_company_left_out", "Devices and zones that are not judged together: too many.")
DRIFTED = Gauge("minewatch_company_drifted", "Models that no longer fit what they judge.")

ROOM = 1024  # rows that are joined at once
MOST_BUFFERED = 200_000  # readings
RESET_NS = 60_000_000_000  # a clock that goes back by more begins a group anew
AIR, METHANE = "air_velocity", "methane"
LEAST_NEIGHBOURS = 3  # of two nobody can say which is wrong
LEAST_SENSORS = 2
SPREAD = 60  # rows over which the fits of devices born at once are spread
NOTHING = ScoreBatch(
    np.zeros(0, np.int32),
    np.zeros(0, np.int64),
    np.zeros(0, np.uint16),
    np.zeros(0, np.float32),
    np.zeros(0, np.float64),
)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that alarms: the points are those of the group, ``point`` the one to look at first."""

    detector: str
    group: str
    point: int
    ts_ns: int
    score: float
    why: Text


class Company:
    """All groups of points that are judged together, for one thread at a time."""

    def __init__(self, settings: CompanySettings) -> None:
        self.settings = settings
        self.problems: list[str] = []
        self.latest: dict[str, Finding] = {}  # by detector and group: the newest row that alarmed
        self._models = _open_models(settings.models)
        self._points: tuple[PointInfo, ...] = ()
        self._groups: dict[str, _Group] = {}
        self._of_point: dict[int, list[tuple[_Group, int]]] = {}
        self._member: B1 = np.zeros(0, np.bool_)  # which points belong to a group
        self._buffer: list[ReadingBatch] = []
        self._buffered = 0
        self._done_ns = 0

    @property
    def groups(self) -> Sequence[str]:
        """The names of what is judged together, ``detector group``."""
        return tuple(self._groups)

    def drift(self) -> Sequence[Text]:
        """Return in words which models no longer fit what they judge."""
        return [g.drift.reason() for g in self._groups.values() if g.drift and g.drift.told]

    def set_points(self, points: Sequence[PointInfo]) -> None:
        """Judge these points from now on; a group whose points are the same goes on where it stood."""
        if not self.settings.enabled or tuple(points) == self._points:
            return
        self._points = tuple(points)
        before, self._groups, self.problems = self._groups, {}, []
        wanted = list(_grouped(self._points))
        for name, members in wanted[: self.settings.most_groups]:
            infos = [self._points[p] for p in members]
            kept = before.get(name)
            same = kept is not None and kept.members == members and kept.infos == infos
            self._groups[name] = kept if kept is not None and same else self._group(name, members, infos)
        LEFT_OUT.set(max(0, len(wanted) - self.settings.most_groups))
        if len(wanted) > self.settings.most_groups:
            log.warning(
                "too many devices and zones to judge together", left_out=len(wanted) - len(self._groups)
            )
        self._of_point = defaultdict(list)
        for group in self._groups.values():
            for slot, point in enumerate(group.members):
                self._of_point[point].append((group, slot))
        self._member = np.array([p in self._of_point for p in range(len(self._points))], np.bool_)

    @property
    def subjects(self) -> Sequence[Subject]:
        """What is judged together, each with the detectors that judge it."""
        return tuple(subject for group in self._groups.values() for subject in group.subjects)

    def take(self, batch: ReadingBatch) -> tuple[ScoreBatch, list[Statistics]]:
        """Take readings in, with the quality that the engine gave them; return scores of at least 0.5.

        A score names the sensor that adds most; its evidence is the statistic over its threshold, and that is
        returned for every row, too, with its reason.
        """
        if not self._groups or not len(batch):
            return NOTHING, []
        good = (batch.quality < Quality.UNCERTAIN) & np.isfinite(batch.value) & self._member[batch.point]
        if good.any():
            self._buffer.append(batch.take(good))
            self._buffered += int(np.count_nonzero(good))
        newest = int(batch.ts_ns.max())
        if abs(newest - self._done_ns) < self.settings.step_s * 1e9 and self._buffered < MOST_BUFFERED:
            return NOTHING, []  # no row can have become due: rows are paid for by the tick, not by the batch
        self._done_ns = newest
        found: list[ScoreBatch] = []
        said: list[Statistics] = []
        for group in self._feed():
            scores, statistics = group.step()
            found += scores
            said += statistics
            if group.latest is not None:
                self.latest[group.name] = group.latest
        DRIFTED.set(len(self.drift()))
        return _joined(found), said

    def _feed(self) -> Iterable[_Group]:
        """Give every group its readings; return the groups that got some."""
        batch, self._buffer, self._buffered = ReadingBatch.join(self._buffer), [], 0
        order = np.lexsort((batch.ts_ns, batch.point))
        point, ts, value = batch.point[order], batch.ts_ns[order], batch.value[order]
        edges = np.flatnonzero(np.diff(point, prepend=-1, append=-1))
        fed: dict[str, _Group] = {}
        for begin, end in itertools.pairwise(edges.tolist()):
            for group, slot in self._of_point[int(point[begin])]:
                group.feed(slot, ts[begin:end], value[begin:end])
                fed[group.name] = group
        return fed.values()

    @staticmethod
    def warm_up() -> None:
        """Compile everything that live data need, before they come."""

        def point(device: str, metric: str, quantity: str) -> PointInfo:
            return PointInfo(
                f"s/{device}/{metric}", "s", "g", device, metric, quantity, "1", "z", interval_s=1.0
            )

        company = Company(CompanySettings(grace_s=0))
        company.set_points(
            [
                point("a", "x", AIR),
                point("a", "y", METHANE),
                point("b", "y", METHANE),
                point("c", "y", METHANE),
            ]
        )
        n = 100
        table = np.random.default_rng(0).normal(1, 0.1, (n, 4))
        ts = 1_000_000_000 * (1 + np.repeat(np.arange(n), 4))
        zeros = np.zeros(4 * n, np.uint8)
        slots = np.tile(np.arange(4, dtype=np.int32), n)
        company.take(ReadingBatch(slots, ts, table.reshape(-1), zeros, zeros.astype(np.bool_)))

    def _group(self, name: str, members: tuple[int, ...], infos: list[PointInfo]) -> _Group:
        detector = name.split(" ", 1)[0]
        sensors = [Sensor(i.metric if detector == "mahalanobis" else i.device, i.unit) for i in infos]
        judges: list[_Turn] = []
        drift = None
        if detector == "neighbours":
            floor = max(i.resolution for i in infos)
            judges.append(_Turn(0, detector, Neighbours(sensors, floor=floor)))
        elif detector == "airflow-gas":
            air = sum(i.quantity == AIR for i in infos)
            judges.append(_Turn(0, detector, AirflowGas(sensors, air)))
        else:
            names = [s.name for s in sensors]
            later = zlib.crc32(name.encode()) % SPREAD
            judges.append(_Turn(0, detector, _Own(Learner(names, Choice(), _shrunk, later))))
            for since, model in self._models.get(name.split(" ", 1)[1], ()):
                missing = set(model.names) - set(names)
                if missing:
                    self.problems.append(f"{name}: its model needs {', '.join(sorted(missing))}")
                    log.error("a model does not fit its device", device=name, missing=sorted(missing))
                else:
                    judges.append(
                        _Turn(since, model.kind if model.kind in IDS else detector, _Fitted(model, names))
                    )
                    drift = Drift(name.split(" ", 1)[1], self.settings.drift_rows, self.settings.drift_share)
        least = 1.5 * self.settings.step_s  # a value held longer than its interval would count as many
        hold = [
            round((max(least, 1.5 * i.interval_s) if i.interval_s > 0 else self.settings.hold_s) * 1e9)
            for i in infos
        ]
        return _Group(name, members, infos, np.array(hold), self.settings, judges, drift)


class _Judge(Protocol):
    """What a group is judged by."""

    def take(self, rows: F8) -> Scored: ...
    def reason(self, share: F8, off: F8, row: F8) -> Text: ...


class _Turn(NamedTuple):
    """From when a judge judges, and which detector it is."""

    since_ns: int
    detector: str
    judge: _Judge


class _Own:
    """What a device has learned by itself."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def take(self, rows: F8) -> Scored:
        return self._learner.take(rows)

    def reason(self, share: F8, off: F8, row: F8) -> Text:
        return reason(self._learner.sensors, share, off)


class _Fitted:
    """A model from a file, its sensors found among those of the device by their names."""

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        self._scorer = Scorer(model)
        self._names = names
        self._columns = [names.index(n) if n in names else -1 for n in model.sensors]

    def take(self, rows: F8) -> Scored:
        found = self._scorer.take(np.column_stack([rows, np.full(len(rows), np.nan)])[:, self._columns])
        share, off = np.zeros(rows.shape), np.zeros(rows.shape)
        for column, mine in enumerate(self._columns):
            if mine >= 0:
                share[:, mine], off[:, mine] = found.share[:, column], found.off[:, column]
        return Scored(found.statistic, found.score, share, off, found.beyond)

    def reason(self, share: F8, off: F8, row: F8) -> Text:
        return reason(self._names, share, off)


class _Group:
    """Points that are judged together."""

    def __init__(
        self,
        name: str,
        members: tuple[int, ...],
        infos: list[PointInfo],
        hold: I8,
        settings: CompanySettings,
        judges: list[_Turn],
        drift: Drift | None,
    ) -> None:
        self.name, self.members, self.infos, self.drift = name, members, infos, drift
        self._hold, self._judges = hold, judges
        self._step_ns, self._grace_ns = round(settings.step_s * 1e9), round(settings.grace_s * 1e9)
        self._detectors = tuple(dict.fromkeys(turn.detector for turn in judges))
        self._hole_ns = max(5_000_000_000, 2 * int(hold.max()))  # three of the longest interval
        self.latest: Finding | None = None
        self._ids = np.array(members, np.int32)
        n = len(members)
        self._last_ns, self._last, self._tick = np.zeros(n, np.int64), np.zeros(n), np.zeros(1, np.int64)
        self._waiting: list[tuple[I8, I8, F8]] = []
        self._newest = 0
        self._fed = 0

    def feed(self, slot: int, ts_ns: I8, value: F8) -> None:
        """Take readings of one point in the order of their times."""
        self._waiting.append((np.full(len(ts_ns), slot, np.int64), ts_ns, value))
        self._newest = max(self._newest, int(ts_ns[-1]))
        self._fed = max(self._fed, int(ts_ns[-1]))

    @property
    def subjects(self) -> Sequence[Subject]:
        """The group as one subject of each detector that has or will have its turn."""
        about = _about(self.name.split(" ", 1)[1], self.name.startswith("mahalanobis "), self.infos)
        return [Subject(IDS[name], about) for name in self._detectors]

    def step(self) -> tuple[list[ScoreBatch], list[Statistics]]:
        """Join and judge every row whose time has come; return those that alarm, and the statistic of all."""
        slot, ts, value = (np.concatenate(part) for part in zip(*self._waiting, strict=True))
        if self._fed < self._tick[0] - RESET_NS:  # set back: else it would be blind until time catches up
            self._tick[0], self._newest = 0, self._fed
            self._last_ns[:] = 0
            slot, ts, value = (part[ts <= self._fed] for part in (slot, ts, value))
        self._fed = 0
        horizon = self._newest - self._grace_ns
        if self._tick[0] > horizon:
            self._waiting = [(slot, ts, value)]
            return [], []
        order = np.argsort(ts, kind="stable")
        slot, ts, value = slot[order], ts[order], value[order]
        found: list[ScoreBatch] = []
        said: list[Statistics] = []
        while True:
            rows, times = np.empty((ROOM, len(self.members))), np.empty(ROOM, np.int64)
            used, made = join_rows(
                slot, ts, value, horizon, self._step_ns, self._hold, self._last_ns, self._last, self._tick,
                rows, times,
            )  # fmt: skip
            slot, ts, value = slot[used:], ts[used:], value[used:]
            ROWS.inc(made)
            for number, mine in enumerate(self._turns(times[:made])):
                if len(mine):
                    found += self._judge(self._judges[number], rows[mine], times[mine], said)
            if made < ROOM:
                break
        self._waiting = [(slot, ts, value)] if len(ts) else []
        return found, said

    def _turns(self, times: I8) -> list[I8]:
        """Return the rows of each judge."""
        turn = np.searchsorted([each.since_ns for each in self._judges], times, side="right") - 1
        return [np.flatnonzero(turn == number) for number in range(len(self._judges))]

    def _judge(self, turn: _Turn, rows: F8, times: I8, said: list[Statistics]) -> list[ScoreBatch]:
        group, judge = self.name.split(" ", 1)[1], turn.judge
        scored = judge.take(rows)

        def say(k: int) -> Text:
            return judge.reason(scored.share[k], scored.off[k], rows[k])

        said.append(Statistics(IDS[turn.detector], group, times, scored.statistic, self._hole_ns, say))
        none = np.zeros(len(times))  # of those whose turn it is not: what they raised is over
        said += [
            Statistics(IDS[other], group, times, none, self._hole_ns, say)
            for other in self._detectors
            if other != turn.detector
        ]
        if self.drift and len(scored.beyond):
            self.drift.note(scored.beyond, scored.score)
        high = np.flatnonzero(scored.score >= 0.5)
        if not len(high):
            return []
        point = self._ids[np.abs(scored.share[high]).argmax(axis=1)]
        k = int(high[-1])  # words are made for the newest alone
        self.latest = Finding(
            turn.detector, group, int(point[-1]), int(times[k]), float(scored.score[k]), say(k)
        )
        return [
            ScoreBatch(
                point,
                times[high],
                np.full(len(high), IDS[turn.detector], np.uint16),
                scored.score[high].astype(np.float32),
                scored.statistic[high],
            )
        ]


def _about(place: str, device: bool, infos: Sequence[PointInfo]) -> PointInfo:
    """Describe what is judged together as if it were a point."""
    first = infos[-1]  # of air and gas it is the gas
    if not device:
        return PointInfo(place, first.site, "", "", "", first.quantity, first.unit, first.zone)
    return PointInfo(place, first.site, first.gateway, first.device, "", "device", "1", first.zone)


def _grouped(points: Sequence[PointInfo]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield what is judged together: "detector group" and its points."""
    devices: dict[str, list[int]] = defaultdict(list)
    meters: dict[str, list[int]] = defaultdict(list)
    zones: dict[str, list[int]] = defaultdict(list)
    for p, info in enumerate(points):
        devices[f"{info.site}/{info.gateway}/{info.device}"].append(p)
        meters[f"{info.site}/{info.zone}/{info.quantity}/{info.unit}"].append(p)
        if info.quantity in (AIR, METHANE):
            zones[f"{info.site}/{info.zone}"].append(p)
    for zone, members in zones.items():  # first what lives hang on
        air = [p for p in members if points[p].quantity == AIR]
        gas = [p for p in members if points[p].quantity == METHANE]
        if air and gas:
            yield f"airflow-gas {zone}", (*air, *gas)
    for name, members in meters.items():
        if len(members) >= LEAST_NEIGHBOURS:
            yield f"neighbours {name}", tuple(members)
    for name, members in devices.items():
        if len(members) >= LEAST_SENSORS:
            yield f"mahalanobis {name}", tuple(members)


def _open_models(wanted: Iterable[ModelInForce]) -> Mapping[str, list[tuple[int, Model]]]:
    """Read the models in force, by device, in the order of their times. Raises ModelError for a wrong one."""
    found: dict[str, list[tuple[int, Model]]] = defaultdict(list)
    for entry in wanted:
        since = round(entry.valid_from.timestamp() * 1e9)
        found[entry.device].append((since, read(entry.file, entry.digest)))
    for models in found.values():
        models.sort(key=lambda pair: pair[0])
    return found


def _shrunk(sensors: Sequence[str], rows: F8, choice: Choice) -> Model:
    return fit("mahalanobis", sensors, rows, choice, own=True)


def _joined(found: Sequence[ScoreBatch]) -> ScoreBatch:
    parts = found or (NOTHING,)
    return ScoreBatch(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(ScoreBatch)))
