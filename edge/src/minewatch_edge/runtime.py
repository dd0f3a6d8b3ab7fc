"""The agent running: the only module of the edge that has a clock, waits, and hears signals."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from minewatch_edge import clock_status
from minewatch_edge import drivers as kinds
from minewatch_edge import state as states
from minewatch_edge.agent import Agent
from minewatch_edge.brokers import Brokers, WalkSettings
from minewatch_edge.clock_status import ClockStatus
from minewatch_edge.clocks import Moment
from minewatch_edge.config import BrokerConfig, DeviceConfig, EdgeConfig
from minewatch_edge.drivers.driver import Driver
from minewatch_edge.errors import EdgeConfigError, SpoolUnavailable
from minewatch_edge.notify import Notify
from minewatch_edge.operation import Operation
from minewatch_edge.probe import Probe
from minewatch_edge.reload import Prepared, Reloader
from minewatch_edge.safety import making as safeties
from minewatch_edge.safety.safety import Safety
from minewatch_edge.settings import spool_limits
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.mqtt import Broker, Connection
from minewatch_edge.spool import Counters, Reject, Spool

log = logging.getLogger(__name__)

_LONGEST_WAIT_NS = 100_000_000
_STATE_NS = 1_000_000_000
_STATUS_NS = 1_000_000_000
_PROBE_AGAIN_NS = 500_000_000
_PROBE_AGAIN_MOST_NS = 15_000_000_000
_CONNECT_WITHIN_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class AgentSummary:
    """What an agent did; counters are those of the spool, so they go on over restarts."""

    site: str
    gateway: str
    counters: Counters
    held_rows: int
    waiting: int


def moment(status: ClockStatus | None = None) -> Moment:
    """Return now, on both clocks."""
    return Moment(time.time_ns(), time.monotonic_ns(), status)


class _Watch:
    """Tells the time, and once a second asks the system how good its clock is."""

    def __init__(self, source: str) -> None:
        self._asks = source == "system"
        self._status: ClockStatus | None = None
        self._asked_ns = -_STATUS_NS

    def moment(self) -> Moment:
        """Return now, with what the system said last of its clock."""
        now = moment(self._status)
        if self._asks and now.mono_ns - self._asked_ns >= _STATUS_NS:
            self._asked_ns, self._status = now.mono_ns, clock_status.read()
            return now._replace(status=self._status)
        return now


def boot_id() -> str:
    """Return the name of this run of the machine; "" where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def run_agent(
    config: EdgeConfig,
    drivers: Sequence[Driver],
    stop: threading.Event,
    *,
    rejects: list[Reject] | None = None,
    wake: Wake | None = None,
    operation: Operation | None = None,
) -> AgentSummary:
    """Run one agent in this thread until ``stop`` is set; several may run in threads of one process.

    ``rejects`` is where the drivers put lines they could not use; the agent takes them from there. ``wake``
    is what drivers with a thread of their own ring when they have something. ``operation`` is told of each
    turn and each state, and may bring another configuration.
    Raises SpoolInUse when the spool has an agent already, EdgeConfigError when a secret is not there.
    """
    port = _Port()
    brokers = _brokers(config, port)
    notify = (operation := operation or Operation(config)).notify
    spool = Spool(
        config.spool.path, spool_limits(config), boot=boot_id(),
        working=lambda: notify.working(time.monotonic_ns()),
    )  # fmt: skip
    safety = _safety(config, drivers)
    agent = port.agent = Agent(config, drivers, spool, brokers, rejects=rejects, safety=safety)
    wake = wake or Wake()
    dial = _Dial(brokers, agent, wake)
    state_file = states.state_path(config.spool.path)
    written_ns = 0
    watch = _Watch(config.clock.source)
    agent.start(watch.moment())
    try:
        while not stop.is_set():
            now = watch.moment()
            due_ns = agent.step(now)
            prepared = operation.turn(now, due_ns)
            if prepared is not None:
                taken = _take(prepared, agent, brokers, port, patient=operation.patient(now))
                if taken is None:
                    operation.put_off(prepared, now)
                else:
                    dial = dial if taken is brokers else _Dial(taken, agent, wake)
                    brokers = taken
                    operation.taken(prepared)
                    continue
            if now.mono_ns - written_ns >= _STATE_NS:
                written_ns = now.mono_ns
                _write_state(state_file, agent, operation, now, running=True)
            dial.drive(min(due_ns, now.mono_ns + _LONGEST_WAIT_NS))
    finally:
        operation.stopping()
        born = agent.born
        agent.stop(moment())
        brokers.stop(with_will=True, silent=not born)
        dial.close()
        end = _write_state(state_file, agent, operation, moment(), running=False)
        operation.close()
    return AgentSummary(config.site, config.gateway, end.counters, end.held_rows, end.waiting)


