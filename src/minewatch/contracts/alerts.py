"""The cold path: alerts, their events, what people ask, how the parts are; frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from minewatch.contracts.readings import GatewayInfo, ReadingBatch
from minewatch.contracts.trials import Announcement, Calibration


@dataclass(frozen=True, slots=True)
class Text:
    """A text a person reads, in the three languages of the house."""

    kk: str
    ru: str
    en: str


NO_WORDS = Text("", "", "")


class AlertState(StrEnum):
    """ISA-18.2 / IEC 62682 states that an alert goes through."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned-unacknowledged"


class EventKind(StrEnum):
    """Every transition and remark in the life of an alert."""

    RAISED = "raised"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    COMMENTED = "commented"
    ALSO_RAISED = "also-raised"  # the other of gateway and service found the same
    ALSO_CLEARED = "also-cleared"
    TAGGED = "tagged"  # a rise that is a test of the meter, by calibration gas: it calls nobody
    ESCALATED = "escalated"  # an alert that waited, because it might have been a test, calls a person now
    EXPLAINED = "explained"  # what is known of a standing alert has changed: newer words, no call
    TESTED = "tested"  # a test of outputs
    ANNOUNCED = "test-announced"  # somebody will test a meter
    CHANGED = "changed"  # settings of detection change from a time on

    @property
    def of_alert(self) -> bool:
        """Whether the row is a step in the life of an alert; others stand in the journal alone."""
        return self not in (EventKind.TESTED, EventKind.CHANGED, EventKind.ANNOUNCED)


@dataclass(frozen=True, slots=True)
class Alert:
    """One activation of a rule at a place, as it stands now; ``row`` is its last row in the journal.

    ``why`` is what was found when it was raised or cleared, ``now`` what is known besides while it stands,
    since ``now_ns``. ``words`` are the parts of ``now`` by whose they are: the book goes on with them after a
    restart, the journal has ``now`` alone.
    """

    id: str
    rule: str
    place: str
    site: str
    zone: str
    quantity: str
    priority: int
    paged: bool
    state: AlertState
    active: bool
    raised_ns: int
    changed_ns: int
    value: float
    unit: str
    limit: float
    detector: str
    message: Text
    why: Text
    citation: str
    verified: bool
    retrospective: bool = False
    acknowledged_by: str = ""
    row: int = 0
    origin: str = ""  # who found it: "" the service, "gateway", "both"
    now: Text = NO_WORDS
    now_ns: int = 0
    words: tuple[tuple[int, Text], ...] = ()

    @property
    def known(self) -> str:
        """``why`` and ``now`` as one line in English, for what is written in one language."""
        return f"{self.why.en.rstrip('.')}; {self.now.en}" if self.now.en else self.why.en


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One row of the journal. ``key`` makes it idempotent: (alert, kind, cause) or the caller's own key.

    ``source`` is the gateway that told it, ``site/gateway``; "" is the service itself. ``calibration`` is the
    line of the ledger that a row about a test of a meter writes, ``announced`` what a row announces.
    """

    key: str
    event: EventKind
    alert: Alert
    time_ns: int
    service_ns: int
    actor: str
    gateway_ns: int = 0
    comment: str = ""
    row: int = 0
    hash: str = ""
    source: str = ""
    calibration: Calibration | None = None
    announced: Announcement | None = None


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """Settings of detection that are others for readings from a time on; ``before`` has the same keys."""

    from_ns: int
    by: str
    reason: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """What was not taken: from which topic or file, a stable word for why, and what was wrong with it.

    ``source`` and ``detail`` come from outside: a store keeps at most 200 printable characters of each.
    """

    time_ns: int
    source: str
    reason: str
    detail: str
    row: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asks of an alert: ``acknowledge`` or ``comment``."""

    name: str
    alert: str
    actor: str
    comment: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Filters of the alert list; empty means any. Without ``history`` only what is not normal."""

    states: tuple[AlertState, ...] = ()
    priorities: tuple[int, ...] = ()
    zone: str = ""
    place: str = ""
    rule: str = ""
    from_ns: int = 0
    to_ns: int = 0
    text: str = ""
    history: bool = False
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class CalibrationQuery:
    """Filters of the calibration ledger, by when a test began; empty means any."""

    place: str = ""
    zone: str = ""
    from_ns: int = 0
    to_ns: int = 0
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class SystemState:
    """How the parts are; ``problems`` maps a part (ingest, core, store, ...) to what is wrong with it."""

    ready: bool
    problems: Mapping[str, str]
    gateways: tuple[GatewayInfo, ...]
    telemetry: str
    time_ns: int
    metrics: str = ""  # Prometheus text of core and ingest


@dataclass(frozen=True, slots=True)
class Push:
    """What the core hands to serve as it happens; ``latest`` holds one row per point that changed."""

    time_ns: int
    events: tuple[AlertEvent, ...] = ()
    latest: ReadingBatch | None = None
    state: SystemState | None = None
