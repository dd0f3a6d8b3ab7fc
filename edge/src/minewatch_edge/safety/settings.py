"""The tables [safety], [[output]] and [[panel]] of edge.toml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minewatch_edge.errors import WireError
from minewatch_edge.safety import lines, rule_file
from minewatch_edge.safety.globs import ANY
from minewatch_edge.safety.panel import ACTIONS, PanelConfig
from minewatch_edge.safety.positions import FUNCTIONS, NO_SIGNAL, OutputConfig
from minewatch_edge.safety.rule import Rule
from minewatch_edge.sparkplug import topics
from minewatch_edge.tables import Table

_OUTPUT_KEYS = (
    "id", "kind", "function", "rules", "zones", "priority", "safe", "on_no_signal", "no_signal_after_s",
    "inverted", "pulse_s", "silence", "latch", "heartbeat_s", "hang_s", "verify_s", *lines.OUTPUT_KEYS,
)  # fmt: skip
_PANEL_KEYS = (
    "id", "kind", "action", "rules", "zones", "outputs", "test_s", "inverted", "poll_ms", "debounce_ms",
    *lines.INPUT_KEYS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SafetyConfig:
    """What the gateway judges and drives by itself; nothing of it without rules."""

    rules: tuple[Rule, ...] = ()
    outputs: tuple[OutputConfig, ...] = ()
    panels: tuple[PanelConfig, ...] = ()
    state: Path | None = None


def parse(top: Table, folder: Path) -> SafetyConfig:
    """Check the tables and read the rule files they name; raises EdgeConfigError."""
    table = top.table("safety")
    table.refuse_unknown(("rules", "state"))
    names = table.texts("rules", ())
    state = table.text("state", "")
    outputs = [_output(t) for t in top.tables("output")] if "output" in top.values else []
    panels = [_panel(t) for t in top.tables("panel")] if "panel" in top.values else []
    if outputs and not names:
        raise table.error("rules", "there are outputs, but no rule that could drive them", "Name rule files")
    _refuse_twice(top, "output", [o.id for o in outputs])
    _refuse_twice(top, "panel", [p.id for p in panels])
    return SafetyConfig(
        rules=rule_file.load(folder / name for name in names),
        outputs=tuple(outputs),
        panels=tuple(panels),
        state=folder / state if state else None,
    )


def _output(table: Table) -> OutputConfig:
    table.refuse_unknown(_OUTPUT_KEYS)
    function = table.text("function", choices=FUNCTIONS)
    heartbeat_s = table.number("heartbeat_s", 0.0, least=0, most=60)
    wire = "heartbeat_file" if table.text("kind", choices=lines.KINDS) == "gpio-file" else "heartbeat_address"
    if (heartbeat_s > 0) != (wire in table.values):
        raise table.error("heartbeat_s", f"it goes with {wire}, and only with it", "Write both or none")
    return OutputConfig(
        id=_name(table),
        kind=table.text("kind", choices=lines.KINDS),
        function=function,
        rules=table.texts("rules", ANY),
        zones=table.texts("zones", ANY),
        priority=table.whole("priority", 2, least=1, most=4),
        safe_on=table.text("safe", choices=("on", "off")) == "on",
        on_no_signal=table.text("on_no_signal", "safe", choices=NO_SIGNAL),
        no_signal_after_s=table.number("no_signal_after_s", 30.0, least=0.1, most=86_400),
        inverted=table.flag("inverted", False),
        pulse_s=table.number("pulse_s", 0.0, least=0, most=60),
        silence=table.flag("silence", function == "siren"),
        latch=table.flag("latch", function == "relay"),
        heartbeat_s=heartbeat_s,
        hang_s=table.number("hang_s", 10.0, least=0, most=3600),
        verify_s=table.number("verify_s", 10.0, least=1, most=3600),
        options=table,
        said=dict(table.values),
    )


def _panel(table: Table) -> PanelConfig:
    table.refuse_unknown(_PANEL_KEYS)
    return PanelConfig(
        id=_name(table),
        kind=table.text("kind", choices=lines.INPUT_KINDS),
        action=table.text("action", choices=ACTIONS),
        rules=table.texts("rules", ANY),
        zones=table.texts("zones", ANY),
        outputs=table.texts("outputs", ANY),
        test_s=table.number("test_s", 5.0, least=0.1, most=600),
        inverted=table.flag("inverted", False),
        poll_ms=table.number("poll_ms", 50.0, least=5, most=10_000),
        debounce_ms=table.number("debounce_ms", 50.0, least=0, most=10_000),
        options=table,
        said=dict(table.values),
    )


def _name(table: Table) -> str:
    value = table.text("id")
    try:
        return topics.check_id("id", value)
    except WireError as error:
        raise table.error("id", str(error), "Use letters, digits, - and _ only") from error


def _refuse_twice(top: Table, kind: str, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise top.error(f"{kind}[{i}].id", f"{name!r} is there twice", "Give it a name of its own")
