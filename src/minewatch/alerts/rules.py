"""The rules in force: read from packs, bound to points.

A rule applies to a point when quantity and unit are the same and every glob fits. Bound to points it
becomes rows of the engine's limit table; the row's key names (rule, place) for life.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minewatch.alerts import rule_file
from minewatch.alerts.rule import EVERY, NS_PER_S, Binding, Rule, key_of
from minewatch.contracts import OUTSIDE, LimitTable, ParameterChange, PointInfo, Subject
from minewatch.errors import RuleError

NEVER, FOREVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max

ROW = np.dtype(
    [
        ("key", np.int64),
        ("detector", np.uint16),
        ("comparison", np.uint8),
        ("threshold", np.float64),
        ("deadband", np.float64),
        ("on_delay_ns", np.int64),
        ("off_delay_ns", np.int64),
        ("need", np.int32),
        ("of", np.int32),
        ("sigmas", np.float64),
        ("from_ns", np.int64),
        ("until_ns", np.int64),
    ]
)


@dataclass(frozen=True, slots=True)
class _AtPoint:
    """What the rules say about one point: rows of the limit table, what keys stand for, what is amiss."""

    rows: NDArray[np.void]
    bindings: Mapping[int, Binding]
    wrong_unit: str
    timeless: bool


@dataclass(frozen=True, slots=True)
class Unwatched:
    """What rules cannot watch: a line for each point in another unit, the places without an interval."""

    wrong_unit: tuple[str, ...] = ()
    timeless: tuple[str, ...] = ()

    def __add__(self, other: Unwatched) -> Unwatched:
        """Return both together."""
        return Unwatched(self.wrong_unit + other.wrong_unit, self.timeless + other.timeless)

    def lines(self) -> tuple[str, ...]:
        """Return it in words, a line each."""
        if not self.timeless:
            return self.wrong_unit
        some = ", ".join(self.timeless[:5]) + (", ..." if len(self.timeless) > 5 else "")
        return (
            *self.wrong_unit,
            f"{len(self.timeless)} points give no interval_s, so their silence raises no alert: {some}. "
            "Add it to the description of the device.",
        )


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of all packs; those of one id are versions, in force one after the other.

    Days begin at local midnight, ``utc_offset_h`` ahead of UTC. What the rules say about a point is worked
    out once, so that binding it again is cheap.
    """

    rules: tuple[Rule, ...]
    utc_offset_h: float = 0.0
    dated: bool = True
    _known: dict[tuple[PointInfo, int | None], _AtPoint] = field(
        default_factory=dict, repr=False, compare=False
    )
    _by_quantity: dict[tuple[str, int | None], Sequence[Rule]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _versions: dict[str, list[tuple[int, Rule]]] = field(default_factory=dict, repr=False, compare=False)

    def undated(self) -> RuleSet:
        """Return the newest version of each rule, in force at any time: as a recording is judged."""
        newest = {rule.id: rule for rule in sorted(self.rules, key=self.from_ns)}
        return RuleSet(tuple(rule for rule in self.rules if newest[rule.id] is rule), dated=False)

    def from_ns(self, rule: Rule) -> int:
        """Return from when a rule is in force."""
        return rule.from_ns(self.utc_offset_h) if self.dated else int(NEVER)

    def versions(self, rule_id: str) -> Sequence[tuple[int, Rule]]:
        """Return from when each version of a rule is in force, in order."""
        if not self._versions:
            for rule in sorted(self.rules, key=self.from_ns):
                self._versions.setdefault(rule.id, []).append((self.from_ns(rule), rule))
        return self._versions[rule_id]

    def until_ns(self, rule: Rule) -> int:
        """Return from when a later version is in force in its place."""
        start = self.from_ns(rule)
        return next((later for later, _ in self.versions(rule.id) if later > start), int(FOREVER))

    def in_force(self, now_ns: int) -> tuple[Rule, ...]:
        """Return the rules that judge a reading of this time."""
        return tuple(r for r in self.rules if self.from_ns(r) <= now_ns < self.until_ns(r))

    def told(self) -> tuple[ParameterChange, ...]:
        """Return the versions that say by whom and why, as the journal tells them."""
        found = []
        for rule in self.rules:
            if rule.by and rule.reason and self.dated:
                start = self.from_ns(rule)
                earlier = [other for before, other in self.versions(rule.id) if before < start]
                old = _said(earlier[-1]) if earlier else {}
                new = {key: value for key, value in _said(rule).items() if old.get(key) != value}
                before = {key: old[key] for key in new if key in old}
                found.append(ParameterChange(start, rule.by, rule.reason, before, new))
        return tuple(found)

    def bind(self, points: Mapping[int, PointInfo]) -> tuple[LimitTable, Mapping[int, Binding]]:
        """Return the limits of these points, sorted by point, and what each key stands for.

        A key stands for the newest version that applies. Raises RuleError when two points share a place.
        """
        index = sorted(points)
        return self._table(index, [self._about(points[i]) for i in index])

    def bind_subjects(self, subjects: Sequence[Subject]) -> tuple[LimitTable, Mapping[int, Binding]]:
        """Return the limits of what is judged outside the walk: each row's ``point`` counts the subjects."""
        return self._table(range(len(subjects)), [self._about(s.about, s.detector) for s in subjects])

    def _about(self, point: PointInfo, detector: int | None = None) -> _AtPoint:
        known = self._known.get((point, detector))
        if known is None:
            about = [rule for rule in self._asked(point.quantity, detector) if rule.concerns(point)]
            rules = [rule for rule in about if rule.applies(point)]
            keys = [key_of(rule.id, point.place) for rule in rules]
            rows = [
                (*_row(key, rule, point), self.from_ns(rule), self.until_ns(rule))
                for key, rule in zip(keys, rules, strict=True)
            ]
            bindings = {
                key_of(rule.id, point.place): self._binding(rule, point)
                for rule in sorted(rules, key=self.from_ns)
            }
            wrong = [rule for rule in about if rule.unit not in (EVERY, point.unit)]
            known = self._known[point, detector] = _AtPoint(
                np.array(rows, ROW),
                bindings,
                _wrong_unit(point, wrong) if wrong else "",
                any(rule.lacks_interval(point) for rule in about),
            )
        return known

    def _asked(self, quantity: str, detector: int | None) -> Sequence[Rule]:
        """Return the rules that may concern a quantity: of a subject's detector, or of the walk's."""
        found = self._by_quantity.get((quantity, detector))
        if found is None:
            found = self._by_quantity[quantity, detector] = [
                rule
                for rule in self.rules
                if rule.quantity in (EVERY, quantity)
                and (rule.detector_id < OUTSIDE if detector is None else rule.detector_id == detector)
            ]
        return found

    def _binding(self, rule: Rule, point: PointInfo) -> Binding:
        versions = self.versions(rule.id)
        return Binding(rule, point, tuple(versions) if len(versions) > 1 else ())

    def _table(
        self, index: Sequence[int], said: Sequence[_AtPoint]
    ) -> tuple[LimitTable, Mapping[int, Binding]]:
        bindings: dict[int, Binding] = {}
        for each in said:
            bindings.update(each.bindings)
        # as bytes: joining arrays of rows, numpy compares the columns of each with those of the next
        rows = np.frombuffer(b"".join([each.rows.tobytes() for each in said]), ROW)
        if len(bindings) != sum(len(each.bindings) for each in said):
            raise _shared_place(said)
        counts = [len(each.rows) for each in said]
        columns = {name: np.ascontiguousarray(rows[name]) for name in ROW.names or ()}
        point = np.repeat(np.asarray(index, np.int32), counts)
        return LimitTable(point=point, **columns, dates_ns=self._dates_ns()), bindings

    def _dates_ns(self) -> NDArray[np.int64]:
        """Return every time from which a version of a rule is in force."""
        dates = {self.from_ns(rule) for rule in self.rules} - {int(NEVER)}
        return np.array(sorted(dates), np.int64)

    def unwatched(self, points: Mapping[int, PointInfo]) -> Unwatched:
        """Return what rules cannot watch: points in another unit, points without an interval."""
        said = [(point, self._about(point)) for _, point in sorted(points.items())]
        return Unwatched(
            tuple(each.wrong_unit for _, each in said if each.wrong_unit),
            tuple(point.place for point, each in said if each.timeless),
        )


def _said(rule: Rule) -> dict[str, float | str]:
    """Return what decides and what is told, by key of the rule: ``methane-high.threshold``."""
    return {f"{rule.id}.{name}": value for name, value in rule.said().items()}


def _wrong_unit(point: PointInfo, rules: Sequence[Rule]) -> str:
    units = ", ".join(sorted({repr(rule.unit) for rule in rules}))
    names = ", ".join(rule.id for rule in rules)
    return (
        f"{point.place}: {point.quantity} comes in {point.unit!r}, but limits are in {units} "
        f"({names} do not watch it). Mend the unit in the device's description, or write rules in its unit."
    )


def _row(key: int, rule: Rule, point: PointInfo) -> tuple[float, ...]:
    return (
        key,
        rule.detector_id,
        int(rule.comparison),
        rule.threshold_at(point),
        rule.deadband,
        round(rule.on_delay_s * NS_PER_S),
        round(rule.off_delay_s * NS_PER_S),
        rule.need,
        rule.of,
        rule.sigmas(),
    )


def _shared_place(said: Sequence[_AtPoint]) -> RuleError:
    counts = Counter(place for each in said for place in {b.point.place for b in each.bindings.values()})
    place = next((place for place, count in counts.items() if count > 1), "?")
    return RuleError(
        "two points have the same place, so their alerts could not be told apart",
        where=f"place {place}",
        mend="Give every point of a site a device or a metric of its own.",
    )


def load(paths: Sequence[Path], detectors: Mapping[str, int], utc_offset_h: float = 0.0) -> RuleSet:
    """Read rule packs: files, or folders of ``*.toml``. Raises RuleError for the first mistake.

    ``detectors`` maps the names a rule may use to the engine's ids.
    """
    found = RuleSet(
        tuple(rule for path in _files(paths) for rule in rule_file.read(path, detectors)), utc_offset_h
    )
    for rule_id in {rule.id: None for rule in found.rules}:
        _check_versions(found.versions(rule_id))
    return found


def _check_versions(versions: Sequence[tuple[int, Rule]]) -> None:
    for (before, old), (start, new) in itertools.pairwise(versions):
        if start == before:
            raise RuleError(
                f"the rule id {new.id!r} is used twice",
                where=new.where,
                mend=f"Rename one of them, or give it another effective_from; the other is at {old.where}.",
            )
        if not new.by or not new.reason:
            raise RuleError(
                f"takes the place of {old.where}, and does not say by whom and why",
                where=new.where,
                mend="Add by and reason to the later version, or rename one of them.",
            )


def _files(paths: Sequence[Path]) -> Sequence[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.glob("*.toml") if file.name != "default.toml")
            if not inside:
                raise RuleError(
                    "the folder holds no rule pack", where=str(path), mend="Put *.toml packs into it."
                )
            files += inside
        else:
            files.append(path)
    return files
