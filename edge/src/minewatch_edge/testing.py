"""Fakes that ship with the agent: a broker that remembers everything, and a driver that does as told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from minewatch_edge.clocks import Moment
from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.errors import DriverError
from minewatch_edge.sparkplug import births, codec, topics
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import Message, Metric
from minewatch_edge.sparkplug.schema import DataType
from minewatch_edge.sparkplug.state import HostState, encode_state


class ListDriver:
    """Delivers the readings it was given, as soon as it is asked; or fails, if told why."""

    def __init__(self, points: Sequence[PointBirth]) -> None:
        self._points = tuple(points)
        self.waiting: list[Reading] = []
        self.failure = ""
        self.closed = False

    def give(self, point: int, ts_ns: int, value: float) -> None:
        """Have a reading delivered at the next poll."""
        self.waiting.append(Reading(point, ts_ns, value))

    def points(self) -> Sequence[PointBirth]:
        """Return the points it was made with."""
        return self._points

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Hand over what waits."""
        if self.failure:
            raise DriverError(self.failure)
        given, self.waiting = self.waiting, []
        return given

    def due_ns(self, now_ns: int) -> int:
        """Return now, if something waits."""
        return now_ns if self.waiting or self.failure else now_ns + 10**9

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Say that all is well, or the failure."""
        return [
            CheckResult(f"{p.device}/{p.metric}", not self.failure, self.failure or "ok")
            for p in self._points
        ]

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class FakeBroker:
    """A transport and, in one, the host at its other end; messages stay in ``sent``, decoded in ``data``.

    ``reachable`` false loses every message from then on, as a dead link does before anybody notices.
    """

    def __init__(self, primary_host: str = "minewatch") -> None:
        self.connected = False
        self.problem = "not connected yet"
        self.reachable = True
        self.sent: list[Publish] = []
        self.arrived: list[Publish] = []
        self.dropped = 0
        self.state_topic = topics.state_topic(primary_host)
        self.on_publish: Callable[[Publish], None] = lambda _message: None

    def publish(self, message: Publish) -> bool:
        """Take a message while connected."""
        if not self.connected:
            return False
        self.sent.append(message)
        if self.reachable:
            self.arrived.append(message)
        self.on_publish(message)
        return True

    def load(self) -> tuple[int, int]:
        """Say that nothing waits."""
        return 0, 0

    def warnings(self, now_ns: int) -> Mapping[str, str]:
        """Have nothing to warn of."""
        return {}

    def drop(self, *, with_will: bool = False, silent: bool = False) -> None:
        """Be told to connect anew."""
        self.dropped += 1
        self.connected = False

    def rows(self) -> list[tuple[int | None, bool, dict[int, float | None]]]:
        """Return what arrived as DDATA: (msg_id, historical, value by alias) each."""
        found = []
        for message in self.arrived:
            if "/DDATA/" not in message.topic:
                continue
            metrics = codec.decode(message.payload).metrics
            aliases = self.aliases()
            ids = [m.value for m in metrics if aliases.get(m.alias or 0) == births.MSG_ID]
            own = (births.MSG_ID, births.CLOCK)
            values = {m.alias or 0: m.value for m in metrics if aliases.get(m.alias or 0) not in own}
            historical = any(m.is_historical for m in metrics)
            found.append((ids[0] if ids else None, historical, values))
        return found  # type: ignore[return-value]  # values of readings are numbers

    def aliases(self) -> dict[int, str]:
        """Return the metric names by alias, as the births that arrived declare them."""
        found = {}
        for message in self.arrived:
            if "BIRTH/" in message.topic:
                for metric in codec.decode(message.payload).metrics:
                    if metric.alias is not None:
                        found[metric.alias] = metric.name
        return found

    def state(self, *, online: bool, timestamp_ms: int) -> tuple[str, bytes]:
        """Return the host's STATE message."""
        return self.state_topic, encode_state(HostState(online, timestamp_ms))


def acknowledgement(site: str, gateway: str, spool: str, upto: int, now: Moment) -> tuple[str, bytes]:
    """Return the command by which a host acknowledges rows."""
    now_ms = now.wall_ns // 1_000_000
    metrics = (
        Metric(births.ACK, datatype=DataType.UINT64, timestamp_ms=now_ms, value=upto),
        Metric(births.SPOOL, datatype=DataType.STRING, timestamp_ms=now_ms, value=spool),
    )
    return topics.node_topic(site, "NCMD", gateway), codec.encode(Message(metrics, now_ms))
