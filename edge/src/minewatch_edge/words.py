"""Figures as a person reads them: sizes with a unit, ages in words, a table whose columns stand in line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


def size(count: float) -> str:
    """Return bytes with a unit: 512 B, 3.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError(count)


def span(seconds: float) -> str:
    """Return a time span in the unit that fits it: 3 s, 5 min, 2.5 h, 4 days."""
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86_400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days"


def count(number: int) -> str:
    """Return a whole number in groups of three."""
    return f"{number:,}".replace(",", " ")


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return lines of a name and what it is."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {text}".rstrip() for name, text in rows)


def status(found: Mapping[str, Any], age_s: float) -> str:
    """Return what ``status`` prints."""
    running = found["running"]
    link = "not connected to the broker"
    if found.get("connected"):
        link = "connected, publishing" if found.get("online") else "connected, not publishing"
    rows = [
        ("agent", f"{'running' if running else 'not running'}, version {found.get('version', '?')}"),
        ("gateway", f"{found.get('site', '?')} / {found.get('gateway', '?')}"),
        ("written", f"{span(age_s)} ago" + (f" by process {found['pid']}" if found.get("pid") else "")),
        ("broker", link),
        ("host", "online" if found.get("host_online") else "offline"),
        ("points", count(found.get("points", 0))),
        ("sampled", f"{count(found.get('sampled', 0))} readings"),
        ("acknowledged", f"{count(found.get('acked', 0))} readings, {count(found.get('sent', 0))} sent"),
        ("held", f"{count(found.get('held', 0))} readings in {count(found.get('held_rows', 0))} rows"),
        ("lost", f"{count(found.get('evicted', 0))} given up, {count(found.get('dropped', 0))} dropped"),
        ("rejected", f"{count(found.get('rejected', 0))} lines of a source"),
        ("waiting", f"{count(found.get('waiting', 0))} readings for the disk"),
        ("sent again", f"{count(found.get('resends', 0))} times"),
        (
            "clock",
            f"{found.get('clock', 'unknown')}, readings {span(found.get('clock_ahead_s', 0.0))} ahead of it",
        ),
    ]
    for device, age in found.get("devices", {}).items():
        last = "no reading yet" if age is None else f"last reading {span(age + age_s)} ago"
        rows.append((f"  {device}", "PROBLEM" if device in found.get("problems", {}) else last))
    for output, shown in found.get("outputs", {}).items():
        why = f": {shown['why']}" if shown["why"] else ""
        rows.append((f"  {output}", f"{'on' if shown['on'] else 'off'}{why}"))
    for alert in found.get("alerts", ()):
        stands = "active" if alert["active"] else "over"
        known = "acknowledged" if alert["acknowledged"] else "not acknowledged"
        rows.append(("ALERT", f"{alert['rule']} at {alert['place']}: {stands}, {known}"))
    problems = found.get("problems", {})
    rows += [("PROBLEM", f"{part}: {text}") for part, text in problems.items()]
    return table(rows)


def spool(report: Mapping[str, Any], now: datetime) -> str:
    """Return what ``spool`` prints."""
    rows = [("file", str(report["path"])), ("size", size(report["bytes"])), ("name", str(report["spool"]))]
    if report["first_row"] is None:
        rows.append(("held", "nothing: every reading was acknowledged"))
    else:
        held = f"{count(report['held'])} readings, rows {report['first_row']} to {report['last_row']}"
        rows.append(("held", held))
    for device in report["devices"]:
        ages = " to ".join(_ago(device[key], now) for key in ("oldest", "newest"))
        rows.append((f"  {device['device']}", f"{count(device['readings'])} readings, {ages} old"))
    known = ("path", "bytes", "spool", "first_row", "last_row", "held", "devices", "rejects")
    for key, value in report.items():
        if key not in known and isinstance(value, (int, str)):
            shown = count(value) if isinstance(value, int) else value
            rows.append((key.replace("_", " "), shown))
    rows += [
        (
            "REJECTED",
            f"{_ago(r['time'], now)} ago, {printable(r['device'])} ({r['reason']}): {printable(r['text'])}",
        )
        for r in report["rejects"]
    ]
    return table(rows)


def printable(text: str) -> str:
    """Return a text of a source without anything that a terminal would act on."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _ago(iso: str, now: datetime) -> str:
    return span((now - datetime.fromisoformat(iso)).total_seconds())
