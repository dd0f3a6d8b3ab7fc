"""The core process: detect, alerts, the single writer of alert state and of the embedded store.

One loop: take frames from ingest, score, record, push to serve, write, acknowledge. Queries of serve run
in one thread of their own, so that a long report never delays an alert.
"""

from __future__ import annotations

import queue
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import structlog
from prometheus_client import REGISTRY, Counter, Gauge, generate_latest
from pydantic import ValidationError

from minewatch.alerts.book import AlertBook
from minewatch.alerts.packs import paths as rule_files
from minewatch.alerts.rules import load as load_rules
from minewatch.app import models, snapshot
from minewatch.app.answers import failure, query
from minewatch.app.clock import SystemClock
from minewatch.app.delivery import Unnumbered
from minewatch.app.link import Frame, Link, pack, pack_readings, read, unpack_readings
from minewatch.app.pipeline import Pipeline
from minewatch.app.reload import changed
from minewatch.config import Config
from minewatch.contracts import (
    I4,
    AlertEvent,
    Announce,
    Clock,
    Command,
    Deliveries,
    GatewayInfo,
    Note,
    PointInfo,
    Push,
    ReadingBatch,
    Rejected,
    SystemState,
    Watermark,
)
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.engine import Engine
from minewatch.detect.outside import Outside
from minewatch.errors import CoreUnavailable, MinewatchError, WireError
from minewatch.store.records import open_records
from minewatch.store.telemetry import open_telemetry

log = structlog.get_logger(__name__)

SECOND = 1_000_000_000
PATIENCE = 9  # a store that refuses is asked for a tenth of the time at most
LONGEST_WAIT_NS = 30 * SECOND
READINGS = Counter("minewatch_core_readings_total", "Readings taken from ingest.", ["result"])
EVENTS = Counter("minewatch_core_alert_events_total", "Events written to the journal.", ["event"])
WAITING = Gauge(
    "minewatch_core_waiting_readings", "Readings held that the telemetry store has not yet taken."
)
CAPACITY = Gauge(
    "minewatch_core_waiting_readings_capacity", "Readings held at most before ingest is held back."
)
POINTS = Gauge("minewatch_core_points", "Points known.")
PUSHES = Counter("minewatch_core_pushes_total", "Frames offered to serve.", ["result"])


@dataclass(slots=True)
class Peer:
    """A process at the other end of the socket."""

    link: Link
    role: str = ""
    points: I4 = field(default_factory=lambda: np.zeros(0, np.int32))  # ingest's index -> ours
    spools: dict[int, tuple[str, str]] = field(default_factory=dict)


