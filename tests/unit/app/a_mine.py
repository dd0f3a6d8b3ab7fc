"""A pipeline over stores in memory: one gateway, two gas meters and a fan, one limit and one for silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from minewatch.alerts.book import AlertBook
from minewatch.alerts.rule import Match, Rule
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.settings import AlertSettings
from minewatch.app.pipeline import GAP, Pipeline
from minewatch.contracts import (
    AlertEvent,
    Comparison,
    GatewayInfo,
    PointInfo,
    ReadingBatch,
    RecordStore,
    TelemetryStore,
    Text,
    Watermark,
    Written,
)
from minewatch.detect.settings import DetectSettings
from minewatch.errors import StoreBusy, StoreError
from minewatch.testing import FakeClock, MemoryRecords, MemoryTelemetry

S = 1_000_000_000
HOUR = 3600 * S
T0 = FakeClock().now_ns()
TEXT = Text("к", "р", "e")


def rule(name: str, detector: str, number: int, threshold: float) -> Rule:
    """Return a rule about methane."""
    return Rule(
        name, "methane", "% CH4", detector, number, Comparison.AT_OR_ABOVE, threshold, 0.0, 0.0, 0.0, 1, True,
        "test", "none", False, "", date(2020, 1, 1), Match(), TEXT,
    )  # fmt: skip


RULES = RuleSet((rule("high", "value", 0, 1.0), rule("silent", "gap", GAP, 30.0)))


def meter(name: str, *, valid_from_ns: int = 0) -> PointInfo:
    """Return a methane meter of the one gateway."""
    return PointInfo(
        f"mine/{name}/CH4", "mine", "gw", name, "CH4", "methane", "% CH4", "face", interval_s=1.0,
        valid_from_ns=valid_from_ns,
    )  # fmt: skip


def gateway(*, online: bool = True, since_ns: int = T0, spool_first: int = 0) -> GatewayInfo:
    """Return the session of the one gateway."""
    return GatewayInfo("mine", "gw", online, since_ns, since_ns, spool="spool", spool_first=spool_first)


def pipeline(
    telemetry: TelemetryStore | None = None,
    records: RecordStore | None = None,
    *,
    now_ns: int = T0,
    rules: RuleSet = RULES,
    detect: DetectSettings | None = None,
) -> Pipeline:
    """Return a pipeline as the core makes one."""
    kept = records or MemoryRecords()
    book = AlertBook(AlertSettings(), kept, started_ns=now_ns)
    settings = detect or DetectSettings()
    return Pipeline(settings, rules, book, telemetry or MemoryTelemetry(), kept, now_ns=now_ns)


class Refusing(MemoryTelemetry):
    """A telemetry store that refuses while it is ``full``."""

    full = True
    asked = 0

    def write(self, batch: ReadingBatch, watermarks: Sequence[Watermark] = ()) -> Written:
        """Keep rows, unless full."""
        self.asked += 1
        if self.full:
            raise StoreBusy("the disk is full")
        return super().write(batch, watermarks)


class RefusingRecords(MemoryRecords):
    """A journal that takes nothing while it is ``full``."""

    full = False

    def append(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Take events, unless full."""
        if self.full:
            raise StoreError("the disk is full")
        return super().append(events)
