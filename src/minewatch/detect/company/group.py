"""One group of points that are judged together: joined to rows, judged by whose turn it is."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from minewatch.contracts import F8, I8, PointInfo, ScoreBatch, Subject, Text
from minewatch.detect.company.catalogue import DRIFT, IDS
from minewatch.detect.company.drift import Drift
from minewatch.detect.company.learner import Learner
from minewatch.detect.company.model import Model
from minewatch.detect.company.pace import RESET_NS, Pace
from minewatch.detect.company.scorer import Scored, Scorer, reason
from minewatch.detect.company.settings import CompanySettings
from minewatch.detect.judge import NOBODY, Statistics
from minewatch.detect.kernels.join import join_rows
from minewatch.detect.parcel import Arrays, inside, of

ROWS = Counter("minewatch_company_rows_total", "Rows of several points that were judged together.")
AHEAD = Counter(
    "minewatch_company_readings_ahead_total",
    "Readings not judged with others: their gateway's clock is too far ahead.",
)
PARTIAL = Counter("minewatch_company_rows_partial_total", "Rows in which a sensor was missing.")

ROOM = 1024  # rows that are joined at once
HOLE_NS = 5_000_000_000
UNKNOWN_HOLE_NS = 120_000_000_000  # where a point gives no interval
PATIENCE_NS = 30_000_000_000  # so seldom is looked at what no rule judges


class Watch(Protocol):
    """What a group is judged by."""

    def take(self, rows: F8) -> Scored:
        """Score rows (n, sensors of the group), NaN for what was not measured."""
        ...

    def reason(self, share: F8, off: F8, row: F8) -> Text:
        """Say what one row of them means."""
        ...

    def state(self) -> Arrays:
        """Return what is remembered, for a snapshot."""
        ...

    def restore(self, arrays: Arrays) -> None:
        """Go on where a snapshot stood."""
        ...


class Turn(NamedTuple):
    """From when a judge judges, which detector it is, and whether rules may judge what it says.

    What a device has learned by itself is for people to look at: as alerts it would be believed by nobody.
    """

    since_ns: int
    detector: str
    judge: Watch
    told: bool = True


class Own:
    """What a device has learned by itself."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def take(self, rows: F8) -> Scored:
        """Score rows (n, sensors of the group), NaN for what was not measured."""
        return self._learner.take(rows)

    def reason(self, share: F8, off: F8, row: F8) -> Text:
        """Say what one row of them means."""
        return reason(self._learner.sensors, share, off)

    def state(self) -> Arrays:
        """Return what is remembered, for a snapshot."""
        return self._learner.state()

    def restore(self, arrays: Arrays) -> None:
        """Go on where a snapshot stood."""
        self._learner.restore(arrays)


class Fitted:
    """A model from a file, its sensors found among those of the device by their names."""

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        self._scorer = Scorer(model)
        self.digest = model.digest
        self._names = names
        self._columns = [names.index(n) if n in names else -1 for n in model.sensors]

    def take(self, rows: F8) -> Scored:
        """Score rows (n, sensors of the group), NaN for what was not measured."""
        found = self._scorer.take(np.column_stack([rows, np.full(len(rows), np.nan)])[:, self._columns])
        share, off = np.zeros(rows.shape), np.zeros(rows.shape)
        for column, mine in enumerate(self._columns):
            if mine >= 0:
                share[:, mine], off[:, mine] = found.share[:, column], found.off[:, column]
        return Scored(found.statistic, found.score, share, off, found.beyond)

    def reason(self, share: F8, off: F8, row: F8) -> Text:
        """Say what one row of them means."""
        return reason(self._names, share, off)

    def state(self) -> Arrays:
        """Return what is remembered, for a snapshot."""
        return self._scorer.state()

    def restore(self, arrays: Arrays) -> None:
        """Go on where a snapshot stood."""
        self._scorer.restore(arrays)