class Core:
    """The loop and its peers."""

    def __init__(self, config: Config, pipeline: Pipeline, clock: Clock) -> None:
        self.config = config
        self.pipeline = pipeline
        self.clock = clock
        self._saver = snapshot.Saver(pipeline, config.data / "state.bin")
        self._selector = selectors.DefaultSelector()
        self._peers: list[Peer] = []
        self._holding = False
        self._broker_seen = False
        self._unnumbered = Unnumbered()
        self._ingest_status: dict[str, Any] = {"problem": "not connected yet", "metrics": ""}
        self._questions: queue.SimpleQueue[tuple[Peer, dict[str, Any]] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Peer, bytes]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._asker = threading.Thread(target=self._answer_questions, name="queries", daemon=True)
        self._next_flush = self._next_push = self._next_tick = self._next_state = 0
        self._ahead_ns = clock.now_ns() - clock.monotonic_ns()
        self._next_snapshot = clock.monotonic_ns() + int(config.core.snapshot_interval_s * SECOND)
        CAPACITY.set(config.core.buffer_rows)

    # ---- the loop ------------------------------------------------------------------------------

    def listen(self) -> socket.socket:
        """Open the local socket; only this user may connect."""
        path = self.config.socket
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(8)
        listener.setblocking(False)
        return listener

    def run(self, stop: Callable[[], bool], ready: Callable[[], None]) -> None:
        """Serve peers until ``stop`` says so, then write what waits and the state.

        After a failure nothing more is written: an id may have been noted whose readings were not. What was
        not acknowledged comes again, and the state is read back from the last file and the store.
        """
        whole = False
        listener = self.listen()
        self._selector.register(listener, selectors.EVENT_READ, "listener")
        self._selector.register(self._wake_read, selectors.EVENT_READ, "wake")
        self._asker.start()
        ready()
        try:
            while not stop():
                self._turn(listener)
            whole = True
        finally:
            listener.close()
            self.config.socket.unlink(missing_ok=True)
            self._end(whole)

    def _turn(self, listener: socket.socket) -> None:
        self._hold(self.pipeline.waiting >= self.config.core.buffer_rows)
        for key, _ in self._selector.select(0.02):
            if key.data == "listener":
                self._accept(listener)
            elif key.data == "wake":
                self._send_answers()
            else:
                self._receive(key.data)
        self._on_time()
        for peer in self._peers:
            if peer.link.waiting():
                self._guard(peer, peer.link.push)

    def _hold(self, hold: bool) -> None:
        """Stop or go on listening to ingest: while the store refuses, the broker keeps what comes."""
        if hold == self._holding:
            return
        self._holding = hold
        for peer in self._peers:
            if peer.role == "ingest":
                self._hear_of(peer, not hold)

    def _hear_of(self, peer: Peer, hear: bool) -> None:
        known = peer.link.socket in self._selector.get_map()
        if hear and not known:
            self._selector.register(peer.link.socket, selectors.EVENT_READ, peer)
        elif known and not hear:
            self._selector.unregister(peer.link.socket)

    def _now(self) -> int:
        """Return the time, after telling the pipeline when the clock was set since it was last asked."""
        now = self.clock.now_ns()
        ahead = now - self.clock.monotonic_ns()
        step, self._ahead_ns = ahead - self._ahead_ns, ahead
        if abs(step) >= SECOND:
            log.warning("the clock of this machine was set", step_s=round(step / SECOND, 1))
            self._tell(self.pipeline.clock_set(now, step))
        return now

    def _on_time(self) -> None:
        """Do what is due: flush, push, tick, state, snapshot."""
        steady = self.clock.monotonic_ns()
        settings = self.config.core
        many = self.pipeline.waiting > 50_000 and not self.pipeline.store_problem
        if steady >= self._next_flush or many:
            self._flush(steady)
        if steady >= self._next_tick:
            self._next_tick = steady + SECOND // 2
            now = self._now()
            if self._holding:
                self.pipeline.expect_all(now)
            self._tell(self.pipeline.tick(now))
            self.pipeline.rejects.write(now)
        if steady >= self._next_push:
            self._next_push = steady + SECOND // 10
            latest = self.pipeline.points.latest(changed_only=True)
            if len(latest):
                self._push(Push(self.clock.now_ns(), latest=latest))
        if steady >= self._next_state:
            self._next_state = steady + SECOND
            self._push(Push(self.clock.now_ns(), state=self.state()))
        if steady >= self._next_snapshot:
            self._next_snapshot = steady + int(settings.snapshot_interval_s * SECOND)
            now = self._now()
            self._tell(self.pipeline.settle(now))
            if self.pipeline.settled:  # else the older state finds again what the journal has not taken
                self._saver.start(now)

    def _flush(self, steady: int) -> None:
        """Write what waits. A store that refuses slowly is asked rarely: alerts come before it."""
        self._acknowledge(self.pipeline.flush())
        wait = int(self.config.core.flush_interval_s * SECOND)
        if self.pipeline.store_problem:
            took = self.clock.monotonic_ns() - steady
            wait = max(wait, min(PATIENCE * took, LONGEST_WAIT_NS))
        self._next_flush = steady + wait

    def _end(self, whole: bool) -> None:
        self._questions.put(None)
        self._asker.join(5)
        if whole:
            self._tell(self.pipeline.settle(self.clock.now_ns()))
            self._acknowledge(self.pipeline.flush())
            self.pipeline.rejects.flush(self.clock.now_ns())
            if self.pipeline.settled:
                self._saver.finish(self.clock.now_ns())
        for peer in self._peers:
            peer.link.close()
        self.pipeline.telemetry.close()
        self.pipeline.records.close()

    # ---- peers ---------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        peer = Peer(Link(sock))
        self._peers.append(peer)
        self._selector.register(sock, selectors.EVENT_READ, peer)

    def _drop(self, peer: Peer) -> None:
        if peer not in self._peers:
            return
        self._peers.remove(peer)
        if peer.link.socket in self._selector.get_map():
            self._selector.unregister(peer.link.socket)
        peer.link.close()
        if peer.role == "ingest" and not any(other.role == "ingest" for other in self._peers):
            self._ingest_status = {"problem": "the ingest process is not connected", "metrics": ""}
            log.warning("ingest is gone")
            self._tell(self.pipeline.lose_gateways(self._now()))

    def _guard(self, peer: Peer, call: Callable[[], object]) -> None:
        try:
            call()
        except (EOFError, OSError, WireError, ValidationError) as error:
            if peer.role == "serve" or isinstance(error, (EOFError, OSError)):
                log.info("peer left", role=peer.role, reason=str(error))
            else:
                log.error("peer sends what cannot be read", role=peer.role, reason=str(error))
            self._drop(peer)

    def _receive(self, peer: Peer) -> None:
        def work() -> None:
            for frame in peer.link.receive():
                self._handle(peer, frame)

        self._guard(peer, work)

    def _handle(self, peer: Peer, frame: Frame) -> None:
        if frame.kind == "intake":
            self._intake(peer, frame)
        elif frame.kind == "request":
            self._request(peer, frame.body)
        elif frame.kind == "status":
            self._ingest_status = frame.body
            if not frame.body["problem"] and not self._broker_seen:
                self._broker_seen = True  # from here on a gateway that lives has had its chance to say so
                self.pipeline.expect_gateways(self.clock.now_ns())
        elif frame.kind == "settings":
            now = self._now()
            self._tell(self.pipeline.change(changed(self.config.detect, frame.body["changes"]), now))
        elif frame.kind == "bye":
            peer.role = ""  # an orderly end is no loss
        elif frame.kind == "hello":
            peer.role = str(frame.body["role"])
            if peer.role == "ingest" and self._holding:
                self._hear_of(peer, False)
            if peer.role == "serve":
                now = self.clock.now_ns()
                latest = self.pipeline.points.latest()
                self._offer(peer, _push_frame(Push(now, latest=latest, state=self.state())))
        else:
            raise WireError(f"a frame of kind {frame.kind!r} between processes: versions differ")

    # ---- from ingest ---------------------------------------------------------------------------

    def _intake(self, peer: Peer, frame: Frame) -> None:
        body = frame.body
        now = self._now()
        if body["points"]:
            self._learn(peer, {int(k): read(PointInfo, v) for k, v in body["points"].items()}, now)
        for index, (gateway, spool) in body["spools"].items():
            peer.spools[int(index)] = (gateway, spool)
        events: tuple[AlertEvent, ...] = ()
        for gateway in body["gateways"]:
            events += self.pipeline.link(read(GatewayInfo, gateway), now)
        self.pipeline.rejects.take([read(Rejected, row) for row in body["rejects"]])
        # first the notes: what a gateway has told of is not found anew in the readings that come with it
        for row in body.get("notes", ()):
            note = read(Note, row)
            name = peer.spools.get(note.spool)
            if name is not None:
                events += self.pipeline.note(note, name, now)
        rows, messages = body["rows"], body["messages"]
        if rows or messages:
            batch, deliveries = unpack_readings(frame.columns, rows, messages)
            located = replace(batch, point=peer.points[batch.point])
            events += self.pipeline.take(self._once(peer, located, deliveries), now)
        self._tell(events)

    def _once(self, peer: Peer, batch: ReadingBatch, deliveries: Deliveries) -> ReadingBatch:
        """Return the readings that the service does not hold yet."""
        fresh = np.repeat(self.pipeline.ledger.admit(deliveries, peer.spools), deliveries.rows)
        unnumbered = deliveries.msg_id < 0
        if unnumbered.any():
            unnumbered &= [bool(peer.spools.get(s, ("", ""))[1]) for s in deliveries.spool.tolist()]
        fresh &= self._unnumbered.take(batch, np.repeat(unnumbered, deliveries.rows))
        taken = int(np.count_nonzero(fresh))
        READINGS.labels("taken").inc(taken)
        READINGS.labels("repeated").inc(len(fresh) - taken)
        return batch if taken == len(fresh) else batch.take(fresh)

    def _learn(self, peer: Peer, infos: dict[int, PointInfo], now_ns: int) -> None:
        size = max(max(infos) + 1, len(peer.points))
        table = np.full(size, -1, np.int32)
        table[: len(peer.points)] = peer.points
        table[list(infos)] = self.pipeline.register(infos.values(), now_ns)
        peer.points = table
        POINTS.set(len(self.pipeline.points))

    def _acknowledge(self, marks: tuple[Watermark, ...]) -> None:
        WAITING.set(self.pipeline.waiting)
        if not marks:
            return
        frame = pack("ack", [{"gateway": m.gateway, "spool": m.spool, "upto": m.upto} for m in marks])
        for peer in list(self._peers):
            if peer.role == "ingest":
                self._offer(peer, frame)

    # ---- to serve ------------------------------------------------------------------------------

    def _tell(self, events: tuple[AlertEvent, ...]) -> None:
        for event in events:
            EVENTS.labels(event.event.value).inc()
        if events:
            self._push(Push(self.clock.now_ns(), events=events))

    def _push(self, push: Push) -> None:
        listeners = [peer for peer in self._peers if peer.role == "serve"]
        if listeners:
            frame = _push_frame(push)
            for peer in listeners:
                self._offer(peer, frame)

    def _offer(self, peer: Peer, frame: bytes) -> None:
        def work() -> None:
            # serve that cannot keep up asks the journal for the rows it misses: a refused frame loses nothing
            PUSHES.labels("accepted" if peer.link.offer(frame) else "refused").inc()

        self._guard(peer, work)

    def state(self) -> SystemState:
        """Return how the parts are, in words."""
        problems = {}
        if self._ingest_status.get("problem"):
            problems[str(self._ingest_status.get("part", "ingest"))] = str(self._ingest_status["problem"])
        if self.pipeline.store_problem:
            problems["store"] = self.pipeline.store_problem
        if self._holding:
            problems["core"] = (
                f"{self.pipeline.waiting} readings wait for the store: no more are taken, so no new alert "
                "comes until it goes on"
            )
        if self.pipeline.record_problem:
            problems["records"] = self.pipeline.record_problem
        if self.pipeline.rule_problems:  # a point no rule watches is not a reason to be unready, but is said
            problems["rules"] = "; ".join(self.pipeline.rule_problems[:5])
        return SystemState(
            ready=not set(problems) - {"rules"},
            problems=problems,
            gateways=tuple(self.pipeline.gateways.values()),
            telemetry=self.config.telemetry.kind,
            time_ns=self.clock.now_ns(),
            metrics=generate_latest(REGISTRY).decode() + str(self._ingest_status.get("metrics", "")),
        )

    def _request(self, peer: Peer, body: dict[str, Any]) -> None:
        """Answer a command at once, leave a query to the thread."""
        if body["call"] in ("command", "announce"):
            self._offer(peer, self._carry_out(body))
        else:
            self._questions.put((peer, body))

    def _carry_out(self, body: dict[str, Any]) -> bytes:
        number, now = body["id"], self.clock.now_ns()
        try:
            if body["call"] == "announce":
                rows = tuple(self.pipeline.announce(read(Announce, body["asked"]), now))
                self._tell(rows)
                return pack("answer", {"id": number, "ok": rows})
            event = self.pipeline.command(read(Command, body["command"]), now)
        except MinewatchError as error:
            return failure(number, error)
        self._tell((event,))
        return pack("answer", {"id": number, "ok": event})

    def _answer_questions(self) -> None:
        while (item := self._questions.get()) is not None:
            peer, body = item
            try:
                answer = query(self.pipeline, body)
            except MinewatchError as error:
                answer = failure(body["id"], error)
            except Exception as error:  # one bad question must not end all later answers
                log.exception("a question of serve failed", call=body.get("call"))
                answer = failure(body["id"], CoreUnavailable(f"the core failed at this: {error}"))
            self._answers.put((peer, answer))
            self._wake_write.send(b"!")

    def _send_answers(self) -> None:
        self._wake_read.recv(4096)
        while not self._answers.empty():
            peer, answer = self._answers.get()
            if peer in self._peers:
                self._offer(peer, answer)


