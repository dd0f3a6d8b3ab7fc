"""The rules in force: read from packs, bound to points.

A rule applies to a point when quantity and unit are the same and every glob fits. Bound to points it
becomes rows of the engine's limit table; the row's key names (rule, place) for life.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minewatch.alerts import rule_file
from minewatch.alerts.rule import EVERY, Binding, Rule, key_of
from minewatch.contracts import OUTSIDE, LimitTable, PointInfo, Subject
from minewatch.errors import RuleError

NS_PER_S = 1_000_000_000


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
    """The rules of all packs in force, ids unique.

    What the rules say about a point is worked out once, so that binding it again is cheap.
    """

    rules: tuple[Rule, ...]
    _known: dict[tuple[PointInfo, int | None], _AtPoint] = field(
        default_factory=dict, repr=False, compare=False
    )
    _by_quantity: dict[tuple[str, int | None], Sequence[Rule]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def bind(
        self, points: Mapping[int, PointInfo], *, on: date | None = None
    ) -> tuple[LimitTable, Mapping[int, Binding]]:
        """Return the limits of these points, sorted by point, and what each key stands for.

        With ``on`` only rules in force on that day are bound. Raises RuleError when two points share a place.
        """
        if on is not None:
            return RuleSet(tuple(rule for rule in self.rules if rule.effective_from <= on)).bind(points)
        index = sorted(points)
        return _table(index, [self._about(points[i]) for i in index])

    def bind_subjects(self, subjects: Sequence[Subject]) -> tuple[LimitTable, Mapping[int, Binding]]:
        """Return the limits of what is judged outside the walk: each row's ``point`` counts the subjects."""
        return _table(range(len(subjects)), [self._about(s.about, s.detector) for s in subjects])

    def _about(self, point: PointInfo, detector: int | None = None) -> _AtPoint:
        known = self._known.get((point, detector))
        if known is None:
            about = [rule for rule in self._asked(point.quantity, detector) if rule.concerns(point)]
            rules = [rule for rule in about if rule.applies(point)]
            keys = [key_of(rule.id, point.place) for rule in rules]
            rows = [_row(key, rule, point) for key, rule in zip(keys, rules, strict=True)]
            bindings = {key: Binding(rule, point) for key, rule in zip(keys, rules, strict=True)}
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

    def unwatched(self, points: Mapping[int, PointInfo]) -> Unwatched:
        """Return what rules cannot watch: points in another unit, points without an interval."""
        said = [(point, self._about(point)) for _, point in sorted(points.items())]
        return Unwatched(
            tuple(each.wrong_unit for _, each in said if each.wrong_unit),
            tuple(point.place for point, each in said if each.timeless),
        )


def _table(index: Sequence[int], said: Sequence[_AtPoint]) -> tuple[LimitTable, Mapping[int, Binding]]:
    bindings: dict[int, Binding] = {}
    for each in said:
        bindings.update(each.bindings)
    # as bytes: joining arrays of rows, numpy compares the columns of each with those of the next
    rows = np.frombuffer(b"".join([each.rows.tobytes() for each in said]), ROW)
    if len(bindings) != len(rows):
        raise _shared_place(said)
    counts = [len(each.rows) for each in said]
    columns = {name: np.ascontiguousarray(rows[name]) for name in ROW.names or ()}
    return LimitTable(point=np.repeat(np.asarray(index, np.int32), counts), **columns), bindings


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


def load(paths: Sequence[Path], detectors: Mapping[str, int]) -> RuleSet:
    """Read rule packs: files, or folders of ``*.toml``. Raises RuleError for the first mistake.

    ``detectors`` maps the names a rule may use to the engine's ids.
    """
    rules: dict[str, Rule] = {}
    for path in _files(paths):
        for rule in rule_file.read(path, detectors):
            if rule.id in rules:
                raise RuleError(
                    f"the rule id {rule.id!r} is used twice",
                    where=rule.where,
                    mend=f"Rename one of them; the other is at {rules[rule.id].where}.",
                )
            rules[rule.id] = rule
    return RuleSet(tuple(rules.values()))


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
