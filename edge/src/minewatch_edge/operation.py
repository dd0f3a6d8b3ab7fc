"""What an agent that runs as a service owes its surroundings: systemd, /metrics, a new configuration."""

from __future__ import annotations

from dataclasses import replace

from minewatch_edge import logs
from minewatch_edge.clocks import Moment
from minewatch_edge.config import EdgeConfig, MetricsConfig
from minewatch_edge.metrics import render
from minewatch_edge.metrics_server import MetricsServer
from minewatch_edge.notify import Notify
from minewatch_edge.reload import Prepared, Reloader
from minewatch_edge.state import AgentState

_AGAIN_NS = 5_000_000
_PATIENCE_NS = 5_000_000_000  # for the last answer of a device that is changed or removed


class Operation:
    """Told of each turn of the agent's loop and of each state; it never holds the loop up."""

    def __init__(self, config: EdgeConfig, notify: Notify | None = None) -> None:
        """Begin to serve metrics, if the configuration says so; raises EdgeConfigError when it cannot."""
        self.notify = notify or Notify()
        self.reloader: Reloader | None = None
        self._metrics_config = MetricsConfig()
        self._metrics: MetricsServer | None = None
        self._next_metrics: MetricsServer | None = None
        self._ready = False
        self._due_ns = 0
        self._lag_ns = 0
        self._told_reloading = False
        self._put_off: Prepared | None = None
        self._again_ns = 0
        self._wanted_ns = 0
        self.check(config)
        self._take_metrics(config)

    @property
    def metrics_port(self) -> int:
        """The port that metrics are served on, 0 for none."""
        return self._metrics.port if self._metrics else 0

    def check(self, config: EdgeConfig) -> None:
        """Try what a new configuration needs of us; raises EdgeConfigError."""
        if self._next_metrics is not None:  # of a configuration that was refused
            self._next_metrics.close()
            self._next_metrics = None
        if config.metrics != self._metrics_config and config.metrics.port:
            self._next_metrics = MetricsServer(config.metrics.address, config.metrics.port)

    def turn(self, now: Moment, due_ns: int) -> Prepared | None:
        """Learn that the loop goes round and when it is due again; return a configuration to take."""
        if self._due_ns:
            self._lag_ns = max(self._lag_ns, now.mono_ns - self._due_ns)
        self._due_ns = max(due_ns, now.mono_ns)
        self.notify.alive(now.mono_ns)
        if self.reloader is None:
            return None
        if self._put_off is not None:
            if now.mono_ns < self._again_ns:
                return None
            again, self._put_off = self._put_off, None
            return again
        if self.reloader.busy and not self._told_reloading:
            self._told_reloading = True
            self.notify.reloading(now.mono_ns)
        prepared = self.reloader.poll()
        if prepared is None and self._told_reloading and not self.reloader.busy:
            self._told_reloading = False  # refused
            self.notify.ready(self.reloader.problem)
        return prepared

    def put_off(self, prepared: Prepared, now: Moment) -> None:
        """Learn that it cannot be taken now: the disk refuses, or a device that goes is still being asked."""
        self._put_off, self._again_ns = prepared, now.mono_ns + _AGAIN_NS

    def patient(self, now: Moment) -> bool:
        """Return whether a device that goes may still finish its answer."""
        self._wanted_ns = self._wanted_ns or now.mono_ns
        return now.mono_ns - self._wanted_ns < _PATIENCE_NS

    def taken(self, prepared: Prepared) -> None:
        """Learn that the agent goes on with a new configuration."""
        config = prepared.config
        logs.begin(config.log_level, config.log_format)
        self._take_metrics(config)
        if self.reloader is not None:
            self.reloader.done(prepared)
        self._told_reloading = False
        self._wanted_ns = 0
        self.notify.ready("goes on with the new configuration")

    def tell(self, state: AgentState) -> AgentState:
        """Publish a state, about once a second; return it with what only we know."""
        if self.reloader is not None:
            problems = dict(state.problems)
            if self.reloader.problem:
                problems["configuration"] = self.reloader.problem
            state = replace(
                state, problems=problems, reloads=self.reloader.taken, reloads_refused=self.reloader.refused
            )
        state = replace(state, loop_lag_s=self._lag_ns / 1e9)
        self._lag_ns = 0
        if self._metrics is not None:
            self._metrics.text = render(state)
        if self._ready:
            self.notify.status(sentence(state))
        else:
            self._ready = True
            self.notify.ready(sentence(state))
        return state

    def stopping(self) -> None:
        """Say that the agent ends in order now."""
        self.notify.stopping()

    def close(self) -> None:
        """Let go of sockets and threads."""
        self.notify.close()
        for server in (self._metrics, self._next_metrics):
            if server is not None:
                server.close()

    def _take_metrics(self, config: EdgeConfig) -> None:
        if config.metrics == self._metrics_config:
            return
        if self._metrics is not None:
            self._metrics.close()
        self._metrics, self._next_metrics = self._next_metrics, None
        self._metrics_config = config.metrics


def sentence(state: AgentState) -> str:
    """Return how an agent is in one line that changes only when something does."""
    if state.problems:
        part, text = next(iter(state.problems.items()))
        more = f" (and {len(state.problems) - 1} more)" if len(state.problems) > 1 else ""
        return f"{part}: {text}{more}"
    return f"online, {len(state.devices)} devices answer" if state.online else "reads sensors, not online yet"
