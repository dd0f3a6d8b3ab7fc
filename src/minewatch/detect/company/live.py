"""Several points judged together, live: joined on a grid of times, scored, with reasons in words.

Devices with two sensors or more are judged by their company (``mahalanobis``: a robust default at once, the
covariance of their own first rows after that, a fitted model from the time that the settings state); meters
of one quantity in one zone by their ``neighbours``; zones with air and methane by ``airflow-gas``, with gases
that act together by ``mixture``.

A row waits ``grace_s`` for readings that come later, so the order in which points arrive changes nothing.
Bad and uncertain readings never get in; a value is held for a while, then the sensor is missing from the row.

What rules judge is looked at with every tick. What a device has learned by itself no rule judges: that is
looked at every half minute, the devices in turn, and the same is said of every row.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from prometheus_client import Gauge

from minewatch.contracts import F8, PointInfo, Quality, ReadingBatch, ScoreBatch, Subject, Text
from minewatch.detect import parcel
from minewatch.detect.company.catalogue import IDS
from minewatch.detect.company.drift import Drift
from minewatch.detect.company.fit import Choice, fit
from minewatch.detect.company.group import Fitted, Group, Own, Turn
from minewatch.detect.company.grouping import AIR, METHANE, Grouping
from minewatch.detect.company.learner import Learner
from minewatch.detect.company.mixture import Mixture
from minewatch.detect.company.model import LOGISTIC, Model, read
from minewatch.detect.company.neighbours import AirflowGas, Neighbours, Sensor
from minewatch.detect.company.seats import Seats
from minewatch.detect.company.settings import CompanySettings, MixtureMember, ModelInForce
from minewatch.detect.judge import Statistics
from minewatch.errors import ModelError

LEFT_OUT = Gauge("minewatch_company_left_out", "Devices and zones that are not judged together: too many.")
DRIFTED = Gauge("minewatch_company_drifted", "Models that no longer fit what they judge.")

MOST_BUFFERED = 200_000  # readings
SPREAD = 60  # rows over which the fits of devices born at once are spread
NOTHING = ScoreBatch(
    np.zeros(0, np.int32),
    np.zeros(0, np.int64),
    np.zeros(0, np.uint16),
    np.zeros(0, np.float32),
    np.zeros(0, np.float64),
)
# of the arrays in a snapshot, by the last part of their names
KINDS: Mapping[str, np.dtype[Any]] = {
    **dict.fromkeys(("done", "clock", "slot", "ts", "last_ns", "next", "judged"), np.dtype(np.int64)),
    **dict.fromkeys(("last", "value", "drift", "offset", "spread", "seen", "usual"), np.dtype(np.float64)),
    **dict.fromkeys(("taught", "ring"), np.dtype(np.float64)),
    "model": np.dtype(np.uint8),
}
log = structlog.get_logger(__name__)


class Company:
    """All groups of points that are judged together, for one thread at a time."""

    def __init__(self, settings: CompanySettings) -> None:
        self.settings = settings
        self.problems: list[str] = []
        self._models = _open_models(settings.models)
        self._points: tuple[PointInfo, ...] = ()
        self._grouping = Grouping(settings.mixture)
        self._groups: dict[str, Group] = {}
        self._seats = Seats((), 0)
        self._buffer: list[ReadingBatch] = []
        self._buffered = 0
        self._done_ns = 0

    @property
    def groups(self) -> Sequence[str]:
        """The names of what is judged together, ``detector group``."""
        return tuple(self._groups)

    def drift(self) -> Sequence[Text]:
        """Return in words which models no longer fit what they judge."""
        return [drift.reason(drift.shares) for drift in self._drifted()]

    def set_points(self, points: Sequence[PointInfo]) -> None:
        """Judge these points from now on; a group whose sensors are the same goes on where it stood."""
        if not self.settings.enabled or tuple(points) == self._points:
            return
        known, self._points = self._points, tuple(points)
        if self._points[: len(known)] != known:
            known, self._grouping = (), Grouping(self.settings.mixture)
        self._grouping.add(len(known), self._points[len(known) :])
        before, self._groups, self.problems = self._groups, {}, []
        wanted = list(self._grouping.groups())
        for name, members in wanted[: self.settings.most_groups]:
            kept = before.get(name)
            if kept is None or kept.members != members or not known:
                kept = self._renewed(kept, name, members)
            self._groups[name] = kept
        LEFT_OUT.set(max(0, len(wanted) - self.settings.most_groups))
        if len(wanted) > self.settings.most_groups:
            log.warning(
                "too many devices and zones to judge together", left_out=len(wanted) - len(self._groups)
            )
        self._seats = Seats([group.members for group in self._groups.values()], len(self._points))

    def _renewed(self, kept: Group | None, name: str, members: tuple[int, ...]) -> Group:
        """Return the group of these points as they are described now, going on where ``kept`` stood."""
        infos = [self._points[p] for p in members]
        if kept is not None and kept.members == members and kept.infos == infos:
            return kept
        group = self._group(name, members, infos)
        if kept is not None and kept.digest == group.digest:  # another range or calibration date
            group.restore(kept.state())
        return group

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
        good = (batch.quality < Quality.UNCERTAIN) & np.isfinite(batch.value) & self._seats.taken[batch.point]
        if not good.any():
            return NOTHING, []
        batch = batch.take(good)
        self._buffer.append(batch)
        self._buffered += len(batch)
        newest = int(batch.ts_ns.max())  # of good ones only: a clock that is wrong must not stop the others
        step_ns = self.settings.step_s * 1e9
        if abs(newest - self._done_ns) < step_ns and self._buffered < MOST_BUFFERED:
            return NOTHING, []  # no row can have become due: rows are paid for by the tick, not by the batch
        self._done_ns = newest
        found: list[ScoreBatch] = []
        said: list[Statistics] = []
        self._feed()
        for group in self._groups.values():
            if not group.due:
                continue
            scores, statistics = group.step()
            found += scores
            said += statistics
        DRIFTED.set(len(self._drifted()))
        return joined(found), said

    def state(self) -> parcel.Arrays:
        """Return what is remembered, for a snapshot: of each group under its name and its digest."""
        self._feed()
        found: dict[str, NDArray[Any]] = {"done": np.array([self._done_ns])}
        for group in self._groups.values():
            found |= parcel.inside(f"{group.name} {group.digest}", group.state())
        return found

    def restore(self, arrays: parcel.Arrays) -> None:
        """Go on where a snapshot stood; a group of other sensors or models begins anew."""
        self._done_ns = int(arrays["done"][0])
        of: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
        for name, array in arrays.items():
            group, _, rest = name.partition(parcel.BETWEEN)
            of[group][rest] = array
        for each in self._groups.values():
            if mine := of.get(f"{each.name} {each.digest}"):
                each.restore(mine)

    def _drifted(self) -> list[Drift]:
        return [group.drift for group in self._groups.values() if group.drift and group.drift.drifted]

    def _feed(self) -> None:
        """Give every group its readings."""
        if not self._buffer:
            return
        batch, self._buffer, self._buffered = ReadingBatch.join(self._buffer), [], 0
        groups = tuple(self._groups.values())
        for number, slot, ts_ns, value in self._seats.shared(batch):
            groups[number].feed(slot, ts_ns, value)

    @staticmethod
    def warm_up() -> None:
        """Compile everything that live data need, before they come."""

        def point(device: str, metric: str, quantity: str) -> PointInfo:
            return PointInfo(
                f"s/{device}/{metric}", "s", "g", device, metric, quantity, "1", "z", interval_s=1.0
            )

        gases = tuple(MixtureMember(quantity=q, unit="1", limit=1.0) for q in (AIR, METHANE))
        company = Company(CompanySettings(grace_s=0, mixture=gases))
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

    def _group(self, name: str, members: tuple[int, ...], infos: list[PointInfo]) -> Group:
        detector = name.split(" ", 1)[0]
        sensors = [Sensor(i.metric if detector == "mahalanobis" else i.device, i.unit) for i in infos]
        judges: list[Turn] = []
        drift = None
        if detector == "neighbours":
            floor = max(i.resolution for i in infos)
            judges.append(Turn(0, detector, Neighbours(sensors, floor=floor)))
        elif detector == "airflow-gas":
            air = sum(i.quantity == AIR for i in infos)
            judges.append(Turn(0, detector, AirflowGas(sensors, air)))
        elif detector == "mixture":
            gases = [m.quantity for m in self.settings.mixture]
            meters = [Sensor(f"{i.device} {i.metric}", i.unit) for i in infos]
            limits = [m.limit for m in self.settings.mixture]
            judges.append(
                Turn(0, detector, Mixture(meters, [gases.index(i.quantity) for i in infos], limits))
            )
        else:
            names = [s.name for s in sensors]
            later = zlib.crc32(name.encode()) % SPREAD
            own = Own(Learner(names, Choice(), _shrunk, later))
            judges.append(Turn(0, detector, own, told=False))
            for since, model in self._models.get(name.split(" ", 1)[1], ()):
                missing = set(model.names) - set(names)
                if missing:
                    self.problems.append(f"{name}: its model needs {', '.join(sorted(missing))}")
                    log.error("a model does not fit its device", device=name, missing=sorted(missing))
                else:
                    judges.append(
                        Turn(since, model.kind if model.kind in IDS else detector, Fitted(model, names))
                    )
                    drift = Drift(name.split(" ", 1)[1], self.settings.drift_rows, self.settings.drift_share)
        least = 1.5 * self.settings.step_s  # a value held longer than its interval would count as many
        hold = [
            round((max(least, 1.5 * i.interval_s) if i.interval_s > 0 else self.settings.hold_s) * 1e9)
            for i in infos
        ]
        return Group(name, members, infos, np.array(hold), self.settings, judges, drift)


def _open_models(wanted: Iterable[ModelInForce]) -> Mapping[str, list[tuple[int, Model]]]:
    """Read the models in force, by device, in the order of their times. Raises ModelError for a wrong one."""
    found: dict[str, list[tuple[int, Model]]] = defaultdict(list)
    for entry in wanted:
        since = round(entry.valid_from.timestamp() * 1e9)
        model = read(entry.file, entry.digest)
        if model.kind == LOGISTIC:
            raise ModelError(
                "is a model of alerts, not of sensors", where=str(entry.file), mend="Name another."
            )
        found[entry.device].append((since, model))
    for models in found.values():
        models.sort(key=lambda pair: pair[0])
    return found


def _shrunk(sensors: Sequence[str], rows: F8, choice: Choice) -> Model:
    return fit("mahalanobis", sensors, rows, choice, own=True)


def joined(found: Sequence[ScoreBatch]) -> ScoreBatch:
    """Return batches of scores one after the other."""
    parts = found or (NOTHING,)
    return ScoreBatch(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(ScoreBatch)))
