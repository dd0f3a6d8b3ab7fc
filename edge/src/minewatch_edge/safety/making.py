"""Make local safety of a configuration, and say in words what it judges and what it leaves to the centre."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minewatch_edge.drivers.driver import CheckResult
from minewatch_edge.errors import DriverError
from minewatch_edge.safety import lines
from minewatch_edge.safety.output import Output
from minewatch_edge.safety.panel import Panel
from minewatch_edge.safety.rule import EVERY, Place, Rule
from minewatch_edge.safety.safety import Safety
from minewatch_edge.safety.settings import SafetyConfig
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.tables import Table


def make(
    config: SafetyConfig, site: str, gateway: str, points: Sequence[PointBirth], *, state: Path, folder: Path
) -> Safety | None:
    """Make it, None where edge.toml asks for none; raises EdgeConfigError before any output moves."""
    if not config.rules and not config.panels:
        return None
    return Safety(
        site,
        gateway,
        config.rules,
        points,
        state=config.state or state,
        outputs=[Output(o, lines.make(o.kind, o.options, folder)) for o in config.outputs],
        panels=[Panel(p, lines.make(p.kind, p.options, folder)) for p in config.panels],
    )


def explain(rules: Sequence[Rule], site: str, points: Sequence[PointBirth]) -> list[CheckResult]:
    """Say of each rule where it is judged here, or why it is left to the centre; a wrong unit is a fault."""
    places = [Place.of(site, point) for point in points]
    found = []
    for rule in rules:
        at = [place.name for place in places if rule.applies(place)]
        wrong = [p for p in places if rule.concerns(p) and rule.unit not in (EVERY, p.birth.unit)]
        if wrong:
            units = ", ".join(sorted({repr(p.birth.unit) for p in wrong}))
            text = f"is in {rule.unit!r}, but {wrong[0].name} comes in {units}: it is not watched"
            found.append(CheckResult(f"rule {rule.id}", False, text))
        if not at:
            continue
        if rule.judged:
            some = ", ".join(at[:5]) + (", ..." if len(at) > 5 else "")
            found.append(CheckResult(f"rule {rule.id}", True, f"is judged here at {len(at)} points: {some}"))
        else:
            text = f"is left to the centre ({rule.detector}): {rule.why_not}"
            found.append(CheckResult(f"rule {rule.id}", True, text))
    return found


def summary(rules: Sequence[Rule], site: str, points: Sequence[PointBirth]) -> str:
    """Return in one line which rules are judged here, which are left to the centre, which meet no point."""
    places = [Place.of(site, point) for point in points]
    here = [r for r in rules if any(r.applies(p) for p in places)]
    kinds = (
        ("rules judged here", [r.id for r in here if r.judged]),
        ("left to the centre", [r.id for r in here if not r.judged]),
    )
    parts = [f"{what}: {', '.join(names) or 'none'}" for what, names in kinds]
    if others := len(rules) - len(here):
        parts.append(f"{others} meet no point of this gateway")
    return "; ".join(parts)


def check(config: SafetyConfig, site: str, points: Sequence[PointBirth], folder: Path) -> list[CheckResult]:
    """Explain the rules and read every output and button once; nothing is driven."""
    found = explain(config.rules, site, points)
    places = [Place.of(site, point) for point in points]
    for output in config.outputs:
        driving = [
            rule.id
            for rule in config.rules
            if rule.judged
            and any(rule.applies(p) and output.concerns(rule.id, rule.priority, p.birth.zone) for p in places)
        ]
        if not driving:
            found.append(CheckResult(f"output {output.id}", False, "no rule at any point drives it"))
        found.append(_read(f"output {output.id}", output.kind, output.options, folder, output.inverted))
    for panel in config.panels:
        found.append(_read(f"panel {panel.id}", panel.kind, panel.options, folder, panel.inverted))
    return found


def _read(place: str, kind: str, table: Table, folder: Path, inverted: bool) -> CheckResult:
    line = lines.make(kind, table, folder)
    try:
        on = line.read() != inverted
    except DriverError as error:
        return CheckResult(place, False, str(error))
    finally:
        line.close()
    return CheckResult(place, True, f"answers: {'on' if on else 'off'} now")
