r"""Readings in; alerts, telemetry and acknowledgements out. Live, replay and tests all go through here.

::

    batch --> live rows ------> engine --> transitions --> alert book --> records (journal)
          \-> historical rows -> second engine --> retrospective alerts --^
           \-> buffer --> telemetry store, with the watermarks --> acknowledgement

Time is an argument. One pipeline belongs to a partition of gateways, never to the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import structlog
from prometheus_client import Counter

from minewatch.alerts import changed
from minewatch.alerts.book import AlertBook
from minewatch.alerts.rules import RuleSet, Unwatched
from minewatch.app.announcements import Announcements
from minewatch.app.delivery import Ledger, SpoolName
from minewatch.app.doubts import ahead_doubted, vouched
from minewatch.app.history import History
from minewatch.app.notes import Notes
from minewatch.app.points import Points
from minewatch.app.rejects import Rejects
from minewatch.contracts import (
    B1,
    I4,
    Alert,
    AlertEvent,
    AlertQuery,
    Announce,
    Command,
    GatewayInfo,
    LimitTable,
    Note,
    PlaceEvidence,
    PointInfo,
    Quality,
    ReadingBatch,
    RecordStore,
    ScoreBatch,
    TelemetryStore,
    Transitions,
    TrialChange,
    Watermark,
)
from minewatch.detect.company.catalogue import BY_NAME, score_names
from minewatch.detect.company.live import joined
from minewatch.detect.company.settings import CompanySettings
from minewatch.detect.engine import Engine
from minewatch.detect.outside import Outside
from minewatch.detect.settings import DetectSettings
from minewatch.errors import StoreBusy, StoreError

log = structlog.get_logger(__name__)

GAP = BY_NAME["gap"]
BEHIND = Counter(
    "minewatch_core_behind_readings_total",
    "Live readings not newer than their point's last.",
)
SCORE_NAMES = score_names()
NEVER = np.iinfo(np.int64).min  # the last time of a point that never spoke


class Pipeline:
    """Engine, alert book and stores, wired in the order that keeps every reading and every alert."""

    def __init__(
        self,
        detect: DetectSettings,
        rules: RuleSet,
        book: AlertBook,
        telemetry: TelemetryStore,
        records: RecordStore,
        *,
        now_ns: int,
        company: CompanySettings | None = None,
    ) -> None:
        self.rules = rules
        self.book = book
        self.telemetry = telemetry
        self.records = records
        self.points = Points(records.points())
        self.ledger = Ledger(telemetry.watermarks())
        self._detect, self._company = detect, company or CompanySettings()
        self.gateways: dict[str, GatewayInfo] = {}
        self.started_ns = now_ns
        self.readings = 0
        self.rejects = Rejects(records)
        configured = [test.said() for test in detect.test_gas.announced]
        self.announcements = Announcements(records, self.points, now_ns, configured)
        self.notes = Notes(self.ledger, book, self.rejects)
        self.store_problem = ""
        self.record_problem = ""
        self._unrecorded: list[AlertEvent] = []
        self._buffer: list[ReadingBatch] = []
        self._scores: list[ScoreBatch] = []
        self._events: list[AlertEvent] = []
        self.waiting = 0
        self._unwatched = Unwatched()
        self.rule_problems: tuple[str, ...] = ()
        self.begin_anew()
        self.book.restore(_open_alerts(records))
        self._record(changed.events(detect.told(), now_ns))

    def begin_anew(self) -> None:
        """Let every detector know nothing but which points there are."""
        self.engine = Engine(self._detect)
        self.outside = Outside(self._company)  # sensors judged together
        self.history = History(self.points, self._detect, self._company)
        if self.points.infos:
            self._adopt(list(enumerate(self.points.infos)), first=0)
        self.announcements.tell(self.engine, self.started_ns)

    # ---- points and gateways -------------------------------------------------------------------

    def register(self, infos: Iterable[PointInfo], now_ns: int | None = None) -> I4:
        """Return the dense index of each point, making new ones known to every part.

        With ``now_ns`` they are expected to speak from now on, by our clock and not by that of the sender.
        """
        known = len(self.points)
        rows: list[int] = []
        fresh: dict[int, PointInfo] = {}
        for info in infos:
            index, changed = self.points.register(info)
            rows.append(index)
            if changed:
                fresh[index] = info
        if fresh:
            self.records.save_points(fresh)
            self._adopt(sorted(fresh.items()), first=known)
            if now_ns is not None:
                self.engine.expect(np.asarray(list(fresh), np.int32), now_ns)
        return np.asarray(rows, np.int32)

    def _adopt(self, points: Sequence[tuple[int, PointInfo]], *, first: int) -> None:
        self.telemetry.add_points(dict(points))
        new = [info for index, info in points if index >= first]
        for engine in (self.engine, self.history.engine):
            for index, info in points:
                if index < first:
                    engine.replace_point(index, info)
            engine.add_points(new)
        self.outside.set_points(self.points.infos)
        self.history.outside.set_points(self.points.infos)
        bound = first if points[0][0] >= first else 0  # a point described anew is bound with all others
        everything = dict(enumerate(self.points.infos))
        table = self.book.bind(self.rules, everything, first=bound)
        subjects = self.outside.subjects
        others = self.book.bind_subjects(self.rules, subjects)
        self.outside.set_limits(others, subjects)
        self.history.outside.set_limits(others, subjects)
        unwatched = self.rules.unwatched(dict(points) if bound else everything)
        self._unwatched = self._unwatched + unwatched if bound else unwatched
        problems = self._unwatched.lines()
        for problem in set(problems) - set(self.rule_problems):
            log.warning("a rule does not watch a point", problem=problem)
        self.rule_problems = problems
        self.engine.set_limits(table, first=bound)
        # history comes in pieces: what lies between two of them is not silence
        self.history.engine.set_limits(_rows_of(table, table.detector != GAP), first=bound)

    def link(self, gateway: GatewayInfo, now_ns: int) -> tuple[AlertEvent, ...]:
        """Take note of a gateway's session; its loss is an alert of its own class."""
        name = f"{gateway.site}/{gateway.gateway}"
        before = self.gateways.get(name)
        self.gateways[name] = gateway
        if gateway.spool and gateway.spool_first:
            self.ledger.forget_before((name, gateway.spool), gateway.spool_first)
        if gateway.spool and gateway.online:
            self.ledger.touch((name, gateway.spool))
        if gateway.online and not (before and before.online):
            self.engine.hear(self.points.of_gateway(gateway.site, gateway.gateway), now_ns)
        return self._record(self.book.link(gateway, now_ns))

    def note(self, note: Note, name: SpoolName, now_ns: int) -> tuple[AlertEvent, ...]:
        """Take a note of a gateway; it is acknowledged when what it causes is in the journal."""
        return self._record(self.notes.take(note, name, now_ns))

    def expect_gateways(self, now_ns: int) -> None:
        """Wait for the gateways that points were known by before a start: one that stays away is told."""
        for site, gateway in {(info.site, info.gateway) for info in self.points.infos}:
            if f"{site}/{gateway}" in self.gateways:
                continue
            self.link(GatewayInfo(site, gateway, False, now_ns, 0), now_ns)

    def lose_gateways(self, now_ns: int) -> tuple[AlertEvent, ...]:
        """Give every gateway up until it is told of again: the process that listens to them is gone."""
        events: tuple[AlertEvent, ...] = ()
        for gateway in tuple(self.gateways.values()):
            if gateway.online:
                events += self.link(replace(gateway, online=False, since_ns=now_ns), now_ns)
        return events

    def expect_all(self, now_ns: int) -> None:
        """Let every silence begin now: until now it was the service that did not listen."""
        self.engine.expect(np.arange(len(self.points), dtype=np.int32), now_ns)

    def change(self, detect: DetectSettings, now_ns: int) -> tuple[AlertEvent, ...]:
        """Take other settings of detection, each change from its own time; the journal tells of new ones."""
        self._detect = detect
        for engine in (self.engine, self.history.engine):
            engine.change(detect)
        return self._record(changed.events(detect.told(), now_ns))

    def clock_set(self, now_ns: int, step_ns: int) -> tuple[AlertEvent, ...]:
        """Go on after our clock was set by ``step_ns``: that is no silence, and hides none either."""
        self.expect_all(now_ns)
        events: tuple[AlertEvent, ...] = ()
        for gateway in tuple(self.gateways.values()):
            if not gateway.online:
                events += self.link(replace(gateway, since_ns=gateway.since_ns + step_ns), now_ns)
        return events

    # ---- readings ------------------------------------------------------------------------------

    def take(self, batch: ReadingBatch, now_ns: int, *, replayed: bool = False) -> tuple[AlertEvent, ...]:
        """Score readings, raise and clear alerts, keep the readings for the store.

        Silence is judged by our clock, whatever the gateways' clocks say; in a recording by its own times.
        """
        if not len(batch):
            return ()
        self.readings += len(batch)
        live = ~batch.historical
        if live.all():
            return self._live(batch, now_ns, replayed)
        events = self._live(batch.take(live), now_ns, replayed) if live.any() else ()
        return events + self._historical(batch.take(batch.historical), now_ns)

    def _live(self, batch: ReadingBatch, now_ns: int, replayed: bool) -> tuple[AlertEvent, ...]:
        batch = batch if replayed else vouched(batch, now_ns)
        behind = self.engine.behind(batch) & (batch.quality < Quality.BAD)
        if behind.any():
            # live and yet not newer: a clock was set back. Limits must not be blind until it has caught up
            batch = replace(batch, quality=np.where(behind, np.uint8(Quality.UNCERTAIN_CLOCK), batch.quality))
            BEHIND.inc(int(np.count_nonzero(behind)))
        if not replayed:
            self.outside.arrive(batch, now_ns)
        batch, given = (batch, batch) if replayed else ahead_doubted(batch, now_ns)
        findings = self.engine.step(given) if replayed else self.engine.step(given, now_ns)
        batch = replace(batch, quality=np.maximum(batch.quality, findings.quality))
        self.points.heard(batch)
        self._keep(batch)
        events = self._apply(findings.transitions, now_ns, trials=findings.trials, places=findings.places)
        # after the alerts: none waits for them
        together, transitions, newer = self.outside.step(batch, findings.trials)
        for scores in (findings.scores, together):
            if len(scores.point):
                self._scores.append(scores)
        return events + self._apply(transitions, now_ns) + self._record(self.book.explain(newer, now_ns))

    def _historical(self, batch: ReadingBatch, now_ns: int) -> tuple[AlertEvent, ...]:
        events: tuple[AlertEvent, ...] = ()
        for part, transitions in self.history.take(batch, now_ns):
            self._keep(part)
            for found in transitions:
                events += self._apply(found, now_ns, retrospective=True)
        return events

    def _keep(self, batch: ReadingBatch) -> None:
        self._buffer.append(batch)
        self.waiting += len(batch)

    def _apply(
        self,
        transitions: Transitions,
        now_ns: int,
        *,
        retrospective: bool = False,
        trials: Sequence[TrialChange] = (),
        places: Sequence[PlaceEvidence] = (),
    ) -> tuple[AlertEvent, ...]:
        if not len(transitions.key) and not trials and not places:
            return ()
        return self._record(
            self.book.apply(transitions, now_ns, retrospective=retrospective, trials=trials, places=places)
        )

    @property
    def settled(self) -> bool:
        """Whether the journal holds every event: only then may detector state be kept that caused them."""
        return not self._unrecorded

    def settle(self, now_ns: int) -> tuple[AlertEvent, ...]:
        """Write what the journal lacks before detector state is kept, words that wait among it."""
        return self._record(self.book.say_what_waits(now_ns))

    def _record(self, events: Sequence[AlertEvent]) -> tuple[AlertEvent, ...]:
        """Write events to the journal, first those it refused; only what is written is told to anyone."""
        if not events and not self._unrecorded:
            return ()
        self._unrecorded.extend(events)
        try:
            kept = tuple(self.records.append(self._unrecorded))
        except StoreError as error:
            if not self.record_problem:
                log.error("journal refuses events; they are kept", problem=str(error))
            self.record_problem = str(error)
            return ()
        if self.record_problem:
            log.info("journal takes events again", kept=len(kept))
            self.record_problem = ""
        self._unrecorded = []
        self._events.extend(kept)
        self.announcements.take(kept, self.engine)
        return kept

    # ---- time and commands ---------------------------------------------------------------------

    def tick(self, now_ns: int) -> tuple[AlertEvent, ...]:
        """Look at what only the clock can tell: silent sensors, gateways gone for longer than their grace."""
        for gateway in self.gateways.values():
            if not gateway.online:
                # one alert for the gateway stands for all its sensors; theirs start anew when it is back
                self.engine.hear(self.points.of_gateway(gateway.site, gateway.gateway), now_ns)
        outlooks = self.engine.outlook(self.points.at(self.book.standing()).tolist(), now_ns)
        events = self._record(self.book.tick(now_ns) + self.book.foresee(outlooks, now_ns))
        # first what stands for many: it covers the silences that follow
        events += self._apply(self.outside.tick(self.engine.state.point, now_ns), now_ns)
        if released := self.book.released():
            self.engine.silence_anew(self.points.at(released), now_ns)
        transitions = self.engine.tick(now_ns)
        trials = self.engine.tick_trials(now_ns)
        return events + self._apply(transitions, now_ns, trials=trials) + self._record(())

    def command(self, command: Command, now_ns: int) -> AlertEvent:
        """Carry out what a person asks; a repeat gives the first answer. Raises CommandRefused, NotFound."""
        if command.key and (before := self.records.event_by_key(command.key)) is not None:
            return before
        kept = self._record([self.book.command(command, now_ns)])
        if not kept:
            raise StoreBusy(f"the journal cannot be written, the command waits: {self.record_problem}")
        return kept[-1]

    def announce(self, asked: Announce, now_ns: int) -> Sequence[AlertEvent]:
        """Let tests of meters be expected; a repeat, or what changes nothing, gives the rows that stand.

        Raises CommandRefused, NotFound, StoreBusy when the journal cannot be written.
        """
        rows = self.announcements.rows(asked, self.engine, now_ns)
        fresh = [row for row in rows if not row.row]
        if not fresh:
            return rows
        if not self.settled:  # else whoever asks again and again would fill the memory
            raise StoreBusy(f"the journal cannot be written, ask again later: {self.record_problem}")
        kept = self._record(fresh)
        if not kept:
            raise StoreBusy(f"the journal cannot be written, the command waits: {self.record_problem}")
        return [*(row for row in rows if row.row), *kept]

    # ---- the store -----------------------------------------------------------------------------

    def flush(self) -> tuple[Watermark, ...]:
        """Write what waits to the telemetry store; return the watermarks that may now be acknowledged.

        When the store refuses, everything is kept and ``store_problem`` says why.
        """
        if self.settled:
            self.notes.settle()
        marks = self.ledger.changed()
        written: tuple[Watermark, ...] = ()
        try:
            if self._buffer or marks:
                self._write(marks)
            written = marks
            if self._scores:
                self.telemetry.write_scores(joined(self._scores), SCORE_NAMES)
                self._scores = []
            if self._events:
                self.telemetry.write_events(self._events)
                self._events = []
        except StoreError as error:
            if not self.store_problem:
                log.error("store refuses; readings are kept and not acknowledged", problem=str(error))
            self.store_problem = str(error)
            return written
        if self.store_problem:
            log.info("store takes readings again")
            self.store_problem = ""
        return marks

    def _write(self, marks: Sequence[Watermark]) -> None:
        batch = ReadingBatch.join(self._buffer)
        self._buffer = [batch]
        written = self.telemetry.write(batch, marks)
        self._buffer, self.waiting = [], 0
        self.ledger.stored(marks)
        if written.rejected:
            log.error("store rejected readings", rejected=written.rejected, reasons=dict(written.reasons))
            self.rejects.refused(written.reasons)

    # ---- restart -------------------------------------------------------------------------------

    def catch_up(self, from_ns: int, now_ns: int) -> int:
        """Score what the store holds after a snapshot, as if never stopped; return the rows scored.

        A point that the snapshot does not know is read back from its own description on: before it, it may
        have measured something else. A doubted time has no place in a history; the book knows what stands.
        """
        rows = 0
        self.book.know_trials(self.engine.standing_trials(from_ns))
        seen = self.engine.last_ns()
        born = np.array([info.valid_from_ns - 1 for info in self.points.infos], np.int64)
        seen = np.where(seen == NEVER, np.maximum(seen, born), seen)
        for batch in self.telemetry.since(from_ns):
            clear = batch.quality != Quality.UNCERTAIN_CLOCK
            fresh = batch.take((batch.ts_ns > seen[batch.point]) & clear)
            if len(fresh):
                rows += len(fresh)
                findings = self.engine.step(fresh)
                self.points.heard(fresh)
                self._apply(findings.transitions, now_ns, trials=findings.trials, places=findings.places)
                fresh = replace(fresh, quality=np.maximum(fresh.quality, findings.quality))
                _, transitions, newer = self.outside.step(fresh, findings.trials)
                self._apply(transitions, now_ns)
                self._record(self.book.explain(newer, now_ns))
        return rows

    def resume(self, now_ns: int) -> None:
        """Go on after a start: alerts that stand can return to normal, silence counts from now."""
        keys, _ = self.book.active_keys()
        self.engine.resume(keys)
        self.outside.resume(keys)
        self._record(self.book.resume_trials(self.engine.standing_trials(now_ns), now_ns))
        for site, zone, since_ns in self.book.standing_places():
            self.engine.trials.stand(site, zone, since_ns)
        self._record(self.book.resume_places(self.engine.trials.weighed(now_ns), now_ns))
        self.expect_all(now_ns)


def _open_alerts(records: RecordStore) -> Iterator[Alert]:
    cursor = ""
    while True:
        page, cursor = records.alerts(AlertQuery(limit=1000, cursor=cursor))
        yield from page
        if not cursor:
            return


def _rows_of(table: LimitTable, rows: B1) -> LimitTable:
    columns: dict[str, Any] = {field.name: getattr(table, field.name) for field in fields(table)}
    taken: dict[str, Any] = {n: None if c is None else c[rows] for n, c in columns.items()}
    return LimitTable(**taken)
