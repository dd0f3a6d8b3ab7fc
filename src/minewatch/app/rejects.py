"""What was not taken, on its way to the reject table: one transaction a second, few rows in it.

A flood of rubbish costs the core no more than that; what is beyond the bound is only counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from prometheus_client import Counter

from minewatch.contracts import RecordStore, Rejected
from minewatch.errors import StoreError
from minewatch.ingest.intake import Intake
from minewatch.ingest.recording import Reject
from minewatch.store.records.rejects import kept

log = structlog.get_logger(__name__)

SECOND = 1_000_000_000
ROWS = 500  # that wait for the next transaction
REJECTS = Counter("minewatch_core_rejects_total", "Rows for the reject table.", ["result"])


class Rejects:
    """Holds rows until they are due; while the store refuses them it holds no more than for one second."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self._waiting: list[Rejected] = []
        self._refused: dict[str, int] = {}
        self._written_ns = 0
        self._problem = ""

    def take(self, rows: Sequence[Rejected]) -> None:
        """Hold rows as far as there is room, count those beyond."""
        room = ROWS - len(self._waiting)
        self._waiting += rows[:room]
        REJECTS.labels("beyond").inc(len(rows[room:]))

    def refused(self, reasons: Mapping[str, int]) -> None:
        """Take note of readings that the telemetry store did not take: a row for each reason."""
        for reason, readings in reasons.items():
            self._refused[reason] = self._refused.get(reason, 0) + readings

    def write(self, now_ns: int) -> None:
        """Write what waits, once a second."""
        if not 0 <= now_ns - self._written_ns < SECOND:  # a clock that was set back is no reason to wait
            self.flush(now_ns)

    def flush(self, now_ns: int) -> None:
        """Write what waits; what the store refuses waits on."""
        self._written_ns = now_ns
        refused, self._refused = self._refused, {}
        self.take([Rejected(now_ns, "telemetry", why, f"{n} readings") for why, n in refused.items()])
        if not self._waiting:
            return
        try:
            self._records.reject(self._waiting)
        except StoreError as error:
            if not self._problem:
                log.error("reject table refuses rows; beyond some they are only counted", problem=str(error))
            self._problem = str(error)
            return
        if self._problem:
            log.info("reject table can be written again")
            self._problem = ""
        REJECTS.labels("kept").inc(len(self._waiting))
        self._waiting = []


def of_intake(intake: Intake, now_ns: int) -> list[Rejected]:
    """Return what the source did not take, as a table keeps it: no text that a frame could not carry."""
    return [kept(Rejected(now_ns, r.topic, r.reason, r.detail)) for r in intake.rejects]


def of_recording(rejects: Sequence[Reject], now_ns: int) -> list[Rejected]:
    """Return the rows and fields that a recording gave no reading for, with line and column."""
    return [Rejected(now_ns, r.file, r.kind, str(r).removeprefix(f"{r.file}: ")) for r in rejects]