def _safety(config: EdgeConfig, drivers: Sequence[Driver]) -> Safety | None:
    points = [point for driver in drivers for point in driver.points()]
    state = config.spool.path.with_name(config.spool.path.name + ".safety.json")
    if config.safety.rules:
        log.info("%s", safeties.summary(config.safety.rules, config.site, points))
    return safeties.make(
        config.safety, config.site, config.gateway, points, state=state, folder=config.folder
    )


def run(config: EdgeConfig, load: Callable[[], EdgeConfig] | None = None) -> tuple[int, AgentSummary]:
    """Run the agent of a configuration until a signal ends it; return the exit code and what it did.

    The first SIGINT or SIGTERM ends it in order, the second at once. SIGHUP has ``load`` read the
    configuration again: a wrong one is refused, a right one is taken without losing a reading.
    """
    stop = threading.Event()
    caught: list[int] = []

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        if len(caught) > 1:
            os._exit(128 + number)
        stop.set()

    rejects: list[Reject] = []
    wake = Wake()

    def make(device: DeviceConfig, settings: EdgeConfig) -> Driver:
        return kinds.start(device, settings.folder, rejects.append, wake.ring)

    made = [make(device, config) for device in config.devices]
    operation = Operation(config, Notify.from_environment())
    if load is not None:

        def check(new: EdgeConfig) -> None:
            for each in (new.broker, *new.broker.fallback):
                _broker(new, each)
            operation.check(new)

        reloader = Reloader(config, made, load, make, check)
        operation.reloader = reloader
        signal.signal(signal.SIGHUP, lambda *_: reloader.ask())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    summary = run_agent(config, made, stop, rejects=rejects, wake=wake, operation=operation)
    return (128 + signal.SIGINT if signal.SIGINT in caught else 0), summary


class Wake:
    """A bell that other threads ring to end the agent's wait."""

    def __init__(self) -> None:
        self.ear, self._bell = socket.socketpair()
        self.ear.setblocking(False)
        self._bell.setblocking(False)

    def ring(self) -> None:
        """Wake the agent; a bell that rings already is enough."""
        with suppress(OSError):
            self._bell.send(b"\0")

    def heard(self) -> None:
        """Take in what rang."""
        with suppress(OSError):
            self.ear.recv(4096)

    def close(self) -> None:
        """Let go of both ends; a late ring is lost on nobody."""
        self.ear.close()
        self._bell.close()


class _Port:
    """Brings the connection's questions to the agent, with the time."""

    agent: Agent

    def will(self) -> Publish:
        return self.agent.will(moment())

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        return self.agent.subscriptions()

    def subscribed(self) -> None:
        self.agent.subscribed(moment())

    def message(self, topic: str, payload: bytes) -> None:
        self.agent.message(topic, payload, moment())

    def lost(self, why: str) -> None:
        self.agent.lost(why, moment())