def _push_frame(push: Push) -> bytes:
    latest = push.latest
    body = {"time_ns": push.time_ns, "events": push.events, "state": push.state}
    body["rows"] = 0 if latest is None else len(latest)
    return pack("push", body, [] if latest is None else pack_readings(latest))


def open_pipeline(config: Config, clock: Clock) -> Pipeline:
    """Open the stores, load the rules, restore alerts and detector state."""
    now = clock.now_ns()
    config.run.mkdir(parents=True, exist_ok=True)
    rules = load_rules(rule_files(config.alerts), BY_NAME)
    records = open_records(config.records, config.data, writer=True)
    telemetry = open_telemetry(config.telemetry_settings)
    book = AlertBook(config.alerts, records, started_ns=now, chance=models.chance())
    pipeline = Pipeline(config.detect, rules, book, telemetry, records, now_ns=now, company=config.company)
    snapshot.load(pipeline, config.data / "state.bin", now)
    return pipeline


def run_core(config: Config, stop: Callable[[], bool], ready: Callable[[], None]) -> None:
    """Run the core process."""
    clock = SystemClock()
    pipeline = open_pipeline(config, clock)
    Engine.warm_up()  # a reading never waits for the compiler
    Outside.warm_up()
    Core(config, pipeline, clock).run(stop, ready)
