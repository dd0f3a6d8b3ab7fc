"""A recording as drivers of the real edge agent, at any speed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from minewatch.contracts import F8, I8, PointInfo, ReadingBatch
from minewatch.ingest.recording import Recording
from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.sparkplug.births import PointBirth

_MOST = 5_000  # readings of one round: the agent has other things to do
_IDLE_NS = 200_000_000


@dataclass(slots=True)
class Play:
    """How a recording is played; several gateways share it and so begin together.

    ``longest_gap_s`` is what a longer silence of the recording is cut down to. With ``as_recorded`` readings
    keep their times, else they are moved to now.
    """

    speed: float = 1.0
    longest_gap_s: float = inf
    as_recorded: bool = False
    start_ns: int | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def started_ns(self, now_ns: int) -> int:
        """Return when the playing began: now, for the first who asks."""
        with self.lock:
            if self.start_ns is None:
                self.start_ns = now_ns
            return self.start_ns


@dataclass(slots=True)
class _Rows:
    """Readings in the order they are due: ``due_ns`` counts from the start of the playing."""

    due_ns: I8
    ts_ns: I8
    point: list[int]
    value: F8
    at: int = 0


class RecordedGateway:
    """The points of one gateway of a recording as one driver."""

    def __init__(self, recording: Recording, wanted: Sequence[int], play: Play) -> None:
        """Play the points with these indices."""
        self._births = tuple(_birth(recording.points[i], play) for i in wanted)
        self._index = np.full(len(recording.points), -1, np.int64)
        self._index[list(wanted)] = np.arange(len(wanted))
        self._play = play
        self._batches = recording.batches(_MOST)
        self._last_ts = 0
        self._played_ns = 0
        self._begun = False
        self._rows: _Rows | None = None
        self.finished = False
        self.taken = 0

    def points(self) -> Sequence[PointBirth]:
        """Return the points of the gateway."""
        return self._births

    def due_ns(self, now_ns: int) -> int:
        """Return when the next reading is due."""
        if self.finished or self._play.ended.is_set():
            return now_ns + _IDLE_NS
        rows = self._current()
        if rows is None:
            return now_ns
        return self._play.started_ns(now_ns) + self._wall(int(rows.due_ns[rows.at]))

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return what is due."""
        if self._play.ended.is_set():
            return ()
        start_ns = self._play.started_ns(now_ns)
        rows = self._current()
        if rows is None:
            return ()
        until = int((now_ns - start_ns) * self._play.speed)
        end = int(np.searchsorted(rows.due_ns, until, side="right"))
        found = []
        for i in range(rows.at, end):
            at = int(rows.ts_ns[i]) if self._play.as_recorded else start_ns + self._wall(int(rows.due_ns[i]))
            found.append(Reading(rows.point[i], at, float(rows.value[i])))
        rows.at = max(end, rows.at)
        self.taken += len(found)
        return found

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Name the points; a recording has no sensor to ask."""
        return [CheckResult(f"{b.device}/{b.metric}", True, "recorded") for b in self._births]

    def close(self) -> None:
        """Let go of the file."""
        self.finished = True

    def _wall(self, played_ns: int) -> int:
        return int(played_ns / self._play.speed)

    def _current(self) -> _Rows | None:
        """Return rows of which one is still to come; None at the end of the recording."""
        while self._rows is None or self._rows.at >= len(self._rows.due_ns):
            batch = next(self._batches, None)
            if batch is None:
                self.finished = True
                return None
            self._rows = self._timed(batch)
        return self._rows

    def _timed(self, batch: ReadingBatch) -> _Rows:
        first = int(batch.ts_ns[0]) if not self._begun else self._last_ts
        self._begun = True
        longest = min(self._play.longest_gap_s * 1e9, 2.0**62)
        steps = np.clip(np.diff(batch.ts_ns, prepend=first), 0, int(longest))
        due = self._played_ns + np.cumsum(steps)
        self._played_ns, self._last_ts = int(due[-1]), int(batch.ts_ns[-1])
        mine = self._index[batch.point]
        keep = mine >= 0
        return _Rows(due[keep], batch.ts_ns[keep], mine[keep].tolist(), batch.value[keep])


def gateways(open_recording: Callable[[], Recording], play: Play) -> dict[tuple[str, str], RecordedGateway]:
    """Return a driver for each gateway of a recording, by (site, gateway); each reads the files itself."""
    names = list(dict.fromkeys((p.site, p.gateway) for p in open_recording().points))
    return {name: _gateway(open_recording(), name, play) for name in names}


def _gateway(recording: Recording, name: tuple[str, str], play: Play) -> RecordedGateway:
    wanted = [i for i, p in enumerate(recording.points) if (p.site, p.gateway) == name]
    return RecordedGateway(recording, wanted, play)


def _birth(point: PointInfo, play: Play) -> PointBirth:
    return PointBirth(
        device=_name(point.device),
        metric=point.metric,
        quantity=point.quantity,
        unit=point.unit,
        zone=point.zone,
        low=point.low,
        high=point.high,
        interval_s=point.interval_s if play.as_recorded else point.interval_s / play.speed,
        resolution=point.resolution,
        sentinels=point.sentinels,
    )


def _name(text: str) -> str:
    """Return a name that may stand in a topic: a path becomes one step of it."""
    return "".join("-" if c in "/+#" or ord(c) < 32 else c for c in text)