class _Dial:
    """Connects only after a thread of its own found the broker's port open, and walks the list of brokers.

    A name server or a dead link may hold up a connect for seconds; sampling must not wait for them.
    """

    def __init__(self, brokers: Brokers, agent: Agent, wake: Wake) -> None:
        self._brokers = brokers
        self._agent = agent
        self._wake = wake
        self._at = brokers.at
        self._explain("not connected yet")
        self._open = False
        self._until_ns = 0
        self._again_ns = 0
        self._pause_ns = _PROBE_AGAIN_NS
        self._probe: Probe | None = None
        self._first: Probe | None = None

    def drive(self, until_ns: int) -> None:
        """Serve the connection until then; return early when something came in."""
        now_ns = time.monotonic_ns()
        wait_s = max(0, until_ns - now_ns) / 1e9
        self._walk(now_ns)
        if self._brokers.connected:
            self._open, self._until_ns, self._pause_ns = True, now_ns + _CONNECT_WITHIN_NS, _PROBE_AGAIN_NS
        elif not self._open:
            self._ask(now_ns)
        elif now_ns > self._until_ns:
            self._open = False
        if self._open:
            was = self._brokers.connected
            if self._brokers.drive(wait_s, now_ns / 1e9, [self._wake.ear]):
                self._wake.heard()
            if was and not self._brokers.connected:
                self._open = False
        elif select.select([self._wake.ear], [], [], wait_s)[0]:
            self._wake.heard()

    def close(self) -> None:
        """Let go of the bell."""
        self._wake.close()

    def _walk(self, now_ns: int) -> None:
        """Leave a broker without a host, and go back to the first one when it answers."""
        wish = self._brokers.tend(now_ns, online=self._agent.born)
        if wish == "host":
            self._brokers.drop(silent=True)
        elif wish == "return" and self._first_answers():
            self._agent.leave(moment())
            self._brokers.back()
        if self._at != self._brokers.at:
            self._at = self._brokers.at
            self._open, self._probe = False, None

    def _first_answers(self) -> bool:
        first = self._brokers.first
        self._first = self._first or Probe(first.host, first.port, first.tls)
        answer = self._first.answer
        if answer is None:
            return False
        self._first = None
        if answer:
            self._brokers.stay()
        return not answer

    def _ask(self, now_ns: int) -> None:
        if self._probe is None:
            if now_ns >= self._again_ns:
                broker = self._brokers.current.broker
                self._probe = Probe(broker.host, broker.port, broker.tls)
        elif (answer := self._probe.answer) is not None:
            self._probe = None
            if not answer:
                self._open, self._until_ns = True, now_ns + _CONNECT_WITHIN_NS
                return
            self._explain(answer)
            self._brokers.failed()
            self._at = self._brokers.at
            if self._at == 0:  # all of them were tried
                self._again_ns = now_ns + self._pause_ns
                self._pause_ns = min(self._pause_ns * 2, _PROBE_AGAIN_MOST_NS)

    def _explain(self, why: str) -> None:
        connection = self._brokers.current
        broker = connection.broker
        connection.problem = f"no connection to the broker {broker.host}:{broker.port}: {why}"


def _brokers(config: EdgeConfig, port: _Port) -> Brokers:
    first = config.broker
    connections = [Connection(_broker(config, each), port) for each in (first, *first.fallback)]
    return Brokers(connections, WalkSettings(first.host_wait_s, first.return_s))


def _broker(config: EdgeConfig, broker: BrokerConfig) -> Broker:
    try:
        if broker.tls is not None:
            broker.tls.context()
    except OSError as error:
        raise EdgeConfigError(
            f"the certificates cannot be used: {error}",
            where="broker",
            mend="Mend ca_file, cert_file, key_file",
        ) from error
    return Broker(
        host=broker.host,
        port=broker.port,
        client_id=broker.client_id or f"{config.site}-{config.gateway}",
        username=broker.username,
        password=broker.password(),
        tls=broker.tls,
        keepalive_s=broker.keepalive_s,
        protocol=broker.protocol,
        retry_max_s=15.0,
    )


def _take(
    prepared: Prepared, agent: Agent, brokers: Brokers, port: _Port, *, patient: bool
) -> Brokers | None:
    """Have the agent go on with another configuration; return its brokers from now on, None if not yet."""
    if patient and agent.still_asks(prepared.drivers):
        return None
    same = prepared.config.broker == agent.config.broker
    new = None if same else _brokers(prepared.config, port)
    born = agent.born
    try:
        agent.reconfigure(prepared.config, prepared.drivers, moment(), new)
    except SpoolUnavailable:
        return None
    if new is None:
        return brokers
    brokers.current.drop(with_will=True, silent=not born)  # not stop: that waits for what a dead link keeps
    return new


def _write_state(
    path: Path, agent: Agent, operation: Operation, now: Moment, *, running: bool
) -> states.AgentState:
    """Write what ``status`` shows; a disk that refuses is the spool's problem and already told."""
    state = operation.tell(agent.state(now))
    with suppress(OSError):
        states.write(path, state.to_json(os.getpid() if running else 0))
    return state
