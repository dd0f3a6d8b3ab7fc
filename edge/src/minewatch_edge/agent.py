"""The agent of one gateway: sensors to spool, spool to host. It has no clock: every call brings the moment.

A row is committed before it is published, live rows go before history, and nothing is published while the
primary host is offline. One thread calls everything here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minewatch_edge import __version__
from minewatch_edge import state as states
from minewatch_edge.clocks import Moment, SteadyClock
from minewatch_edge.config import EdgeConfig
from minewatch_edge.declared import Declared, spool_points
from minewatch_edge.delivery import Delivery
from minewatch_edge.drivers.driver import Driver
from minewatch_edge.errors import SpoolUnavailable
from minewatch_edge.gaps import Gap
from minewatch_edge.keeping import REJECTS_WAITING, Keeping
from minewatch_edge.outgoing import Outgoing
from minewatch_edge.ranks import Ranks
from minewatch_edge.rows import note_row
from minewatch_edge.safety.safety import NoSafety, Safety
from minewatch_edge.sampling import Sampler
from minewatch_edge.sessions import Sessions
from minewatch_edge.settings import delivery_settings, spool_limits
from minewatch_edge.sparkplug.actions import (
    Acknowledged,
    EdgeAction,
    HostOffline,
    HostOnline,
    Publish,
    RebirthRequested,
    Refused,
)
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.spool import Reject, Spool
from minewatch_edge.state import AgentState
from minewatch_edge.transport import Transport
from minewatch_edge.waiting import Waiting

log = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000
_COMMIT_ROWS = 100
_FIGURES_NS = 5 * _SECOND_NS  # between two messages about the spool
_GAPS_NS = 10 * _SECOND_NS  # between two looks for losses to tell of, while the host is there
_TRUST_AFTER_NS = 3_600 * _SECOND_NS  # a clock that jumped may not make rows old before a person can mend it
_RUNS_UNTOLD = 2_000  # more pieces of a loss are told at once, to whom it may concern: memory is small
_MS = 1_000_000


class Agent:
    """One gateway. Call `start`, then `step` again and again; the transport calls `will` to `lost`."""

    def __init__(
        self,
        config: EdgeConfig,
        drivers: Sequence[Driver],
        spool: Spool,
        transport: Transport,
        *,
        rejects: list[Reject] | None = None,
        safety: Safety | None = None,
    ) -> None:
        """``rejects`` is where drivers put the lines they could not use; ``safety`` judges every reading."""
        self.config = config
        self._sampler = Sampler(drivers, config.reports)
        self._ranks = Ranks(config, self._sampler.points)
        self._safety = safety or NoSafety()
        self._sampler.observer = self._safety.observer
        self._spool = spool
        self._transport = transport
        self._delivery = Delivery(delivery_settings(config))
        self._outgoing = Outgoing(spool)
        self._session = self._make_session()
        self._clock = SteadyClock(Moment(0, 0))
        self._waiting = Waiting()
        self._untold: Gap | None = None  # what was dropped from memory since the last commit
        self._keeping = Keeping(spool, rejects if rejects is not None else [])
        self._unsettled: Acknowledged | None = None
        self._problems: dict[str, str] = {}
        self._identity = ""
        self._was_born = False
        self._sessions = Sessions()
        self._retry_spool_ns = 0
        self._committed_ns = 0
        self._tidied_ns = 0
        self._figures_ns = 0
        self._gaps_told_ns = 0
        self._trusted_ns = 0
        self._read_ns: dict[str, int] = {}  # device -> when it last gave a reading
        self._sessions_begun = 0

    # --- life -----------------------------------------------------------------------------------------------

    def start(self, moment: Moment) -> None:
        """Open the spool and get ready; raises SpoolInUse when another agent has it."""
        self._clock = SteadyClock(moment, 0, self.config.clock)
        self._trusted_ns = moment.mono_ns + _TRUST_AFTER_NS
        try:
            self._open_spool()
        except SpoolUnavailable as error:
            self._sampler.marks_wanted = True
            self._spool_refused(error, moment)
        self._safety.measure(self._sampler.points, moment)
        self._safety.start(moment)
        floor_ns = (self._spool.last_ms + 1) * _MS if self._spool.last_ms else 0
        self._clock = SteadyClock(moment, floor_ns, self.config.clock)

    def stop(self, moment: Moment) -> None:
        """End in order: what was sampled is committed, the host is told, the spool is closed."""
        now_ns = self._clock.advance(moment)
        self._commit(now_ns, moment)  # first: wires that hang may use up the time until we are killed
        if not self._waiting:
            self._safety.noted()
        self._safety.stop()
        self.leave(moment)
        try:
            self._spool.count(now_ns, sent=self._outgoing.uncounted, lost=self._untold)
            self._outgoing.uncounted, self._untold = 0, None
        except SpoolUnavailable as error:
            log.warning("the last counts are not kept: %s", error)
        if self._waiting:
            log.error("%d readings are lost: the spool cannot take them", self._waiting.readings)
        self._spool.close()
        self._sampler.close()

    def still_asks(self, staying: Sequence[Driver]) -> bool:
        """Return whether the answer of a driver is still out that does not stay: it would be lost."""
        return self._sampler.asks_others(staying)

    def reconfigure(
        self,
        config: EdgeConfig,
        drivers: Sequence[Driver],
        moment: Moment,
        transport: Transport | None = None,
    ) -> None:
        """Go on with another configuration, and over another ``transport`` when the broker is another one.

        Raises SpoolUnavailable when what was sampled cannot be committed now; then nothing has changed.
        """
        self._commit(self._tell_time(moment), moment)
        if self._waiting:
            raise SpoolUnavailable(self._problems.get("spool", "the spool does not take readings"))
        before, marks = self._sampler.points, self._spool.marks()
        self._spool.declare(spool_points([p for driver in drivers for p in driver.points()]))
        self._sampler.replace(drivers, config.reports)
        self._ranks = Ranks(config, self._sampler.points)
        self._clock.config = config.clock
        self._sampler.resume(marks)
        self._safety.measure(self._sampler.points, moment)
        self.config, self._spool.limits = config, spool_limits(config)
        renewed = self._delivery.settings != delivery_settings(config)
        if renewed:
            self._delivery = Delivery(delivery_settings(config))
        if transport is None and before == self._sampler.points and not renewed:
            return
        born = self.leave(moment)
        leave = transport is None
        self._transport = transport or self._transport
        self._session = self._make_session()
        if leave and self._transport.connected:
            self._transport.drop(with_will=True, silent=not born)

    @property
    def born(self) -> bool:
        """Whether births are out on this connection."""
        return self._session.born

    def leave(self, moment: Moment) -> bool:
        """Say the NDEATH that comes before an intended disconnect; False when no birth was out."""
        if born := self._session.born:
            self._transport.publish(self._session.death(moment.wall_ns // _MS))
        self._was_born = False
        return born

    def step(self, moment: Moment) -> int:
        """Do what is due and return when to come again, on the clock that never goes back."""
        now_ns = self._tell_time(moment)
        for row in self._sampler.sample(self._clock):
            self._waiting.add(self._ranks.ranked(row))
            self._read_ns[row.device] = moment.mono_ns
        safety_due = self._safety.step(moment, self.note)
        commit_at = self._committed_ns + int(self.config.spool.commit_ms * _MS)
        if self._waiting and (moment.mono_ns >= commit_at or len(self._waiting) >= _COMMIT_ROWS):
            self._commit(now_ns, moment)
        if not self._waiting:
            self._safety.noted()
            self._sampler.kept()
        self._send_history(moment)
        if moment.mono_ns - self._tidied_ns >= _SECOND_NS:
            self._tidied_ns = moment.mono_ns
            self._tidy(now_ns, moment)
        return min(safety_due, self._next_due(moment, commit_at))

    def note(self, content: Mapping[str, Any]) -> None:
        """Tell the host something that is no reading; it is spooled, delivered once, never given up first.

        ``content`` is JSON with a ``kind``; raises SpoolError when it is not.
        """
        self._waiting.add(note_row(content))

    def state(self, moment: Moment) -> AgentState:
        """Return how everything is."""
        warnings = self._transport.warnings(moment.wall_ns)
        problems = {**self._problems, **self._keeping.problems(), **self._sampler.problems()}
        problems |= {**self._safety.problems(), **warnings}
        if self._transport.problem:
            problems["broker"] = self._transport.problem
        elif not self._session.host_online:
            problems["host"] = states.host_problem(self.config.broker.primary_host)
        if problem := self._clock.problem():
            problems["clock"] = problem
        return AgentState(
            time_ns=moment.wall_ns,
            site=self.config.site,
            gateway=self.config.gateway,
            connected=self._transport.connected,
            online=self._session.born,
            host_online=self._session.host_online,
            waiting=self._waiting.readings,
            resends=self._delivery.resends,
            **states.spooled(self._spool),
            **states.sampling(self._clock, self._sampler),
            **self._safety.report(),
            problems=problems,
            devices=states.ages((p.device for p in self._sampler.points), self._read_ns, moment.mono_ns),
            sessions=self._sessions_begun,
            waiting_capacity=self.config.spool.memory_readings,
            rejects_waiting=self._keeping.rejects_waiting,
            rejects_capacity=REJECTS_WAITING,
            spool_bytes=self._keeping.bytes,
        )

    # --- what the connection asks and tells -----------------------------------------------------------------

    def will(self, moment: Moment) -> Publish:
        """Return the will of the next CONNECT, its bdSeq on the disk already."""
        self._was_born = False
        will = self._session.will(moment.wall_ns // _MS)
        try:
            self._spool.save_bd_seq(self._session.bd_seq)
        except SpoolUnavailable as error:
            self._spool_refused(error, moment)
        return will

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return what to subscribe to."""
        return self._session.subscriptions()

    def subscribed(self, moment: Moment) -> None:
        """Begin the session, if the host is there."""
        self._put_figures(moment)
        self._perform(self._session.on_subscribed(moment.wall_ns // _MS), moment)

    def message(self, topic: str, payload: bytes, moment: Moment) -> None:
        """Take one message of the broker."""
        if not self._session.born:
            self._put_figures(moment)
        self._perform(self._session.receive(topic, payload, moment.wall_ns // _MS), moment)

    def lost(self, why: str, moment: Moment) -> None:
        """Learn that the connection is gone."""
        name = self.config.broker.client_id or f"{self.config.site}-{self.config.gateway}"
        if self._was_born and (problem := self._sessions.lost(moment.mono_ns, why, name)):
            self._problems["session"] = problem
        self._was_born = False
        self._session.on_disconnected()

    def _perform(self, actions: Iterable[EdgeAction], moment: Moment) -> None:
        restart = False
        for action in actions:
            match action:
                case Publish():
                    self._transport.publish(action)
                case Acknowledged():
                    self._unsettled = action
                    self._settle(moment)
                case RebirthRequested():
                    restart = True
                case HostOnline():
                    log.info("the host is online")
                case HostOffline():
                    log.warning("the host is offline; readings are spooled")
                    self._was_born = False
                    self._transport.drop(with_will=True)
                case Refused():
                    log.debug("%s refused (%s): %s", action.topic, action.reason, action.detail)
        if self._session.born and (restart or not self._was_born):
            if not self._was_born:
                self._sessions_begun += 1
                self._sessions.began(moment.mono_ns)
                self._outgoing.link.begin(moment.mono_ns, self.config.spool.resend_share)
                if not self._sessions.contested:
                    log.info("online with %d rows held", self._spool.held_rows)
            self._was_born = True
            self._delivery.begin(self._spool.first_id, self._spool.last_id, moment.mono_ns)
            self._tell_gaps(moment)

    # --- the spool ------------------------------------------------------------------------------------------

    def _open_spool(self) -> None:
        points = spool_points(self._sampler.points)
        known = len(self._spool.points)
        self._spool.open(points if not known else ())
        self._problems |= states.file_problem(self._spool.moved_aside, self._spool.salvaged)
        if len(self._spool.points) != known:
            self._session = self._make_session()
            self._was_born = False
            if self._transport.connected:
                self._transport.drop(silent=True)
        self._sampler.resume(self._spool.marks())
        self._take_identity()

    def _take_identity(self) -> None:
        self._identity = self._spool.identity
        self._session.set_spool(self._identity)

    def _make_session(self) -> EdgeSession:
        points = self._sampler.points
        declared = Declared(points, self._spool.points[len(points) :])
        session = EdgeSession(
            self.config.site,
            self.config.gateway,
            declared.births,
            bd_seq=self._spool.bd_seq,
            primary_host=self.config.broker.primary_host,
            spool=self._spool.identity,
            version=__version__,
            interval_s=min((p.interval_s for p in points if p.interval_s), default=0.0),
        )
        self._outgoing.use(session, declared, self._transport, self._delivery)
        return session

    def _spool_refused(self, error: SpoolUnavailable, moment: Moment) -> None:
        if "spool" not in self._problems:
            room = self.config.spool.memory_readings
            log.error("%s; up to %d readings are kept in memory", error, room)
        self._problems["spool"] = str(error)
        self._retry_spool_ns = moment.mono_ns + _SECOND_NS

    def _commit(self, now_ns: int, moment: Moment) -> None:
        """Commit what is pending and publish it; what the disk refuses is shown without an id, and kept."""
        self._committed_ns = moment.mono_ns
        while self._waiting and moment.mono_ns >= self._retry_spool_ns:
            try:
                self._commit_some(now_ns, moment)
            except SpoolUnavailable as error:
                self._spool_refused(error, moment)
        if self._waiting:
            self._bear_refusal(moment)

    def _commit_some(self, now_ns: int, moment: Moment) -> None:
        if not self._identity:
            self._open_spool()
        rows = self._waiting.first(_COMMIT_ROWS)
        first = self._spool.append(rows, now_ns, sent=self._outgoing.uncounted, lost=self._untold)
        self._outgoing.uncounted, self._untold = 0, None
        shown = self._waiting.remove(len(rows))
        if self._problems.pop("spool", ""):
            log.warning("the spool takes readings again")
        self._check_identity(moment)
        if shown:
            self._delivery.late(first, first + shown - 1)
        for row_id, row in enumerate(rows[shown:], first + shown):
            self._outgoing.live(row_id, row, moment)

    def _check_identity(self, moment: Moment) -> None:
        """After the file was begun anew, tell the host at once under which name ids come now."""
        self._problems |= states.file_problem(self._spool.moved_aside, self._spool.salvaged)
        if self._spool.identity != self._identity:
            self._take_identity()
            self._put_figures(moment)
            self._outgoing.publish(self._session.rebirth(moment.wall_ns // _MS))
            self._delivery.begin(self._spool.first_id, self._spool.last_id, moment.mono_ns)

    def _bear_refusal(self, moment: Moment) -> None:
        lost = self._waiting.trim(self.config.spool.memory_readings)
        if lost is not None:
            self._untold = lost if self._untold is None else self._untold.joined(lost)
        if self._session.born:
            for row in self._waiting.unseen():
                if not self._outgoing.unnumbered(row, moment):
                    break
                self._waiting.shown += 1

    def _settle(self, moment: Moment) -> None:
        """Delete what the host has; if the disk refuses, later."""
        if self._unsettled is None:
            return
        try:
            self._spool.acknowledge(self._unsettled.spool, self._unsettled.upto)
        except SpoolUnavailable as error:
            self._spool_refused(error, moment)
            return
        self._unsettled = None
        self._delivery.held(self._spool.first_id, moment.mono_ns)

    def _tell_gaps(self, moment: Moment) -> None:
        """Have the host told what was lost."""
        self._gaps_told_ns = moment.mono_ns
        try:
            for row_id, row in self._spool.tell_gaps(self._clock.now_ns):
                self._outgoing.live(row_id, row, moment)
        except SpoolUnavailable as error:
            self._spool_refused(error, moment)

    def _send_history(self, moment: Moment) -> None:
        try:
            self._outgoing.history(moment)
        except SpoolUnavailable as error:
            self._spool_refused(error, moment)

    # --- now and then ---------------------------------------------------------------------------------------

    def _tell_time(self, moment: Moment) -> int:
        now_ns = self._clock.advance(moment)
        if self._clock.told:
            log.warning("%s", self._clock.told)
        if self._clock.turned:
            self._trusted_ns = moment.mono_ns + _TRUST_AFTER_NS
        return now_ns

    def _tidy(self, now_ns: int, moment: Moment) -> None:
        """Do once a second what need not be done at once."""
        self._settle(moment)
        self._keeping.bound()
        if moment.mono_ns >= self._retry_spool_ns:
            try:
                self._tidy_spool(now_ns, moment)
            except SpoolUnavailable as error:
                self._spool_refused(error, moment)
        if not self._session.born:
            return
        if self._sessions.lives(moment.mono_ns):
            self._problems.pop("session", None)
            log.warning("the connection lasts again")
        if not self._waiting:
            self._outgoing.bury(self._sampler.silent(), moment)
        spool = self._spool
        if self._delivery.stalled(moment.mono_ns):
            log.warning("no acknowledgement after row %d; sending again from there", spool.first_id - 1)
            self._delivery.again(spool.first_id, spool.last_id, moment.mono_ns)
        if moment.mono_ns - self._figures_ns >= _FIGURES_NS:
            self._put_figures(moment)
        if moment.mono_ns - self._gaps_told_ns >= _GAPS_NS:
            self._tell_gaps(moment)

    def _tidy_spool(self, now_ns: int, moment: Moment) -> None:
        spool = self._spool
        if not self._identity:
            self._open_spool()
        if self._keeping.tidy(now_ns, by_age=moment.mono_ns >= self._trusted_ns):
            self._delivery.held(spool.first_id, moment.mono_ns)
        if spool.untold_runs > _RUNS_UNTOLD:
            self._tell_gaps(moment)
        if not self.config.broker.acknowledgement and self._session.born:
            spool.acknowledge(spool.identity, self._delivery.assumed(moment.mono_ns))
            self._delivery.held(spool.first_id, moment.mono_ns)
        if not spool.held_rows:
            spool.shrink()
        if not self._waiting and self._problems.pop("spool", ""):
            log.warning("the spool takes readings again")

    def _put_figures(self, moment: Moment) -> None:
        self._figures_ns = moment.mono_ns
        actions = self._session.set_node_values(
            moment.wall_ns // _MS,
            spool_rows=self._spool.held_rows,
            spool_first=self._spool.owed_from,
            spool_oldest=self._keeping.oldest_ms if self._spool.held_rows else 0,
            clock=self._clock.quality,
        )
        self._outgoing.publish(actions)

    def _next_due(self, moment: Moment, commit_at: int) -> int:
        poll_ns = self._clock.poll_ns
        due = [self._tidied_ns + _SECOND_NS, moment.mono_ns + self._sampler.due_ns(poll_ns) - poll_ns]
        if self._waiting:
            due.append(max(commit_at, self._retry_spool_ns))
        if self._session.born and (history := self._delivery.due_ns(moment.mono_ns)) is not None:
            due.append(history)
        return max(moment.mono_ns, min(due))
