"""The agent's own figures in the Prometheus text format, made from a state that no longer changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from minewatch_edge import __version__
from minewatch_edge.state import AgentState

PREFIX = "minewatch_edge_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Samples: TypeAlias = Iterable[tuple[dict[str, str], float]]
Figure: TypeAlias = tuple[str, str, str, Callable[[AgentState], Samples]]


def render(state: AgentState) -> str:
    """Return every figure with its help and kind."""
    lines: list[str] = []
    for name, kind, text, read in FIGURES:
        samples = list(read(state))
        if samples:
            lines += [f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"]
            lines += [f"{PREFIX}{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    escaped = (
        f'{k}="{v}"'
        for k, v in (
            (k, v.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for k, v in labels.items()
        )
    )
    return "{" + ",".join(escaped) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _one(read: Callable[[AgentState], float]) -> Callable[[AgentState], Samples]:
    return lambda state: [({}, read(state))]


def _evicted(state: AgentState) -> Samples:
    counters = state.counters
    return [({"reason": "size"}, counters.evicted_size), ({"reason": "age"}, counters.evicted_age)]


def _dropped(state: AgentState) -> Samples:
    return [({"reason": "memory-full"}, state.counters.dropped)]


def _problems(state: AgentState) -> Samples:
    return [({"part": part}, 1) for part in sorted(state.problems)]


def _up(state: AgentState) -> Samples:
    return [({"device": d}, float(d not in state.problems)) for d in state.devices]


def _ages(state: AgentState) -> Samples:
    return [({"device": d}, age) for d, age in state.devices.items() if age is not None]


def _outputs(key: str) -> Callable[[AgentState], Samples]:
    return lambda state: [({"output": o}, float(shown[key])) for o, shown in state.outputs.items()]


def _capacity(state: AgentState) -> Samples:
    return [({}, state.spool_capacity_bytes)] if state.spool_capacity_bytes else []


FIGURES: tuple[Figure, ...] = (
    ("info", "gauge", "1; the labels say who it is",
     lambda s: [({"version": __version__, "site": s.site, "gateway": s.gateway}, 1)]),
    ("connected", "gauge", "1 while the broker has taken the agent", _one(lambda s: s.connected)),
    ("online", "gauge", "1 while births are out and readings are published", _one(lambda s: s.online)),
    ("host_online", "gauge", "1 while the primary host says that it is there", _one(lambda s: s.host_online)),
    ("sessions_total", "counter", "Sessions begun with the host since the start", _one(lambda s: s.sessions)),
    ("points", "gauge", "Points that are declared", _one(lambda s: s.points)),
    ("readings_sampled_total", "counter", "Readings taken from drivers and committed",
     _one(lambda s: s.counters.sampled)),
    ("readings_sent_total", "counter", "Readings handed to the broker, repeats included",
     _one(lambda s: s.counters.sent)),
    ("readings_acknowledged_total", "counter", "Readings the service has stored",
     _one(lambda s: s.counters.acked)),
    ("readings_evicted_total", "counter", "Readings given up because the spool was full or they were too old",
     _evicted),
    ("readings_dropped_total", "counter", "Readings that never reached the disk", _dropped),
    ("lines_rejected_total", "counter", "Lines or values of a source that could not be used",
     _one(lambda s: s.counters.rejected)),
    ("readings_held", "gauge", "Readings on the disk that nobody has acknowledged",
     _one(lambda s: s.counters.held)),
    ("waiting_readings", "gauge", "Readings in memory because the disk refuses", _one(lambda s: s.waiting)),
    ("waiting_readings_capacity", "gauge", "Readings kept in memory at most",
     _one(lambda s: s.waiting_capacity)),
    ("rejects_waiting", "gauge", "Rejected lines not yet on the disk", _one(lambda s: s.rejects_waiting)),
    ("rejects_waiting_capacity", "gauge", "Rejected lines kept in memory at most",
     _one(lambda s: s.rejects_capacity)),
    ("spool_rows", "gauge", "Rows on the disk that nobody has acknowledged", _one(lambda s: s.held_rows)),
    ("spool_bytes", "gauge", "Bytes in use inside the spool file", _one(lambda s: s.spool_bytes)),
    ("spool_capacity_bytes", "gauge", "Bytes beyond which the oldest readings are given up", _capacity),
    ("resends_total", "counter", "Times rows were sent again because no acknowledgement came",
     _one(lambda s: s.resends)),
    ("clock_ahead_seconds", "gauge", "How far times of readings are ahead of the clock",
     _one(lambda s: s.clock_ahead_s)),
    ("clock_state", "gauge", "1; the label says whether the clock is synchronised, in holdover or unknown",
     lambda s: [({"state": s.clock}, 1)]),
    ("clock_steps_total", "counter", "Times the clock was set", _one(lambda s: s.clock_steps)),
    ("clock_leaps_total", "counter", "Leap seconds seen", _one(lambda s: s.clock_leaps)),
    ("slots_missed_total", "counter", "Slots of a fixed rate in which a device could not be asked",
     _one(lambda s: s.missed)),
    ("readings_late_total", "counter",
     "Readings not taken: of a device that hung, older than the word that it had no signal",
     _one(lambda s: s.late)),
    ("readings_unsaid_total", "counter", "Readings left out because they say nothing new (deadband)",
     _one(lambda s: s.unsaid)),
    ("device_up", "gauge", "1 while the device answers", _up),
    ("device_reading_age_seconds", "gauge", "Time since the device gave its last reading", _ages),
    ("output_on", "gauge", "1 while the output is to be on", _outputs("on")),
    ("output_up", "gauge", "1 while the output obeys", _outputs("obeys")),
    ("alerts", "gauge", "Alerts of the gateway's own rules that are active, or not yet acknowledged",
     _one(lambda s: len(s.alerts))),
    ("problem", "gauge", "1 for each part that has a problem; status says it in words", _problems),
    ("reloads_total", "counter", "Configurations taken while running", _one(lambda s: s.reloads)),
    ("reloads_refused_total", "counter", "Configurations refused while running",
     _one(lambda s: s.reloads_refused)),
    ("loop_lag_seconds", "gauge", "The longest time in the last second that something due had to wait",
     _one(lambda s: s.loop_lag_s)),
)  # fmt: skip
