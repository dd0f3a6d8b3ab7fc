"""Alerts and events to fill a record store with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from minewatch.contracts import Alert, AlertEvent, AlertState, EventKind, PointInfo, Rejected, Text

S = 1_000_000_000
T0 = 1_700_000_000 * S


def alert(number: int = 1, **changes: Any) -> Alert:
    """Return an unacknowledged methane alert, one of many."""
    made = Alert(
        id=f"{number:016x}",
        rule="methane-high",
        place=f"north/mm-{number}/ch4",
        site="north",
        zone="longwall-7/return",
        quantity="methane",
        priority=2,
        paged=True,
        state=AlertState.UNACKNOWLEDGED,
        active=True,
        raised_ns=T0 + number * S,
        changed_ns=T0 + number * S,
        value=1.2,
        unit="% CH4",
        limit=1.0,
        detector="value",
        message=Text("Метан шектен асты", "Метан выше нормы", "Methane above the limit"),
        why=Text("1,2 % CH4", "1,2 % CH4", "1.2 % CH4"),
        citation="a mine's own",
        verified=False,
    )
    return replace(made, **changes)


def event(of: Alert, kind: EventKind = EventKind.RAISED, **changes: Any) -> AlertEvent:
    """Return an event in the life of an alert."""
    made = AlertEvent(
        key=f"{of.id}|{kind.value}|{of.changed_ns}",
        event=kind,
        alert=of,
        time_ns=of.changed_ns,
        service_ns=of.changed_ns + 5,
        actor="minewatch",
    )
    return replace(made, **changes)


def point(number: int = 0, **changes: Any) -> PointInfo:
    """Return a methane point, one of many."""
    made = PointInfo(
        place=f"north/mm-{number}/ch4",
        site="north",
        gateway="gw-1",
        device=f"mm-{number}",
        metric="ch4",
        quantity="methane",
        unit="% CH4",
        zone="longwall-7/face",
        low=0.0,
        high=100.0,
        sentinels=(-2.0, -1.0),
        interval_s=1.0,
    )
    return replace(made, **changes)


def rejected(number: int = 1, **changes: Any) -> Rejected:
    """Return a payload that could not be read, one of many."""
    made = Rejected(T0 + number * S, "spBv1.0/north/DDATA/gw-1/mm-1", "payload", f"message {number} is cut")
    return replace(made, **changes)