class Group:
    """Points that are judged together."""

    def __init__(
        self,
        name: str,
        members: tuple[int, ...],
        infos: list[PointInfo],
        hold: I8,
        settings: CompanySettings,
        judges: list[Turn],
        drift: Drift | None,
    ) -> None:
        self.name, self.members, self.infos, self.drift = name, members, infos, drift
        self._hold, self._judges = hold, judges
        self._step_ns, self._grace_ns = round(settings.step_s * 1e9), round(settings.grace_s * 1e9)
        self._pace = Pace(infos, int(hold.max()), self._step_ns, self._grace_ns, round(settings.wait_s * 1e9))
        self._detectors = tuple(dict.fromkeys(turn.detector for turn in judges if turn.told))
        least = HOLE_NS if all(i.interval_s > 0 for i in infos) else UNKNOWN_HOLE_NS
        self._hole_ns = max(least, 2 * int(hold.max()))  # three of the longest interval
        self._ids = np.array(members, np.int32)
        n = len(members)
        self._last_ns, self._last, self._tick = np.zeros(n, np.int64), np.zeros(n), np.zeros(1, np.int64)
        self._waiting: list[tuple[I8, I8, F8]] = []
        self._heard_ns = 0
        self._every_ns = 0 if self._detectors or drift else PATIENCE_NS
        self._turn_ns = zlib.crc32(name.encode()) % PATIENCE_NS  # not all of them at once

    @property
    def due(self) -> bool:
        """Whether readings came since the last step, and it is time to look at them."""
        if self._every_ns:
            looked_ns = int(self._tick[0]) - self._step_ns + self._grace_ns  # the last row could be made then
            if self._period(self._heard_ns) == self._period(looked_ns):
                return False
        return self._pace.due

    def feed(self, slot: I8, ts_ns: I8, value: F8) -> None:
        """Take readings of these sensors in the order of their times."""
        self._waiting.append((slot, ts_ns, value))
        self._heard_ns = int(ts_ns[-1])
        self._pace.note(slot, ts_ns)

    @property
    def subjects(self) -> Sequence[Subject]:
        """The group as one subject of each detector that has or will have its turn and is told."""
        about = _about(self.name, self.infos)
        drift = [Subject(DRIFT.id, about)] if self.drift else []
        return [Subject(IDS[name], about) for name in self._detectors] + drift

    def step(self) -> tuple[list[ScoreBatch], list[Statistics]]:
        """Join and judge every row whose time has come; return those that alarm, and the statistic of all."""
        slot, ts, value = (np.concatenate(part) for part in zip(*self._waiting, strict=True))
        if set_back := self._pace.step():  # else it would be blind until time catches up
            back, newest = set_back
            self._last_ns[back] = 0
            kept = ~back[slot] | (ts <= newest[slot])
            slot, ts, value = slot[kept], ts[kept], value[kept]
        if self._pace.latest_ns < self._tick[0] - RESET_NS:  # set back, or the clock that led is away
            self._tick[0] = 0
        if len(ahead := np.flatnonzero(ts > self._pace.bound_ns)):
            AHEAD.inc(len(ahead))
            slot, ts, value = (np.delete(part, ahead) for part in (slot, ts, value))
        horizon = self._pace.horizon_ns
        if self._tick[0] > horizon:
            self._waiting = [(slot, ts, value)]
            return [], []
        order = np.argsort(ts, kind="stable")
        slot, ts, value = slot[order], ts[order], value[order]
        found: list[ScoreBatch] = []
        said: list[Statistics] = []
        while True:
            rows, times = np.empty((ROOM, len(self.members))), np.empty(ROOM, np.int64)
            judged_ns = int(self._tick[0]) - self._step_ns  # no row was later
            used, made = join_rows(
                slot, ts, value, horizon, self._step_ns, self._hold, self._last_ns, self._last, self._tick,
                rows, times,
            )  # fmt: skip
            slot, ts, value = slot[used:], ts[used:], value[used:]
            ROWS.inc(made)
            PARTIAL.inc(int(np.isnan(rows[:made]).any(axis=1).sum()))
            for number, mine in enumerate(self._turns(times[:made])):
                if len(mine):
                    if self.drift and judged_ns < self._judges[number].since_ns:
                        self.drift.begin()  # the first rows of another model
                    found += self._judge(self._judges[number], rows[mine], times[mine], said)
            if made < ROOM:
                break
        self._waiting = [(slot, ts, value)] if len(ts) else []
        return found, said

    @property
    def digest(self) -> str:
        """What the state of the group is worth only with: the same sensors, the same models."""
        sensors = [(i.place, i.gateway, i.quantity, i.unit, i.resolution, i.interval_s) for i in self.infos]
        models = [getattr(turn.judge, "digest", "") for turn in self._judges]
        return hashlib.sha256(repr((sensors, models)).encode()).hexdigest()[:16]

    def state(self) -> Arrays:
        """Return what is remembered, for a snapshot."""
        waiting = self._waiting or [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
        slot, ts, value = (np.concatenate(part) for part in zip(*waiting, strict=True))
        found: dict[str, NDArray[Any]] = {
            "last_ns": self._last_ns, "last": self._last, "slot": slot, "ts": ts, "value": value,
            "clock": np.concatenate([self._tick, self._pace.state()]),
        }  # fmt: skip
        if self.drift:
            found["drift"] = self.drift.state()
        for number, turn in enumerate(self._judges):
            found |= inside(str(number), turn.judge.state())
        return found

    def restore(self, arrays: Arrays) -> None:
        """Go on where a group of the same digest stood."""
        self._last_ns[:], self._last[:] = arrays["last_ns"], arrays["last"]
        self._tick[0] = arrays["clock"][0]
        self._pace.restore(arrays["clock"][1:])
        self._waiting = [(arrays["slot"], arrays["ts"], arrays["value"])] if len(arrays["ts"]) else []
        if self.drift:
            self.drift.restore(arrays["drift"])
        for number, turn in enumerate(self._judges):
            turn.judge.restore(of(str(number), arrays))

    def _period(self, time_ns: int) -> int:
        return (time_ns + self._turn_ns) // self._every_ns

    def _turns(self, times: I8) -> list[I8]:
        """Return the rows of each judge."""
        if len(self._judges) == 1:
            return [np.arange(len(times))]
        turn = np.searchsorted([each.since_ns for each in self._judges], times, side="right") - 1
        return [np.flatnonzero(turn == number) for number in range(len(self._judges))]

    def _judge(self, turn: Turn, rows: F8, times: I8, said: list[Statistics]) -> list[ScoreBatch]:
        group, judge = self.name.split(" ", 1)[1], turn.judge
        scored = judge.take(rows)

        def say(k: int) -> Text:
            return judge.reason(scored.share[k], scored.off[k], rows[k])

        def lead(k: int) -> int:
            share = np.abs(scored.share[k])
            most = int(share.argmax())
            return most if share[most] > 0 else NOBODY

        none = np.zeros(len(times))  # of those whose turn it is not: what they raised is over
        mine = turn.detector if turn.told else ""
        said += [
            Statistics(
                IDS[name], group, times, scored.statistic if name == mine else none, self._hole_ns, say, lead
            )
            for name in self._detectors
        ]
        if self.drift and len(scored.beyond):
            said.append(self._drifted(group, self.drift, scored, times))
        high = np.flatnonzero(scored.score >= 0.5)
        if not len(high):
            return []
        point = self._ids[np.abs(scored.share[high]).argmax(axis=1)]
        return [
            ScoreBatch(
                point,
                times[high],
                np.full(len(high), IDS[turn.detector], np.uint16),
                scored.score[high].astype(np.float32),
                scored.statistic[high],
            )
        ]

    def _drifted(self, group: str, drift: Drift, scored: Scored, times: I8) -> Statistics:
        shares = drift.note(scored.beyond, scored.score)

        def say(k: int) -> Text:
            return drift.reason(shares[k])

        return Statistics(DRIFT.id, group, times, drift.statistic(shares), self._hole_ns, say)


def _about(name: str, infos: Sequence[PointInfo]) -> PointInfo:
    """Describe what is judged together as if it were a point."""
    detector, place = name.split(" ", 1)
    first = infos[-1]  # of air and gas it is the gas
    if detector == "mixture":
        return PointInfo(place, first.site, "", "", "", "mixture", "1", first.zone)
    if detector != "mahalanobis":
        return PointInfo(place, first.site, "", "", "", first.quantity, first.unit, first.zone)
    return PointInfo(place, first.site, first.gateway, first.device, "", "device", "1", first.zone)
