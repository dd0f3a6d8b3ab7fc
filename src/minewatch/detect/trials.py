"""Which points watch over which meter, and what the kernel finds about calibration gas at them.

A meter's witnesses are the other methane meters, the anemometers and the barometers of its group: the
points of one site whose zones begin with the same step (``longwall-7`` of ``longwall-7/face``). A point
without a zone has no group, and its alerts never wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import (
    F8,
    I4,
    I8,
    U1,
    Announcement,
    PlaceEvidence,
    PointInfo,
    Sign,
    TrialChange,
    TrialStage,
)
from minewatch.detect.kernels.layout import NONE, Row, Rows
from minewatch.detect.kernels.trial import expire, note_change, watch
from minewatch.detect.kernels.trial_layout import (
    AFTER,
    AIR,
    CHANGE,
    METER,
    NO_DOUBT,
    PLACE,
    PLACE_STANDS,
    SUSPECTED,
    TESTED,
    TRIAL,
    Signs,
)
from minewatch.detect.memory import extended
from minewatch.detect.trial_settings import TestGasSettings

KINDS = {("methane", "% CH4"): 0, ("air_velocity", "m/s"): 1, ("barometric_pressure", "hPa"): 2}
STAGES = (
    TrialStage.CLOSED, TrialStage.SUSPECTED, TrialStage.TESTED, TrialStage.REFUTED, TrialStage.OVER,
)  # fmt: skip
REASONS = (
    "", "neighbour", "air-low", "air-fell", "pressure", "level", "creep", "bound", "shape", "no-air",
    "no-neighbour", "silent", "rises", "hole", "recovered",
)  # fmt: skip
ROOM = 256
LEARNED = TRIAL.names[TRIAL.names.index("last_ns") :] if TRIAL.names else ()
# of the name 48 characters: a longer one is cut in a test that outlives a restart
SAID = np.dtype([("from_ns", "i8"), ("to_ns", "i8"), ("gas_pct", "f8"), ("actor", "U48")])
KEPT = np.dtype([("point", "i4"), ("row", TRIAL), ("place", PLACE), ("said", SAID)])  # a row of a snapshot
NOTHING: Rows = np.zeros(0, KEPT)


class Trials:
    """The meters that may be tested and their witnesses, for one thread at a time."""

    def __init__(self, settings: TestGasSettings) -> None:
        self._enabled = settings.enabled
        self._rows = np.zeros(0, TRIAL)
        self._points: I4 = np.zeros(0, np.int32)
        self._slot: I8 = np.zeros(0, np.int64)
        self._members: I8 = np.zeros(0, np.int64)
        self._first: I8 = np.zeros(1, np.int64)
        self._groups: dict[tuple[str, str], int] = {}
        self._names: list[tuple[str, str]] = []
        self._places = np.zeros(0, PLACE)
        self._announced: dict[str, Announcement] = {}
        self._window: dict[int, Announcement] = {}  # by point, as its row has it
        self._tried: dict[int, Announcement] = {}  # by point, as it was when its last trial began
        self._named: dict[int, str] = {}  # the places of points
        for test in settings.announced:
            self._announced[test.place] = test.said()
        self._changes = np.zeros(ROOM, CHANGE)
        self._grouped = True

    def describe(self, first: int, points: Sequence[PointInfo]) -> None:
        """Take points in, or anew, whose ids begin at ``first``."""
        wanted = first + len(points)
        if wanted > len(self._slot):
            known = len(self._slot)
            self._slot = extended(self._slot, wanted)
            self._slot[known:] = -1
        new: list[tuple[int, int, int, int]] = []
        for point, info in enumerate(points, first):
            kind = KINDS.get((info.quantity, info.unit), -1) if self._enabled and info.zone else -1
            group = self._groups.setdefault((info.site, info.zone.partition("/")[0]), len(self._groups))
            interval_ns = round(min(max(info.interval_s, 0.0), 1e6) * 1e9)
            slot = int(self._slot[point])
            if slot < 0 and kind >= 0:
                new.append((point, kind, group, interval_ns))
            elif slot >= 0:
                row = self._rows[slot]
                if (row["kind"], row["group"]) != (max(kind, 0), group):
                    self._rows[slot] = _fresh(1)[0]
                row["kind"], row["group"] = max(kind, 0), group if kind >= 0 else -1
                row["interval_ns"] = interval_ns
        if new:
            more = _fresh(len(new))
            ids, more["kind"], more["group"], more["interval_ns"] = np.array(new, np.int64).T
            before, after = len(self._rows), len(self._rows) + len(new)
            self._slot[ids] = np.arange(before, after)
            self._rows, self._points = extended(self._rows, after), extended(self._points, after)
            self._rows[before:], self._points[before:] = more, ids
        self._grouped = False
        for point, info in enumerate(points, first):
            self._named[point] = info.place
            if (announced := self._announced.get(info.place)) is not None:
                self.announce(announced, point)

    def announce(self, announced: Announcement, point: int) -> None:
        """Expect a test at a meter in a window; a later announcement for the place takes its stead.

        A trial that runs keeps its bottle and who announced it, and at most ends earlier.
        """
        self._announced[announced.place] = announced
        if 0 <= point < len(self._slot) and (slot := int(self._slot[point])) >= 0:
            row = self._rows[slot]
            row["announced_from"], row["announced_to"] = announced.from_ns, announced.to_ns
            row["gas"] = announced.gas_pct
            row["trial_to"] = min(int(row["trial_to"]), announced.to_ns)
            self._window[point] = announced

    def meters(self) -> frozenset[int]:
        """Return the points at which a test can be told from gas of the mine."""
        return frozenset(self._points[(self._rows["kind"] == METER) & (self._rows["group"] >= 0)].tolist())

    def step(
        self, point: I4, ts_ns: I8, value: F8, quality: U1, heard_ns: int, signs: Signs
    ) -> tuple[tuple[TrialChange, ...], tuple[PlaceEvidence, ...]]:
        """Take readings in, with the quality the engine gave them."""
        if not len(self._points):
            return (), ()
        self._regroup()
        found: list[TrialChange] = []
        places: list[PlaceEvidence] = []
        done = 0
        while done < len(point):
            done, n, group = watch(
                self._rows, self._places, self._members, self._first, self._slot, point, ts_ns, value,
                quality, done, int(heard_ns), signs, self._changes,
            )  # fmt: skip
            found += self._told(n)
            if group >= 0:
                places.append(self._evidence(int(group), int(ts_ns[done - 1])))
        return tuple(found), tuple(places)

    def tick(self, now_ns: int, signs: Signs) -> tuple[TrialChange, ...]:
        """End what no reading ends: an undecided step, a meter that fell silent, a test that is too long."""
        self._regroup()
        found: list[TrialChange] = []
        done = 0
        while done < len(self._points):
            done, n = expire(self._rows, self._members, self._first, done, int(now_ns), signs, self._changes)
            found += self._told(n)
        return tuple(found)

    def stand(self, site: str, zone: str, since_ns: int) -> None:
        """Let the evidence of a place stand whose alert does, so that it ends when the air is back."""
        self._regroup()
        group = self._groups.get((site, zone))
        if group is not None and int(self._places[group]["stage"]) != PLACE_STANDS:
            self._places[group]["stage"] = PLACE_STANDS
            self._places[group]["since_ns"] = since_ns

    def weighed(self, now_ns: int) -> tuple[PlaceEvidence, ...]:
        """Return the evidence that stands now, of places whose signs are known."""
        standing = np.flatnonzero(self._places["stage"] == PLACE_STANDS).tolist()
        found = (self._evidence(group, now_ns) for group in standing)
        return tuple(place for place in found if place.signs)

    def standing(self, signs: Signs) -> tuple[TrialChange, ...]:
        """Return how each trial stands that runs, or is over while alerts of it may still wait."""
        found: list[TrialChange] = []
        for k in np.flatnonzero(np.isin(self._rows["stage"], (SUSPECTED, TESTED, AFTER))).tolist():
            row = self._rows[k]
            stage, last_ns = int(row["stage"]), int(row["last_ns"])
            note_change(self._rows, k, stage, NO_DOUBT, -1, last_ns, signs, self._changes[0])
            found.append(_change(self._changes[0], self._points, self._tried))  # none of them begins now
        return tuple(found)

    def snapshot(self) -> Rows:
        """Return what was learned, with the points it was learned of."""
        self._regroup()
        kept = np.zeros(len(self._points), KEPT)
        kept["point"], kept["row"] = self._points, self._rows
        if len(kept):
            kept["place"] = self._places[self._rows["group"]]
        for point, said in self._tried.items():
            if (slot := int(self._slot[point])) >= 0:
                kept["said"][slot] = said.from_ns, said.to_ns, said.gas_pct, said.actor
        return kept

    def take_over(self, kept: Rows, target: I8) -> None:
        """Go on where a snapshot stood; ``target`` maps its points to today's, -1 where there is none."""
        self._regroup()
        point = np.full(len(kept), -1, np.int64)
        known = kept["point"] < len(target)
        point[known] = target[kept["point"][known]]
        kept, point = kept[point >= 0], point[point >= 0]
        slot = self._slot[point]
        kept, slot = kept[slot >= 0], slot[slot >= 0]
        same = self._rows["kind"][slot] == kept["row"]["kind"]
        slot, kept = slot[same], kept[same]
        for name in LEARNED:
            self._rows[name][slot] = kept["row"][name]
        for row in kept[kept["row"]["told"] != 0]:
            self._resume(int(target[row["point"]]), row["said"])
        for name in ("stage", "since_ns", "calm_ns"):
            self._places[name][self._rows["group"][slot]] = kept["place"][name]
        self._recount()

    def _resume(self, point: int, said: Row) -> None:
        """Know again who announced a trial, and that its window was ended since the snapshot."""
        self._tried[point] = Announcement(
            self._named[point], int(said["from_ns"]), int(said["to_ns"]), str(said["actor"]),
            float(said["gas_pct"]),
        )  # fmt: skip
        if (latest := self._window.get(point)) is not None:
            row = self._rows[self._slot[point]]
            row["trial_to"] = min(int(row["trial_to"]), latest.to_ns)

    def _evidence(self, group: int, ts_ns: int) -> PlaceEvidence:
        rows, place = self._rows, self._places[group]
        members = [int(k) for k in self._members[self._first[group] : self._first[group + 1]]]
        standing = [k for k in members if rows[k]["sign"]]
        standing.sort(key=lambda k: (rows[k]["kind"] != AIR, int(rows[k]["sign_ns"]), k))
        signs = tuple(
            Sign(
                int(self._points[k]),
                int(rows[k]["sign_ns"]),
                float(rows[k]["sign_usual"]),
                float(rows[k]["last"]),
            )
            for k in standing
        )
        site, zone = self._names[group]
        active = int(place["stage"]) == PLACE_STANDS
        return PlaceEvidence(site, zone, active, ts_ns, int(place["since_ns"]), signs)

    def _recount(self) -> None:
        """Count the signs of every place anew."""
        self._places["airs"] = self._places["gases"] = 0
        self._rows["counted"] = self._rows["sign"]
        for name, kind in (("airs", AIR), ("gases", METER)):
            standing = (self._rows["sign"] != 0) & (self._rows["kind"] == kind) & (self._rows["group"] >= 0)
            np.add.at(self._places[name], self._rows["group"][standing], 1)

    def _regroup(self) -> None:
        """Find the members of every place anew, if points have come or changed since."""
        if self._grouped:
            return
        self._grouped = True
        if len(self._groups) > len(self._places):
            more = np.zeros(len(self._groups) - len(self._places), PLACE)
            more["since_ns"] = more["calm_ns"] = NONE
            self._places = np.concatenate((self._places, more))
            self._names = list(self._groups)
        group = self._rows["group"].copy()  # of many meters, apart from what else is known of them
        self._members = np.argsort(group, kind="stable").astype(np.int64)
        self._first = np.searchsorted(group[self._members], np.arange(len(self._groups) + 1)).astype(np.int64)

    def _told(self, n: int) -> list[TrialChange]:
        for row in self._changes[:n][self._changes["stage"][:n] == SUSPECTED]:
            point = int(self._points[int(row["slot"])])
            self._tried.pop(point, None)
            if row["told"]:
                self._tried[point] = self._window[point]
        return [_change(row, self._points, self._tried) for row in self._changes[:n]]


