"""How an agent is, and the file that says it while the agent runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minewatch_edge import __version__
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.spool import Counters


@dataclass(frozen=True, slots=True)
class AgentState:
    """How the agent is: readings counted since the spool was made, ``waiting`` those the disk has refused.

    ``problems`` maps a part (broker, host, session, spool, clock, a device) to what is wrong with it.
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
    problems: Mapping[str, str] = field(default_factory=dict)

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
            "problems": dict(self.problems),
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
