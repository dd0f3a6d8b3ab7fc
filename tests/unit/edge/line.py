"""One agent on a timeline: a fake broker, a fake clock, a real spool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minewatch_edge.agent import Agent
from minewatch_edge.clocks import Moment
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.sparkplug import codec
from minewatch_edge.sparkplug.births import NODE_ALIASES, PointBirth
from minewatch_edge.spool import Reject, Spool, SpoolLimits
from minewatch_edge.testing import FakeBroker, ListDriver, acknowledgement

MS = 1_000_000
S = 1_000 * MS
START = 1_800_000_000 * S
CH4 = PointBirth("gas", "CH4", "methane", "% CH4", "face", 0.0, 5.0, 1.0)
CO = PointBirth("gas", "CO", "carbon_monoxide", "ppm", "face", 0.0, 500.0, 1.0)
FAN = PointBirth("fan", "p", "fan_pressure", "Pa", interval_s=1.0)


class Line:
    """One agent, its driver, its broker, and the time."""

    def __init__(
        self, folder: Path, *, points: tuple[PointBirth, ...] = (CH4, CO, FAN),
        limits: SpoolLimits | None = None,         acknowledgement: bool = True,
        resend_per_s: float = 20_000.0, memory_readings: int = 1_000,
    ) -> None:  # fmt: skip
        self.now = Moment(START, 0)
        self.driver = ListDriver(points)
        self.broker = FakeBroker()
        self.rejects: list[Reject] = []
        self.spool = Spool(folder / "s", limits, boot="boot")
        self.config = EdgeConfig(
            "site", "gw", BrokerConfig(keepalive_s=10, acknowledgement=acknowledgement),
            SpoolConfig(
                folder / "s", commit_ms=20, resend_s=5, resend_per_s=resend_per_s,
                memory_readings=memory_readings,
            ),
        )  # fmt: skip
        self.agent = Agent(self.config, [self.driver], self.spool, self.broker, rejects=self.rejects)
        self.agent.start(self.now)

    def pass_(self, seconds: float, *, wall_s: float | None = None) -> None:
        """Let time go by in steps of 20 ms or less."""
        for _ in range(max(1, round(seconds / 0.02))):
            gone = min(seconds, 0.02)
            self.now = Moment(self.now.wall_ns + int(gone * S), self.now.mono_ns + int(gone * S))
            self.agent.step(self.now)

    def jump(self, seconds: float) -> None:
        """Set the wall clock."""
        self.now = Moment(self.now.wall_ns + int(seconds * S), self.now.mono_ns)

    def sample(self, *values: float, point: int = 0) -> None:
        """Have the driver deliver values now, one after the other, and let the agent take them."""
        for value in values:
            self.driver.give(point, self.now.wall_ns, value)
            self.pass_(0.02)

    def connect(self, *, host: bool = True) -> None:
        """Have the broker take the agent."""
        self.agent.will(self.now)
        self.broker.connected, self.broker.problem = True, ""
        self.agent.subscribed(self.now)
        if host:
            self.host(online=True)

    def host(self, *, online: bool) -> None:
        """Have the host's STATE arrive."""
        self.agent.message(*self.broker.state(online=online, timestamp_ms=self.now.wall_ns // MS), self.now)

    def lose(self) -> None:
        """Have the connection be lost."""
        self.broker.connected, self.broker.problem = False, "gone"
        self.agent.lost("gone", self.now)

    def acknowledge(self, upto: int, spool: str = "") -> None:
        """Have the host acknowledge."""
        message = acknowledgement("site", "gw", spool or self.spool.identity, upto, self.now)
        self.agent.message(*message, self.now)

    def got(self) -> list[tuple[int | None, bool, list[float | None]]]:
        """Return (id, historical, values) of what arrived."""
        return [(i, h, list(v.values())) for i, h, v in self.broker.rows()]

    def notes(self) -> list[tuple[int, dict[str, Any]]]:
        """Return (id, content) of the notes that arrived."""
        found = []
        for message in self.broker.arrived:
            if "/NDATA/" in message.topic:
                told = {m.alias: m.value for m in codec.decode(message.payload).metrics}
                if NODE_ALIASES["minewatch/note"] in told:
                    text, number = (
                        told[NODE_ALIASES["minewatch/note"]],
                        told[NODE_ALIASES["minewatch/msg_id"]],
                    )
                    assert isinstance(text, str)
                    assert isinstance(number, int)
                    found.append((number, json.loads(text)))
        return found

    def values(self) -> list[float | None]:
        """Return every value that arrived, in order."""
        return [v for _, _, values in self.got() for v in values]
