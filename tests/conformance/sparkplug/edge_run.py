"""The running agent between a stand-in for a host and real brokers; every packet of it is written down."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.runtime import run_agent
from minewatch_edge.sparkplug import codec, topics
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.schema import DataType
from servers.mqtt_link import MqttLink, Packet, linked
from unit.edge.logging_driver import LoggingDriver

GROUP, NODE = "mine", "gw"
PATIENCE_S = 60.0  # machines that test are busy
MUTANT_PATIENCE_S = 4.0  # it may never do what is waited for
_MISSED_S = 0.5  # once something did not come, what follows it hardly will
_HOSTS = itertools.count(1)


def until(truth: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds; False when it does not in time."""
    never = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if truth():
            return True
        never.wait(0.02)
    return False


class Waits:
    """Waits for one thing after the other; the first that does not come uses the patience up."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s

    def until(self, truth: Callable[[], bool]) -> bool:
        """Wait until something holds; False when it does not in time."""
        held = until(truth, self._patience_s)
        if not held:
            self._patience_s = min(self._patience_s, _MISSED_S)
        return held


class HostStandIn:
    """A host application that says its STATE and nothing else; ``seen`` is what it hears of the node."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.seen: list[tuple[str, bytes]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{name}-{port}")
        self._client.on_message = lambda _c, _d, m: self.seen.append((m.topic, m.payload))
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(f"spBv1.0/{GROUP}/#", 1)
        self._client.loop_start()
        self._at_ms = int(time.monotonic() * 1000)

    def say(self, *, online: bool) -> None:
        """Publish STATE, each newer than the one before."""
        self._at_ms += 1
        raw = json.dumps({"online": online, "timestamp": self._at_ms})
        self._client.publish(topics.state_topic(self.name), raw, 1, retain=True).wait_for_publish(5)

    def rebirth(self) -> None:
        """Ask for births."""
        metric = codec.Metric("Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True)
        self._client.publish(
            topics.node_topic(GROUP, "NCMD", NODE), codec.encode(codec.Message((metric,), 1))
        )

    def heard(self, verb: str) -> int:
        """Return how many messages of a verb came."""
        return sum(f"/{verb}/" in topic for topic, _ in list(self.seen))

    def close(self) -> None:
        """Forget the STATE and go."""
        self._client.publish(topics.state_topic(self.name), b"", 1, retain=True)
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def running(config: EdgeConfig, folder: Path, every_ms: int = 50) -> Iterator[LoggingDriver]:
    """Run the agent in a thread of its own, with a driver that writes down what it delivers."""
    stop = threading.Event()
    driver = LoggingDriver(folder / "driver.log", 2, every_ms)
    driver._births = [PointBirth("d", f"m{i}", "value", "1", interval_s=1.0) for i in range(2)]
    agent = threading.Thread(target=run_agent, args=(config, [driver], stop), daemon=True)
    agent.start()
    try:
        yield driver
    finally:
        stop.set()
        agent.join(10)


@dataclass(frozen=True)
class Run:
    """The packets of one life of the agent."""

    packets: tuple[Packet, ...]

    def up(self, kind: str) -> list[Packet]:
        """Return what the agent sent of a kind."""
        return [p for p in self.packets if p.up and p.kind == kind]

    def connections(self) -> list[list[Packet]]:
        """Return the packets of each MQTT connection."""
        ordered = sorted(self.packets, key=lambda p: p.connection)
        return [list(ps) for _, ps in groupby(ordered, key=lambda p: p.connection)]


def live(folder: Path, port: int, protocol: int, *, host: bool = True, patience_s: float = PATIENCE_S) -> Run:
    """Have the agent connect, be born, send, be reborn, lose its host, find it again, and end."""
    waits = Waits(patience_s)
    name = f"host{next(_HOSTS)}"
    with linked(port) as link, contextlib.closing(HostStandIn(port, name)) as stand_in:
        broker = BrokerConfig(
            "127.0.0.1",
            link.port,
            client_id=name + "-edge",
            protocol=protocol,
            primary_host=name if host else "",
        )
        config = EdgeConfig(GROUP, NODE, broker, SpoolConfig(folder / "spool"))
        with running(config, folder):
            waits.until(lambda: link.count("SUBSCRIBE") == 1)
            if host:
                stand_in.say(online=True)
            waits.until(lambda: link.count("PUBLISH", "/DDATA/") >= 2)
            stand_in.rebirth()
            waits.until(lambda: link.count("PUBLISH", "/NBIRTH/") == 2)
            if host:
                stand_in.say(online=False)
            else:
                link.cut()
            waits.until(lambda: link.count("SUBSCRIBE") >= 2)
            stand_in.say(online=True)
            waits.until(lambda: link.count("PUBLISH", "/NBIRTH/") == 3)
        until(lambda: link.packets[-1].kind == "CLOSED", 1)
        return Run(tuple(link.packets))


@dataclass(frozen=True)
class Walk:
    """What became of an agent with two brokers whose host went offline at the first."""

    moved: bool
    died_at_first: bool
    most_open: int


def walk(folder: Path, first: int, second: int, patience_s: float = PATIENCE_S) -> Walk:
    """Have the agent be born at one broker, and the host go offline there and be online at the other."""
    waits = Waits(patience_s)
    name = f"host{next(_HOSTS)}"
    most = 0
    with contextlib.ExitStack() as stack:
        links: list[MqttLink] = [stack.enter_context(linked(port)) for port in (first, second)]
        hosts = [stack.enter_context(contextlib.closing(HostStandIn(port, name))) for port in (first, second)]
        further = BrokerConfig("127.0.0.1", links[1].port, client_id=name, primary_host=name)
        broker = BrokerConfig(
            "127.0.0.1", links[0].port, client_id=name, primary_host=name, fallback=(further,), host_wait_s=30
        )
        hosts[0].say(online=True)
        hosts[1].say(online=True)
        ended = threading.Event()
        seen = [0]

        def watch() -> None:
            while not ended.wait(0.005):
                seen[0] = max(seen[0], sum(link.sessions for link in links))

        stack.callback(ended.set)
        threading.Thread(target=watch, daemon=True).start()
        with running(EdgeConfig(GROUP, NODE, broker, SpoolConfig(folder / "spool")), folder):
            waits.until(lambda: links[0].count("PUBLISH", "/DDATA/") >= 2)
            hosts[0].say(online=False)
            moved = waits.until(lambda: links[1].count("PUBLISH", "/DDATA/") >= 2)
            until(lambda: False, 0.1)
            most = seen[0]
        died = links[0].count("PUBLISH", "/NDEATH/") == 1
    return Walk(moved, died, most)
