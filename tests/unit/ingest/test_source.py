"""The MQTT source against real brokers, with real edge sessions on the other side, all in one thread."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from minewatch.contracts import Watermark
from minewatch.errors import ConfigError
from minewatch.ingest.intake import Intake
from minewatch.ingest.settings import IngestSettings
from minewatch.ingest.source import MqttSource
from minewatch_edge.sparkplug.actions import Acknowledged, EdgeAction, HostOffline, Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.mqtt import Broker, Connection
from servers import Server
from servers.process import free_port


class StepClock:
    """A clock that goes on by 5 ms whenever it is read."""

    def __init__(self) -> None:
        self.ns = 1_790_000_000_000_000_000

    def now_ns(self) -> int:
        self.ns += 5_000_000
        return self.ns

    def monotonic_ns(self) -> int:
        return self.now_ns()


class Gateway:
    """An edge session on a connection of its own."""

    def __init__(self, port: int, clock: StepClock, name: str = "gw", points: int = 1) -> None:
        self.clock = clock
        born = [PointBirth("fan", "rpm" if i == 0 else f"m-{i}", "count", "1") for i in range(points)]
        self.session = EdgeSession("mine", name, born, primary_host="minewatch", spool="s-1")
        self.seen: list[EdgeAction] = []
        self.connection = Connection(Broker("127.0.0.1", port, name, retry_min_s=0.1), self)
        self.count = 0

    def now_ms(self) -> int:
        return self.clock.now_ns() // 1_000_000

    def will(self) -> Publish:
        return self.session.will(self.now_ms())

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        return self.session.subscriptions()

    def subscribed(self) -> None:
        self.do(self.session.on_subscribed(self.now_ms()))

    def message(self, topic: str, payload: bytes) -> None:
        self.do(self.session.receive(topic, payload, self.now_ms()))

    def lost(self, why: str) -> None:
        self.session.on_disconnected()

    def do(self, actions: Sequence[EdgeAction]) -> None:
        for action in actions:
            self.seen.append(action)
            if isinstance(action, Publish):
                self.connection.publish(action)
        if any(isinstance(a, HostOffline) for a in actions):
            self.connection.drop()

    def send(self, n: int) -> None:
        """Send n messages of one reading."""
        for _ in range(n):
            self.count += 1
            reading = ("rpm", self.now_ms(), float(self.count), 192)
            self.connection.publish(self.session.data("fan", [reading], self.count, self.now_ms()))


class Bench:
    """A source and its gateways, polled in turn."""

    def __init__(self, port: int, **options: object) -> None:
        self.clock = StepClock()
        self.port = port
        self.options = {"brokers": [f"mqtt://127.0.0.1:{port}"], "retry_min_s": 0.1, **options}
        self.source = self.new_source()
        self.gateways: list[Gateway] = []
        self.got: list[Intake] = []

    def new_source(self) -> MqttSource:
        return MqttSource(IngestSettings.model_validate(self.options), self.clock, rng=Random(1))

    def gateway(self, name: str = "gw", points: int = 1) -> Gateway:
        self.gateways.append(Gateway(self.port, self.clock, name, points))
        return self.gateways[-1]

    def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(3_000):
            if holds():
                return
            for gateway in self.gateways:
                gateway.connection.drive(0.001, self.clock.monotonic_ns() / 1e9)
            found = self.source.poll(0.003)
            if found is not None:
                self.got.append(found)
        raise AssertionError(f"it did not come about; {self.source.problem}")

    def ids(self) -> list[int]:
        return [i for found in self.got for i in found.deliveries.msg_id.tolist()]

    def close(self) -> None:
        self.source.close()
        for gateway in self.gateways:
            gateway.connection.stop()


def test_end_to_end(broker: Server) -> None:
    """Births, readings in order, and acknowledgements, over each broker."""
    bench = Bench(broker.port)
    gateway = bench.gateway()
    bench.until(lambda: gateway.session.born and bool(bench.got))
    assert bench.source.online
    assert bench.source.problem == ""
    for _ in range(10):
        gateway.send(100)
        bench.until(lambda: len(bench.ids()) >= gateway.count)
    assert bench.ids() == list(range(1, 1001))
    values = [v for found in bench.got for v in found.batch.value.tolist()]
    assert values == [float(i) for i in range(1, 1001)]
    places = {p.place for found in bench.got for p in found.points.values()}
    assert places == {"mine/fan/rpm"}
    for upto in (10, 400, 1000):
        bench.source.acknowledge([Watermark("mine/gw", "s-1", upto)])
    bench.until(lambda: Acknowledged("s-1", 1000) in gateway.seen)
    assert len([a for a in gateway.seen if isinstance(a, Acknowledged)]) == 1
    bench.close()


def test_births_of_five_thousand_metrics(broker: Server) -> None:
    """A device of 5,000 metrics is born and sends through each broker, whose payload limits hold it."""
    bench = Bench(broker.port)
    gateway = bench.gateway(points=5_000)
    bench.until(lambda: gateway.session.born and len(bench.source.known().points) == 5_000)
    gateway.send(3)
    bench.until(lambda: bench.ids() == [1, 2, 3])
    assert [g.points for g in bench.source.known().gateways] == [5_000]
    assert [r for found in bench.got for r in found.rejects] == []
    bench.close()


def test_host_and_gateway_walk_to_the_second_broker(mosquitto_server: Server, iotcore_server: Server) -> None:
    """When the first broker dies the host goes to the next; a gateway that follows is heard there."""
    ports = (mosquitto_server.port, iotcore_server.port)
    bench = Bench(
        ports[0], brokers=[f"mqtt://127.0.0.1:{p}" for p in ports], retry_min_s=0.02, retry_max_s=0.1
    )
    first = bench.gateway()
    bench.until(lambda: first.session.born and bool(bench.source.known().points))
    mosquitto_server.kill()
    bench.until(lambda: bench.source.online and bench.source._connection.broker.port == ports[1])
    assert [g.online for g in bench.source.known().gateways] == [False]
    bench.gateways.clear()
    first.connection.stop()
    bench.port = ports[1]
    second = bench.gateway()  # the same gateway at the next of its brokers
    bench.until(lambda: second.session.born and [g.online for g in bench.source.known().gateways] == [True])
    second.send(2)
    bench.until(lambda: bench.ids() == [1, 2])
    bench.close()


def test_acknowledgements_are_paced(broker: Server) -> None:
    """However often the core says so, a gateway hears at most four acknowledgements a second."""
    bench = Bench(broker.port)
    gateway = bench.gateway()
    bench.until(lambda: gateway.session.born and bool(bench.source.known().gateways))
    began = bench.clock.ns
    for upto in range(1, 200):
        bench.source.acknowledge([Watermark("mine/gw", "s-1", upto)])
        bench.source.poll(0.0)
    bench.until(lambda: Acknowledged("s-1", 199) in gateway.seen)
    seconds = (bench.clock.ns - began) / 1e9
    assert len([a for a in gateway.seen if isinstance(a, Acknowledged)]) <= 4 * seconds + 2
    bench.close()


def test_host_leaves_and_returns(broker: Server) -> None:
    """When the service leaves, gateways stop sending; when it is back, they are born and send again."""
    bench = Bench(broker.port)
    gateway = bench.gateway()
    bench.until(lambda: gateway.session.born and bench.source.online)
    bench.source.close()
    bench.source = bench.new_source()
    bench.until(lambda: any(isinstance(a, HostOffline) for a in gateway.seen))
    bench.until(lambda: gateway.session.born and gateway.session.bd_seq == 1)
    bench.until(lambda: bool(bench.source.known().points))
    gateway.send(3)
    bench.until(lambda: len(bench.ids()) == 3)
    bench.close()


def test_restart_of_the_broker(mosquitto_server: Server) -> None:
    """A broker killed in the middle is a state with a text; afterwards all goes on by itself."""
    bench = Bench(mosquitto_server.port)
    gateway = bench.gateway()
    bench.until(lambda: gateway.session.born and bench.source.online)
    mosquitto_server.kill()
    bench.until(lambda: not bench.source.online and not gateway.connection.connected)
    assert f"127.0.0.1:{bench.port}" in bench.source.problem
    assert [g.online for g in bench.source.known().gateways] == [False]
    mosquitto_server.start()
    bench.until(lambda: gateway.session.born and bench.source.online)
    gateway.send(5)
    bench.until(lambda: len(bench.ids()) == 5)
    bench.close()


def test_gateway_dies(broker: Server) -> None:
    """A gateway whose connection breaks is offline by its will."""
    bench = Bench(broker.port)
    gateway = bench.gateway()
    bench.until(lambda: bool(bench.source.known().gateways))
    sock = gateway.connection._client.socket()
    assert sock is not None
    bench.gateways.clear()
    sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # a plain socket here
    sock.close()
    bench.until(lambda: [g.online for g in bench.source.known().gateways] == [False])
    bench.source.close()


def test_wake() -> None:
    """A readable socket of the caller ends the wait, also while no broker is there."""
    left, right = socket.socketpair()
    with left, right:
        bench = Bench(free_port(), retry_min_s=60)
        left.sendall(b"!")
        assert bench.source.poll(30.0, right) is None
        assert not bench.source.online
        bench.close()


def test_next_broker(mosquitto_server: Server) -> None:
    """When the first broker of the settings does not answer, the next one is taken."""
    dead = free_port()
    bench = Bench(
        mosquitto_server.port, brokers=[f"mqtt://127.0.0.1:{p}" for p in (dead, mosquitto_server.port)]
    )
    bench.until(lambda: bench.source.online)
    bench.close()


def test_tls_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A certificate that is not there is an error of the configuration, before any network."""
    settings = IngestSettings(brokers=("mqtts://127.0.0.1:8883",), ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match="ca_file"):
        MqttSource(settings, StepClock())


@pytest.mark.parametrize(
    "url", ["http://x:1", "mqtt://", "mqtt://h:99999", "mqtt://u:p@h:1883", "h:1883", "mqtt://h/path"]
)
def test_urls(url: str) -> None:
    """A broker that is no mqtt URL is refused with the mend."""
    with pytest.raises(ValueError, match="mqtt"):
        IngestSettings(brokers=(url,))