def _fresh(n: int) -> Rows:
    rows = np.zeros(n, TRIAL)
    for name in ("last_ns", "before_ns", "good_ns", "heard_ns", "onset_ns", "high_ns", "low_ns"):
        rows[name] = NONE
    for name in ("gas", "bottle", "last", "ref", "mark", "base", "mid", "level", "found", "low"):
        rows[name] = np.nan
    rows["announced_from"], rows["announced_to"] = 1, 0
    return rows


def _change(row: np.void, points: NDArray[np.int32], tried: Mapping[int, Announcement]) -> TrialChange:
    witness, point = int(row["witness"]), int(points[int(row["slot"])])
    return TrialChange(
        point=point,
        stage=STAGES[int(row["stage"])],
        reason=REASONS[int(row["reason"])],
        announced=bool(row["told"]),
        ts_ns=int(row["ts_ns"]),
        since_ns=int(row["since_ns"]),
        until_ns=int(row["until_ns"]),
        value=float(row["value"]),
        base=float(row["base"]),
        level=float(row["level"]),
        t90_s=float(row["t90_s"]),
        recovery_s=float(row["recovery_s"]),
        witness=int(points[witness]) if witness >= 0 else -1,
        witness_value=float(row["witness_value"]),
        witness_usual=float(row["witness_usual"]),
        announcement=tried.get(point) if row["told"] else None,
    )
