"""The rules in force: read from packs, bound to points.

A rule applies to a point when quantity and unit are the same and every glob fits. Bound to points it
becomes rows of the engine's limit table; the row's key names (rule, place) for life.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from minewatch.alerts import rule_file
from minewatch.alerts.rule import EVERY, Binding, Rule, key_of
from minewatch.contracts import LimitTable, PointInfo
from minewatch.errors import RuleError

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of all packs in force, ids unique."""

    rules: tuple[Rule, ...]

    def bind(
        self, points: Mapping[int, PointInfo], *, on: date | None = None
    ) -> tuple[LimitTable, Mapping[int, Binding]]:
        """Return the limits of these points, sorted by point, and what each key stands for.

        With ``on`` only rules in force on that day are bound. Raises RuleError when two keys collide.
        """
        rules = [rule for rule in self.rules if on is None or rule.effective_from <= on]
        rows: list[tuple[int, int, Binding]] = []
        bindings: dict[int, Binding] = {}
        for index, point in sorted(points.items()):
            for rule in _about(rules, point):
                if not rule.applies(point):
                    continue
                key = key_of(rule.id, point.place)
                if key in bindings:
                    raise RuleError(
                        f"the key of {rule.id} at {point.place} is already taken",
                        where=rule.where,
                        mend="Two points may not have the same place; else rename the rule.",
                    )
                bindings[key] = Binding(rule, point)
                rows.append((index, key, bindings[key]))
        return _table(rows), bindings

    def problems(self, points: Mapping[int, PointInfo]) -> Sequence[str]:
        """Return one line for each point that rules speak of in another unit, and so do not watch."""
        found = []
        for _, point in sorted(points.items()):
            wrong = [rule for rule in self.rules if rule.concerns(point) and not rule.applies(point)]
            if wrong:
                units = ", ".join(sorted({repr(rule.unit) for rule in wrong}))
                names = ", ".join(rule.id for rule in wrong)
                found.append(
                    f"{point.place}: {point.quantity} comes in {point.unit!r}, but limits are in {units} "
                    f"({names} do not watch it). Mend the unit in the device's description, or write rules "
                    "in its unit."
                )
        return tuple(found)


def _about(rules: Sequence[Rule], point: PointInfo) -> Sequence[Rule]:
    return [rule for rule in rules if rule.quantity in (EVERY, point.quantity)]


def _table(rows: Sequence[tuple[int, int, Binding]]) -> LimitTable:
    def column(dtype: type, values: Sequence[float]) -> np.ndarray:
        return np.asarray(values, dtype)

    rules = [binding.rule for _, _, binding in rows]
    return LimitTable(
        key=column(np.int64, [key for _, key, _ in rows]),
        point=column(np.int32, [index for index, _, _ in rows]),
        detector=column(np.uint16, [rule.detector_id for rule in rules]),
        comparison=column(np.uint8, [int(rule.comparison) for rule in rules]),
        threshold=column(np.float64, [b.rule.threshold_at(b.point) for _, _, b in rows]),
        deadband=column(np.float64, [rule.deadband for rule in rules]),
        on_delay_ns=column(np.int64, [round(rule.on_delay_s * NS_PER_S) for rule in rules]),
        off_delay_ns=column(np.int64, [round(rule.off_delay_s * NS_PER_S) for rule in rules]),
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
