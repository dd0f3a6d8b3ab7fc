"""How commands print events and summaries: one JSON object a line, or a line a person reads."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from minewatch.contracts import AlertEvent, Counts, EventKind

CALLS = (EventKind.RAISED, EventKind.ESCALATED)  # the events that call a person, where the alert is paged
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(time_ns: int, zone: tzinfo = UTC) -> str:
    """Return a time as ISO 8601 with offset; fractions of a second only where there are any."""
    moment = (EPOCH + timedelta(microseconds=time_ns // 1000)).astimezone(zone)
    return moment.isoformat()


def number(value: float) -> float | None:
    """Return a number as JSON can hold it: what is not finite becomes null."""
    return round(value, 6) if math.isfinite(value) else None


def event_json(event: AlertEvent, zone: tzinfo = UTC) -> dict[str, Any]:
    """Return an event as the line of ``replay --json``."""
    alert = event.alert
    return {
        "time": iso(event.time_ns, zone),
        "event": event.event.value,
        "alert": alert.id,
        "rule": alert.rule,
        "place": alert.place,
        "zone": alert.zone,
        "priority": alert.priority,
        "paged": alert.paged and event.event in CALLS,
        "state": alert.state.value,
        "value": number(alert.value),
        "unit": alert.unit,
        "limit": number(alert.limit),
        "retrospective": alert.retrospective,
        "verified": alert.verified,
        "why": alert.known,
    }


def event_line(event: AlertEvent, zone: tzinfo = UTC) -> str:
    """Return an event as one line for a person."""
    alert = event.alert
    called = " PAGED" if alert.paged and event.event in CALLS else ""
    known = "" if alert.verified else " (limit unverified)"
    return (
        f"{iso(event.time_ns, zone)}  P{alert.priority} {event.event.value:<12} {alert.rule} at {alert.place}"
        f"{called}: {alert.known}{known}"
    )


@dataclass(slots=True)
class Tally:
    """Counts alerts as events pass by."""

    raised: int = 0
    paged: int = 0
    tagged: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)

    def add(self, events: Iterable[AlertEvent]) -> None:
        """Count events that raise an alert, call after all, or tag a test."""
        for event in events:
            if event.event is EventKind.RAISED:
                self.raised += 1
                self.paged += event.alert.paged
                self.by_rule[event.alert.rule] += 1
            elif event.event is EventKind.ESCALATED:
                self.paged += event.alert.paged
            elif event.event is EventKind.TAGGED:
                self.tagged += 1


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """Return the median and the 99th percentile, null when nothing was measured."""
    if not values:
        return {"p50": None, "p99": None}
    ordered = sorted(values)
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * q))], 1) for name, q in QUANTILES}


QUANTILES = (("p50", 0.50), ("p99", 0.99))


def summary(
    *,
    seconds: float,
    sent: int,
    counts: Counts,
    rejected: int,
    points: int,
    tally: Tally,
    latency_ms: Sequence[float],
    telemetry: str,
) -> dict[str, Any]:
    """Return the last line of demo and replay; ``sent`` and ``counts`` come from different ends."""
    return {
        "summary": {
            "seconds": round(seconds, 1),
            "readings": {
                "sent": sent,
                "stored": counts.stored,
                "lost": max(0, sent - counts.distinct),
                "duplicate": counts.stored - counts.distinct,
                "rejected": rejected,
            },
            "readings_per_s": round(sent / seconds) if seconds else 0,
            "points": points,
            "alerts": {
                "raised": tally.raised,
                "paged": tally.paged,
                "tagged": tally.tagged,
                "by_rule": dict(sorted(tally.by_rule.items())),
            },
            "push_latency_ms": percentiles(latency_ms),
            "telemetry": telemetry,
        }
    }


def summary_lines(found: dict[str, Any]) -> list[str]:
    """Return a summary for a person."""
    s = found["summary"]
    readings, alerts, latency = s["readings"], s["alerts"], s["push_latency_ms"]
    rules = ", ".join(f"{rule} {count}" for rule, count in alerts["by_rule"].items()) or "none"
    return [
        f"{s['points']} points, {readings['sent']} readings sent in {s['seconds']} s "
        f"({s['readings_per_s']} a second)",
        f"stored in {s['telemetry']}: {readings['stored']}; lost {readings['lost']}, "
        f"duplicate {readings['duplicate']}, rejected {readings['rejected']}",
        f"alerts raised {alerts['raised']}, paged {alerts['paged']}: {rules}",
        *(
            [f"sensor to page: median {latency['p50']} ms, 99 % {latency['p99']} ms"]
            if latency["p50"]
            else []
        ),
    ]
