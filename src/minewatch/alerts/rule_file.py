"""Read one rule pack (TOML) and name every mistake by file, line, key and mend."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from minewatch.alerts import globs
from minewatch.alerts.rule import EVERY, MEASURED, Match, Rule
from minewatch.alerts.texts import GATEWAY, TOGETHER
from minewatch.contracts import Comparison, Text
from minewatch.errors import RuleError

COMPARISONS = {
    ">": Comparison.ABOVE,
    ">=": Comparison.AT_OR_ABOVE,
    "<": Comparison.BELOW,
    "<=": Comparison.AT_OR_BELOW,
}
LANGUAGES = ("kk", "ru", "en")
# statistics that are about a signal and mean the same for every quantity
SIGNAL_DETECTORS = frozenset(
    {"range", "sentinel", "stuck", "gap", "ewma", "cusum", "robust-z", "level-shift"}
    | {"novelty", "frozen", "leap"}
    | {*TOGETHER, *GATEWAY}
)
IN_SECONDS = frozenset({"stuck", "gap"})
PACK_KEYS = frozenset({"title", "jurisdiction", "effective_from"})
RULE_KEYS = frozenset(
    {"id", "quantity", "unit", "detector", "comparison", "threshold", "deadband", "on_delay_s", "off_delay_s"}
    | {"intervals", "priority", "page", "jurisdiction", "citation", "status", "evidence", "effective_from"}
    | {"match", "message", "except_quantities", "count", "decision", "uncertainty", "confidence"}
)
MATCH_KEYS = frozenset({"zone", "place", "site", "metric"})
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class _Table:
    """A TOML table that knows where it stands in the file."""

    tree: Mapping[str, Any]
    path: Path
    lines: Sequence[str]
    start: int  # its first line, counted from 1
    name: str

    def where(self, key: str = "") -> str:
        line, pattern = self.start, re.compile(rf'\s*"?{re.escape(key)}"?\s*=')
        for number, text in enumerate(self.lines[self.start :], self.start + 1):
            if text.lstrip().startswith("[["):
                break
            if key and pattern.match(text):
                line = number
                break
        return f"{self.path}:{line}, {self.name}" + (f", key {key}" if key else "")

    def fail(self, key: str, what: str, mend: str) -> RuleError:
        return RuleError(what, where=self.where(key), mend=mend)

    def only(self, known: frozenset[str]) -> None:
        for key in self.tree:
            if key not in known:
                near = difflib.get_close_matches(key, sorted(known), 1)
                mend = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(sorted(known))}."
                raise self.fail(key, "there is no such key", mend)

    def text(self, key: str, mend: str) -> str:
        value = self.tree.get(key)
        if value is None:
            raise self.fail(key, "is missing", mend)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, f"{value!r} is not a text", mend)
        return value.strip()

    def number(self, key: str, default: float | None = None, *, low: float = -math.inf) -> float:
        value = self.tree.get(key, default)
        if value is None:
            raise self.fail(key, "is missing", "Give a number in the unit of the statistic.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.fail(key, f"{value!r} is not a finite number", "Write a plain number, such as 1.5.")
        if value < low:
            raise self.fail(key, f"{value!r} is below {low:g}", f"Write {low:g} or more.")
        return float(value)

    def day(self, key: str) -> date:
        value = self.tree.get(key)
        if type(value) is not date:
            raise self.fail(key, f"{value!r} is not a date", "Write it without quotes: 2015-03-01.")
        return value

    def table(self, key: str) -> _Table:
        value = self.tree.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(key, "is not a table", f"Write [rule.{key}] on a line of its own.")
        return _Table(value, self.path, self.lines, self.start, f"{self.name}, {key}")


def read(path: Path, detectors: Mapping[str, int]) -> Sequence[Rule]:
    """Return the rules of one pack in the order of the file. Raises RuleError."""
    text = _text(path)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(
            f"is not TOML: {error}", where=str(path), mend="Mend that line; texts need quotes."
        ) from None
    lines = text.splitlines()
    top = _Table(tree, path, lines, 0, "the pack")
    top.only(frozenset({"pack", "rule"}))
    pack = _Table(top.table("pack").tree, path, lines, _line_of(lines, "[pack]", 0), "[pack]")
    pack.only(PACK_KEYS)
    rules = tree.get("rule", [])
    if not isinstance(rules, list) or not rules or not all(isinstance(rule, dict) for rule in rules):
        raise RuleError("holds no rule", where=str(path), mend="Begin each rule with a line [[rule]].")
    found = []
    for number, rule in enumerate(rules):
        start, name = _line_of(lines, "[[rule]]", number), f"rule {rule.get('id', number + 1)}"
        found.append(_rule(_Table({**_inherited(pack), **rule}, path, lines, start, name), detectors))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RuleError(
            f"cannot be read ({error.strerror})", where=str(path), mend="Give the path of a *.toml rule pack."
        ) from None
    except UnicodeDecodeError as error:
        raise RuleError(
            f"is not UTF-8 text (byte {error.start})", where=str(path), mend="Save the file as UTF-8."
        ) from None


def _line_of(lines: Sequence[str], header: str, number: int) -> int:
    found = [line for line, text in enumerate(lines, 1) if text.replace(" ", "").startswith(header)]
    return found[number] if number < len(found) else 1


def _inherited(pack: _Table) -> Mapping[str, Any]:
    return {key: pack.tree[key] for key in ("jurisdiction", "effective_from") if key in pack.tree}


def _rule(table: _Table, detectors: Mapping[str, int]) -> Rule:
    table.only(RULE_KEYS)
    rule_id = table.text("id", "Give a short name, such as methane-trip.")
    if not ID.fullmatch(rule_id):
        raise table.fail("id", f"{rule_id!r} is no rule id", "Use small letters, digits and single hyphens.")
    detector = table.text("detector", f"Known detectors: {', '.join(detectors)}.")
    if detector not in detectors:
        near = difflib.get_close_matches(detector, list(detectors), 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise table.fail(
            "detector",
            f"there is no detector {detector!r}",
            f"{hint}Known detectors: {', '.join(detectors)}.",
        )
    quantity, unit = _quantity(table, detector)
    need, of = _count(table, detector)
    decision, uncertainty, confidence = _decision(table, detector)
    verified, evidence = _status(table)
    return Rule(
        id=rule_id,
        quantity=quantity,
        unit=unit,
        detector=detector,
        detector_id=detectors[detector],
        comparison=_comparison(table),
        threshold=table.number("threshold"),
        deadband=table.number("deadband", 0.0, low=0.0),
        on_delay_s=table.number("on_delay_s", 0.0, low=0.0),
        off_delay_s=table.number("off_delay_s", 0.0, low=0.0),
        intervals=_intervals(table, detector),
        need=need,
        of=of,
        decision=decision,
        uncertainty=uncertainty,
        confidence=confidence,
        except_quantities=_except(table, quantity),
        priority=_priority(table),
        page=_page(table),
        jurisdiction=table.text("jurisdiction", "Say whose rule it is: KZ, PL, site, practice."),
        citation=table.text("citation", "Name act, paragraph and table, or say that it is the mine's own."),
        verified=verified,
        evidence=evidence,
        effective_from=table.day("effective_from"),
        match=_match(table.table("match")),
        message=_message(table.table("message")),
        where=table.where(),
    )


def _quantity(table: _Table, detector: str) -> tuple[str, str]:
    quantity = table.text("quantity", "Name one quantity, such as methane.")
    unit = table.text("unit", "A number without its unit cannot be compared; write the unit of the points.")
    if (quantity == EVERY) != (unit == EVERY):
        what = f"{unit!r} does not go with quantity {quantity!r}"
        raise table.fail("unit", what, 'Write "*" for both or none.')
    if quantity == EVERY and detector not in SIGNAL_DETECTORS:
        mend = f"Name one, or use a detector of the signal: {', '.join(sorted(SIGNAL_DETECTORS))}."
        raise table.fail("quantity", f"{detector} needs one quantity and its unit", mend)
    return quantity, unit


def _intervals(table: _Table, detector: str) -> float:
    intervals = table.number("intervals", 0.0, low=0.0)
    if intervals and detector not in IN_SECONDS:
        mend = f"It goes with {' and '.join(sorted(IN_SECONDS))} only."
        raise table.fail("intervals", f"says nothing for {detector}, which does not count seconds", mend)
    return intervals


def _count(table: _Table, detector: str) -> tuple[int, int]:
    value = table.tree.get("count", [1, 1])
    mend = "Write count = [2, 3] for two of the last three readings; at most 32."
    whole = isinstance(value, list) and len(value) == 2 and all(type(n) is int for n in value)
    if not whole or not 1 <= value[0] <= value[1] <= 32:
        raise table.fail("count", f"{value!r} is no count of readings", mend)
    if value[1] > 1 and detector == "gap":
        raise table.fail(
            "count", "says nothing for gap, which is about readings that do not come", "Leave it out."
        )
    return value[0], value[1]


def _decision(table: _Table, detector: str) -> tuple[str, float, float]:
    if "decision" not in table.tree:
        for key in ("uncertainty", "confidence"):
            if key in table.tree:
                raise table.fail(
                    key, "says nothing without decision", 'Add decision = "surely" or "possibly".'
                )
        return "", 0.0, 0.95
    decision = table.text("decision", 'Write "surely" or "possibly".')
    if decision not in ("surely", "possibly"):
        raise table.fail("decision", f"{decision!r} is no decision", 'Write "surely" or "possibly".')
    if detector in IN_SECONDS:
        raise table.fail("decision", f"says nothing for {detector}, which counts seconds", "Leave it out.")
    measured = detector == MEASURED and "uncertainty" not in table.tree
    uncertainty = 0.0 if measured else table.number("uncertainty", low=0.0)
    confidence = table.number("confidence", 0.95, low=0.5)
    if uncertainty >= 1 or confidence >= 1:
        raise table.fail("uncertainty", "is a share below 1, and confidence too", "Write 0.12 for 12 %.")
    return decision, uncertainty, confidence


def _except(table: _Table, quantity: str) -> tuple[str, ...]:
    left_out = _texts(table, "except_quantities")
    if left_out and quantity != EVERY:
        mend = 'It goes with quantity = "*" only.'
        raise table.fail("except_quantities", f"says nothing for a rule about {quantity}", mend)
    return left_out


def _comparison(table: _Table) -> Comparison:
    known = ", ".join(COMPARISONS)
    sign = table.text("comparison", f"Write one of {known}.")
    if sign not in COMPARISONS:
        raise table.fail("comparison", f"{sign!r} is no comparison", f"Write one of {known}.")
    return COMPARISONS[sign]


def _priority(table: _Table) -> int:
    value = table.tree.get("priority")
    if type(value) is not int or not 1 <= value <= 4:
        raise table.fail("priority", f"{value!r} is no priority", "Write 1 (most urgent) to 4.")
    return value


def _page(table: _Table) -> bool:
    value = table.tree.get("page")
    if not isinstance(value, bool):
        raise table.fail("page", f"{value!r} is not true or false", "Say whether a person is called.")
    return value


def _status(table: _Table) -> tuple[bool, str]:
    status = table.text("status", 'Write "verified" or "unverified".')
    if status not in ("verified", "unverified"):
        raise table.fail("status", f"{status!r} is no status", 'Write "verified" or "unverified".')
    if status == "verified":
        return True, table.text("evidence", "A verified limit says who read what: text, place, date.")
    return False, str(table.tree.get("evidence", ""))


def _match(table: _Table) -> Match:
    table.only(MATCH_KEYS)
    patterns = {key: _texts(table, key) for key in table.tree}
    return Match(**{key: patterns.get(key, globs.ANY) for key in MATCH_KEYS})


def _texts(table: _Table, key: str) -> tuple[str, ...]:
    value = table.tree.get(key, ())
    several = (value,) if isinstance(value, str) else value
    if not isinstance(several, list | tuple) or not all(isinstance(item, str) and item for item in several):
        raise table.fail(key, f"{value!r} is no list of texts", 'Write a list such as ["longwall*/face"].')
    if key in table.tree and not several:
        raise table.fail(key, "is an empty list", "Leave the key out, or name something.")
    return tuple(several)


def _message(table: _Table) -> Text:
    table.only(frozenset(LANGUAGES))
    mend = "Say in kk, ru and en what happened and what to do."
    return Text(**{language: table.text(language, mend) for language in LANGUAGES})
