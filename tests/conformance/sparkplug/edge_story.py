"""The evidence for the edge node: the real agent with its spool, told a story against a clock we move."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.sparkplug.edge_run import PATIENCE_S, Run, Walk, live, walk
from minewatch_edge.agent import Agent
from minewatch_edge.clocks import Moment
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.drivers.driver import Reading
from minewatch_edge.sparkplug import codec, topics
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.schema import DataType
from minewatch_edge.sparkplug.state import HostState, encode_state
from minewatch_edge.spool import Spool
from minewatch_edge.testing import FakeBroker, ListDriver, acknowledgement

GROUP, NODE, HOST = "mine", "gw", "centre"
DEVICES = ("wall", "fan")
POINTS = (
    PointBirth("wall", "CH4", "methane", "% CH4", "face", 0.0, 40.0, 1.0, 0.01, (-99.0,), "2027-03-31"),
    PointBirth("wall", "air", "air_velocity", "m/s", "face", 0.0, 10.0, 1.0),
    PointBirth("fan", "rpm", "count", "1", interval_s=1.0, datatype=DataType.INT32),
)
MS, S = 1_000_000, 1_000_000_000
START_NS = 1_800_000_000 * S


@dataclass(frozen=True)
class Sent:
    """One message as it was handed to the connection."""

    publish: Publish
    at_ms: int

    @property
    def topic(self) -> str:
        return self.publish.topic

    @property
    def levels(self) -> list[str]:
        return self.publish.topic.split("/")

    @property
    def verb(self) -> str:
        return self.levels[2]

    @property
    def device(self) -> str:
        return self.levels[4] if len(self.levels) > 4 else ""

    @cached_property
    def message(self) -> codec.Message:
        return codec.decode(self.publish.payload)

    @cached_property
    def raw(self) -> Any:
        return codec.parse(self.publish.payload)


class Edge:
    """One gateway of two devices on a timeline; ``sent`` is everything it published, in order."""

    def __init__(
        self, folder: Path, *, bd_seq: int | None = None, points: Sequence[PointBirth] = POINTS
    ) -> None:
        self.now = Moment(START_NS, 0)
        devices = tuple(dict.fromkeys(p.device for p in points))
        self.drivers = {d: ListDriver([p for p in points if p.device == d]) for d in devices}
        self.broker = FakeBroker(HOST)
        self.broker.on_publish = self._note
        self.sent: list[Sent] = []
        self.wills: list[Sent] = []
        self.subscriptions: Sequence[tuple[str, int]] = ()
        self.spool = Spool(folder / "spool", None, boot="boot")
        if bd_seq is not None:
            self.spool.open(())
            self.spool.save_bd_seq(bd_seq)
            self.spool.close()
            self.spool = Spool(folder / "spool", None, boot="boot")
        config = EdgeConfig(
            GROUP,
            NODE,
            BrokerConfig(keepalive_s=10, primary_host=HOST),
            SpoolConfig(folder / "spool", commit_ms=20),
        )
        self.agent = Agent(config, list(self.drivers.values()), self.spool, self.broker)
        self.agent.start(self.now)

    @property
    def now_ms(self) -> int:
        return self.now.wall_ns // MS

    def _note(self, message: Publish) -> None:
        self.sent.append(Sent(message, self.now_ms))

    def pass_(self, seconds: float) -> None:
        """Let time go by in steps of 20 ms."""
        for _ in range(max(1, round(seconds / 0.02))):
            self.now = Moment(self.now.wall_ns + 20 * MS, self.now.mono_ns + 20 * MS)
            self.agent.step(self.now)

    def connect(self) -> None:
        """Have the broker take the agent and confirm its subscriptions."""
        self.wills.append(Sent(self.agent.will(self.now), self.now_ms))
        self.broker.connected, self.broker.problem = True, ""
        self.subscriptions = self.agent.subscriptions()
        self.agent.subscribed(self.now)

    def lose(self) -> None:
        """Have the connection be lost."""
        self.broker.connected = False
        self.agent.lost("gone", self.now)

    def state(self, *, online: bool, at_ms: int | None = None, host: str = HOST) -> None:
        """Have a STATE message arrive."""
        raw = encode_state(HostState(online, self.now_ms if at_ms is None else at_ms))
        self.agent.message(topics.state_topic(host), raw, self.now)

    def born(self) -> None:
        """Connect with the host online."""
        self.connect()
        self.state(online=True)

    def give(self, device: str, *readings: tuple[int, int, float, int]) -> None:
        """Have a device deliver (point, age in ms, value, quality) at the next poll."""
        self.drivers[device].waiting += [
            Reading(point, self.now.wall_ns - age * MS, value, quality)
            for point, age, value, quality in readings
        ]

    def sample(self, device: str, value: float, point: int = 0) -> None:
        """Have a device deliver one good value now, and let it go out."""
        self.give(device, (point, 0, value, codec.GOOD))
        self.pass_(0.06)

    def command(self, *metrics: codec.Metric, verb: str = "NCMD", device: str = "") -> None:
        """Have a command arrive."""
        topic = (
            topics.device_topic(GROUP, verb, NODE, device) if device else topics.node_topic(GROUP, verb, NODE)
        )
        self.agent.message(topic, codec.encode(codec.Message(metrics, self.now_ms)), self.now)

    def acknowledge(self) -> None:
        """Have the host acknowledge everything."""
        message = acknowledgement(GROUP, NODE, self.spool.identity, self.spool.last_id, self.now)
        self.agent.message(*message, self.now)

    def rebirth(self) -> None:
        """Have the host ask for births."""
        self.command(codec.Metric("Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True))

    def of(self, *verbs: str, since: int = 0) -> list[Sent]:
        """Return what was sent of these verbs."""
        return [s for s in self.sent[since:] if s.verb in verbs]


@dataclass
class Story:
    """What an edge did in a whole life; ``marks`` are places in ``sent``."""

    edge: Edge
    marks: dict[str, int]


class Evidence:
    """What checks look at; made anew for every mutant."""

    def __init__(self, folder: Path, brokers: Sequence[int], patience_s: float) -> None:
        """``brokers`` are the ports of two real ones; what does not come is waited for so long."""
        self._folder = folder
        self._brokers = brokers
        self._patience_s = patience_s
        self._runs: dict[tuple[int, str], Run] = {}
        self._walk: Walk | None = None
        self._agents: list[Edge] = []

    def edge(self, *, bd_seq: int | None = None, points: Sequence[PointBirth] = POINTS) -> Edge:
        """Return a new gateway that has not connected yet."""
        made = Edge(Path(tempfile.mkdtemp(dir=self._folder)), bd_seq=bd_seq, points=points)
        self._agents.append(made)
        return made

    def run(self, protocol: int, *, host: str = "host") -> Run:
        """Return the packets of the running agent with a real broker, with or without a primary host."""
        key = protocol, host
        if key not in self._runs:
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            self._runs[key] = live(
                folder, self._brokers[0], protocol, host=bool(host), patience_s=self._patience_s
            )
        return self._runs[key]

    def walk(self) -> Walk:
        """Return what became of the running agent with two real brokers."""
        if self._walk is None:
            first, second = self._brokers
            self._walk = walk(Path(tempfile.mkdtemp(dir=self._folder)), first, second, self._patience_s)
        return self._walk

    @cached_property
    def story(self) -> Story:
        """Return a gateway after births, live data, history, a rebirth, and an end in order."""
        edge = self.edge()
        marks: dict[str, int] = {}
        edge.sample("wall", 0.1)
        edge.sample("fan", 900)
        edge.connect()
        marks["waiting"] = len(edge.sent)
        edge.state(online=True)
        marks["born"] = len(edge.sent)
        edge.give("wall", (0, 5, 0.4, codec.GOOD), (1, 900, 1.5, codec.GOOD), (1, 0, 1.6, codec.UNCERTAIN))
        edge.pass_(0.1)
        edge.give("wall", (0, 0, float("nan"), codec.BAD))
        edge.pass_(0.1)
        edge.sample("fan", 901)
        edge.agent.note({"kind": "gap", "first": 1, "last": 1, "reason": "age"})
        edge.pass_(6.0)
        edge.acknowledge()
        marks["before death"] = len(edge.sent)
        edge.drivers["fan"].failure = "no answer"
        edge.pass_(6.0)
        edge.acknowledge()
        marks["dead"] = len(edge.sent)
        edge.drivers["fan"].failure = ""
        edge.pass_(5.0)
        edge.sample("fan", 901)
        marks["rebirth"] = len(edge.sent)
        edge.rebirth()
        marks["reborn"] = len(edge.sent)
        for i in range(300):
            edge.give("fan", (0, 0, 1_000.0 + i, codec.GOOD))
            edge.pass_(0.02)
        edge.pass_(1.0)
        edge.agent.stop(edge.now)
        marks["stopped"] = len(edge.sent)
        return Story(edge, marks)

    def close(self) -> None:
        """End what was begun."""
        for made in self._agents:
            made.spool.close()


@contextmanager
def evidence(brokers: Sequence[int] = (), patience_s: float = PATIENCE_S) -> Iterator[Evidence]:
    """Yield fresh evidence in a folder of its own, with two real brokers on these ports."""
    with tempfile.TemporaryDirectory(prefix="minewatch-sparkplug-") as folder:
        made = Evidence(Path(folder), brokers, patience_s)
        try:
            yield made
        finally:
            made.close()
