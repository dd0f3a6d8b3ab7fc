"""How an agent is, and the file that says it while the agent runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minewatch_edge import __version__
from minewatch_edge.clocks import CLOCK_WORDS, SteadyClock
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.sampling import Sampler
from minewatch_edge.spool import Counters, Spool


@dataclass(frozen=True, slots=True)
class AgentState:
    """How the agent is: readings counted since the spool was made, ``waiting`` those the disk has refused.

    ``problems`` maps a part (broker, host, session, spool, clock, a device) to what is wrong with it,
    ``devices`` a device to the seconds since it last gave a reading (None: not yet), ``outputs`` an output to
    its position (``on``, ``why``, ``obeys``); ``alerts`` are the gateway's own that stand: active, or not yet
    acknowledged. ``reloads`` and ``loop_lag_s`` belong to whoever runs the agent.
    """

    time_ns: int
    site: str
    gateway: str
    connected: bool
    online: bool
    host_online: bool
    points: int
    counters: Counters
    held_rows: int
    waiting: int
    resends: int
    spool: str
    clock_ahead_s: float
    clock: str = "synchronised"
    clock_steps: int = 0
    clock_leaps: int = 0
    missed: int = 0
    late: int = 0
    unsaid: int = 0
    problems: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, float | None] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alerts: Sequence[Mapping[str, Any]] = ()
    sessions: int = 0
    waiting_capacity: int = 0
    rejects_waiting: int = 0
    rejects_capacity: int = 0
    spool_bytes: int = 0
    spool_capacity_bytes: int = 0
    reloads: int = 0
    reloads_refused: int = 0
    loop_lag_s: float = 0.0

    def to_json(self, pid: int) -> dict[str, Any]:
        """Return what state.json and ``status --json`` show."""
        made = datetime.fromtimestamp(self.time_ns / 1e9, UTC)
        return {
            "time": made.isoformat(timespec="milliseconds"),
            "pid": pid,
            "version": __version__,
            "site": self.site,
            "gateway": self.gateway,
            "connected": self.connected,
            "online": self.online,
            "host_online": self.host_online,
            "points": self.points,
            **counted(self.counters),
            "held_rows": self.held_rows,
            "waiting": self.waiting,
            "resends": self.resends,
            "spool": self.spool,
            "clock_ahead_s": self.clock_ahead_s,
            "spool_bytes": self.spool_bytes,
            "sessions": self.sessions,
            "reloads": self.reloads,
            "reloads_refused": self.reloads_refused,
            "loop_lag_s": round(self.loop_lag_s, 4),
            "devices": {d: None if age is None else round(age, 3) for d, age in self.devices.items()},
            "outputs": {name: dict(shown) for name, shown in self.outputs.items()},
            "alerts": [dict(alert) for alert in self.alerts],
            "clock": self.clock,
            "clock_steps": self.clock_steps,
            "clock_leaps": self.clock_leaps,
            "missed": self.missed,
            "late": self.late,
            "unsaid": self.unsaid,
            "problems": dict(self.problems),
        }


def ages(devices: Iterable[str], read_ns: Mapping[str, int], mono_ns: int) -> dict[str, float | None]:
    """Return for each device the seconds since it gave a reading, None if it never did."""
    return {d: (mono_ns - read_ns[d]) / 1e9 if d in read_ns else None for d in dict.fromkeys(devices)}


def host_problem(name: str) -> str:
    """Return what is said while the primary host is away."""
    return f"the host {name!r} is offline; readings are spooled"


def file_problem(moved_aside: Path | None, salvaged: str) -> dict[str, str]:
    """Return what became of a spool file that was given up, as a problem; none when none was."""
    if moved_aside is None and not salvaged:
        return {}
    fate = f"it was corrupt and is kept as {moved_aside}" if moved_aside else "it had vanished"
    return {"spool file": f"{fate}; {salvaged}" if salvaged else fate}


def sampling(clock: SteadyClock, sampler: Sampler) -> dict[str, Any]:
    """Return what the state says of the clock and of sampling."""
    return {
        "points": len(sampler.points),
        "clock_ahead_s": round(clock.ahead_ns / 1e9, 3),
        "clock": CLOCK_WORDS[clock.quality],
        "clock_steps": clock.steps,
        "clock_leaps": clock.leaps,
        "missed": sampler.missed,
        "late": sampler.late,
        "unsaid": sampler.unsaid,
    }


def spooled(spool: Spool) -> dict[str, Any]:
    """Return what the state says of the spool."""
    return {
        "counters": spool.counters,
        "held_rows": spool.held_rows,
        "spool": spool.identity,
        "spool_capacity_bytes": spool.limits.max_bytes,
    }


def counted(counters: Counters) -> dict[str, int]:
    """Return counters and what follows from them."""
    return {**asdict(counters), "evicted": counters.evicted, "held": counters.held}


def state_path(spool: Path) -> Path:
    """Return where the agent of a spool writes its state."""
    return spool.with_name(spool.name + ".state.json")


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Replace the file as a whole; raises OSError when the disk refuses."""
    part = path.with_name(path.name + ".new")
    part.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Return the last state; raises EdgeConfigError when no agent ever wrote one there."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EdgeConfigError(
            f"cannot be read: {error.strerror}", where=str(path), mend="Start the agent: minewatch-edge run"
        ) from error
    except ValueError as error:
        raise EdgeConfigError(
            f"is no state of an agent: {error}", where=str(path), mend="Delete it and restart the agent"
        ) from error
    if not isinstance(found, dict):
        raise EdgeConfigError("is no state of an agent", where=str(path), mend="Delete it and restart")
    return found
