"""The connection: paho's private hooks are in place, and it survives a broker that comes and goes."""

import socket
from collections.abc import Callable, Sequence

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.buffered import BufferedSocket
from minewatch_edge.sparkplug.mqtt import Broker, Connection
from servers import Server
from servers.process import free_port


class Recorder:
    """A handler that keeps what it is told."""

    def __init__(self, topic: str = "test/#") -> None:
        self.topic = topic
        self.wills = 0
        self.confirmed = 0
        self.messages: list[tuple[str, bytes]] = []
        self.losses: list[str] = []

    def will(self) -> Publish:
        self.wills += 1
        return Publish("test/will", str(self.wills).encode(), 1)

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        return ((self.topic, 1),)

    def subscribed(self) -> None:
        self.confirmed += 1

    def message(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))

    def lost(self, why: str) -> None:
        self.losses.append(why)


class Time:
    """A steady clock that the test moves."""

    now_s = 0.0

    def drive(self, *connections: Connection, until: Callable[[], bool]) -> None:
        """Drive connections in turn until something holds, at most some seconds."""
        for _ in range(2_000):
            if until():
                return
            for connection in connections:
                self.now_s += 0.01
                connection.drive(0.005, self.now_s)
        raise AssertionError("it did not come about")


def test_a_password_is_never_printed() -> None:
    """A log or a traceback that shows the broker's settings shows no password."""
    assert "hush" not in repr(Broker("127.0.0.1", username="u", password="hush"))


def test_private_hook_of_paho() -> None:
    """Paho still makes its socket in `_create_socket` and still asks a socket what is pending."""
    assert callable(paho.Client._create_socket)
    assert paho.Client(CallbackAPIVersion.VERSION2)._in_packet["command"] == 0
    assert "pending" in paho.Client._loop.__code__.co_names + paho.Client._loop.__code__.co_consts


def test_buffered_socket() -> None:
    """Small reads are served from one large one, and the rest is told as pending."""
    left, right = socket.socketpair()
    with left, right:
        buffered = BufferedSocket(right)
        left.sendall(b"abcdef")
        assert buffered.recv(1) == b"a"
        assert buffered.pending() == 5
        left.sendall(b"gh")
        assert buffered.recv(10) == b"bcdef"
        assert buffered.pending() == 0
        assert buffered.recv(10) == b"gh"
        left.close()
        assert buffered.recv(1) == b""
        assert buffered.fileno() == right.fileno()


def packet(topic: str, payload: bytes, first: int = 0x30) -> bytes:
    """A PUBLISH packet of MQTT 3.1.1."""
    body = len(topic.encode()).to_bytes(2, "big") + topic.encode() + payload
    size, length = len(body), b""
    while True:
        size, low = divmod(size, 128)
        length += bytes([low | (128 if size else 0)])
        if not size:
            return bytes([first]) + length + body


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000])
def test_publishes_in_pieces(step: int) -> None:
    """However the stream is cut, each plain PUBLISH comes out once, whole; others stay for paho."""
    sent = [(f"t/{i}", bytes([i % 251]) * (i * 7 % 300)) for i in range(60)] + [("шахта/газ", b"")]
    stream = b"".join(packet(*m) for m in sent) + b"\xd0\x00" + packet("late", b"x")
    left, right = socket.socketpair()
    got: list[tuple[str, bytes]] = []
    with left, right:
        right.setblocking(False)
        buffered = BufferedSocket(right)
        for at in range(0, len(stream), step):
            left.sendall(stream[at : at + step])
            if buffered.hungry:
                assert buffered.fill()
            buffered.take_publishes(lambda topic, payload: got.append((topic, payload)), 9_999, five=False)
        assert got == sent
        assert not buffered.hungry
        assert buffered.recv(1) + buffered.recv(1) == b"\xd0\x00"
        while buffered.fill():
            pass
        buffered.take_publishes(lambda topic, payload: got.append((topic, payload)), 9_999, five=False)
        assert got[-1] == ("late", b"x")
        assert buffered.hungry
        left.close()
        assert not buffered.fill()
        assert buffered.ended


@pytest.mark.parametrize(
    "raw",
    [b"\x32\x05\x00\x01a\x00\x01", b"\x30\x02\x00\x00", b"\x30\x03\x00\x09a", b"\x30\x04\x00\x01\xffx",
     b"\x30\xff\xff\xff\xff\x01", b"\x30\x80\x80\x80\x01"],
)  # fmt: skip
def test_what_is_not_plain_is_for_paho(raw: bytes) -> None:
    """QoS 1, faulty and huge packets are left at the front, not waited for."""
    left, right = socket.socketpair()
    with left, right:
        buffered = BufferedSocket(right)
        left.sendall(raw)
        assert buffered.fill()
        assert buffered.take_publishes(lambda *_: None, 10, five=False) == 0
        assert not buffered.hungry
        assert buffered.recv(100) == raw


@pytest.mark.parametrize("protocol", [4, 5])
def test_large_and_small(mosquitto_server: Server, protocol: int) -> None:
    """Payloads of all sizes and both QoS come through the broker whole, with either version of MQTT."""
    handler = Recorder()
    connection = Connection(Broker("127.0.0.1", mosquitto_server.port, "sizes", protocol=protocol), handler)
    clock = Time()
    clock.drive(connection, until=lambda: handler.confirmed == 1)
    sizes = [0, 1, 100, 127, 128, 16_383, 16_384, 262_144, 700_000, 3]
    sent = [(f"test/{n}/{qos}", bytes([n % 251]) * n) for n in sizes for qos in (0, 1)]
    for topic, payload in sent:
        connection.publish(Publish(topic, payload, qos=int(topic[-1])))
    clock.drive(connection, until=lambda: len(handler.messages) >= len(sent))
    assert sorted(handler.messages) == sorted(sent)
    connection.stop()


def test_broker_is_down() -> None:
    """A broker that is down is a state with a text, tried again later and later."""
    handler = Recorder()
    port = free_port()
    connection = Connection(Broker("127.0.0.1", port, retry_min_s=1, retry_max_s=4), handler)
    tried = []
    for tenth in range(200):
        before = connection.attempts
        connection.drive(0.0, tenth / 10)
        if connection.attempts > before:
            tried.append(tenth / 10)
    assert tried == [0, 1, 3, 7, 11, 15, 19]
    assert not connection.connected
    assert f"127.0.0.1:{port}" in connection.problem
    assert handler.wills == len(tried)
    assert not connection.publish(Publish("test/x", b""))


def test_a_broker_that_ends_the_connection_before_connect_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status says so: paho tells of no error there (TLS 1.3 refuses a certificate at just this moment)."""
    ours, theirs = socket.socketpair()
    theirs.close()
    monkeypatch.setattr(paho.Client, "_create_socket", lambda _client: ours)
    connection = Connection(Broker("127.0.0.1", free_port()), Recorder())
    connection.drive(0.0, 0.0)
    assert "ended the connection before it answered" in connection.problem
    assert connection.attempts == 1


def test_others_wake_it() -> None:
    """A readable socket of the caller ends the wait, with and without a broker."""
    left, right = socket.socketpair()
    with left, right:
        connection = Connection(Broker("127.0.0.1", free_port(), retry_min_s=60), Recorder())
        left.sendall(b"!")
        assert connection.drive(30.0, 0.0, (right,)) == [right]


def test_driven(broker: Server) -> None:
    """Driven in one thread, messages go round the broker whole and in order, many to one read."""
    handler = Recorder()
    connection = Connection(Broker("127.0.0.1", broker.port, "driven"), handler)
    clock = Time()
    clock.drive(connection, until=lambda: handler.confirmed == 1)
    assert connection.problem == ""
    sent = [(f"test/{i}", b"x" * i) for i in range(1, 301)]
    for topic, payload in sent:
        assert connection.publish(Publish(topic, payload))
    clock.drive(connection, until=lambda: len(handler.messages) >= 300)
    assert handler.messages == sent
    connection.stop()
    assert handler.losses == ["disconnected"] or handler.losses == ["Normal disconnection"]


def test_new_will_for_each_connect(broker: Server) -> None:
    """After a loss the next CONNECT carries a new will, and the old one was delivered."""
    watcher, handler = Recorder("test/will"), Recorder("test/none")
    other = Connection(Broker("127.0.0.1", broker.port, "watcher"), watcher)
    connection = Connection(Broker("127.0.0.1", broker.port, "watched", retry_min_s=0.1), handler)
    clock = Time()
    clock.drive(other, connection, until=lambda: bool(watcher.confirmed and handler.confirmed))
    sock = connection._client.socket()
    assert sock is not None
    sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # a plain socket here
    clock.drive(other, connection, until=lambda: handler.confirmed == 2 and len(watcher.messages) == 1)
    assert watcher.messages == [("test/will", b"1")]
    assert handler.wills == 2
    assert len(handler.losses) == 1
    other.stop()
    connection.stop()


def test_drop_connects_anew(mosquitto_server: Server) -> None:
    """`drop` leaves the broker in order, without the will, and comes back."""
    watcher, handler = Recorder("test/will"), Recorder("test/none")
    other = Connection(Broker("127.0.0.1", mosquitto_server.port, "watcher"), watcher)
    connection = Connection(Broker("127.0.0.1", mosquitto_server.port, "watched", retry_min_s=0.1), handler)
    clock = Time()
    clock.drive(other, connection, until=lambda: bool(watcher.confirmed and handler.confirmed))
    connection.drop()
    clock.drive(other, connection, until=lambda: handler.confirmed == 2)
    assert watcher.messages == []
    other.stop()
    connection.stop()


def test_broker_restarts(mosquitto_server: Server) -> None:
    """When the broker is killed and comes back, the connection comes back by itself."""
    handler = Recorder()
    connection = Connection(Broker("127.0.0.1", mosquitto_server.port, "stayer", retry_min_s=0.1), handler)
    clock = Time()
    clock.drive(connection, until=lambda: handler.confirmed == 1)
    mosquitto_server.kill()
    clock.drive(connection, until=lambda: not connection.connected)
    assert "127.0.0.1" in connection.problem
    mosquitto_server.start()
    clock.drive(connection, until=lambda: handler.confirmed == 2)
    assert connection.problem == ""
    connection.stop()


@pytest.mark.parametrize("protocol", [4, 5])
def test_threaded(mosquitto_server: Server, protocol: int) -> None:
    """In paho's own thread, with either version of MQTT, it does the same; the will goes out when asked."""
    watcher = Recorder("test/will")
    other = Connection(Broker("127.0.0.1", mosquitto_server.port, "watcher"), watcher)
    handler = Recorder("test/none")
    connection = Connection(
        Broker("127.0.0.1", mosquitto_server.port, "threaded", protocol=protocol), handler
    )
    clock = Time()
    clock.drive(other, until=lambda: watcher.confirmed == 1)
    connection.start()
    clock.drive(other, until=lambda: handler.confirmed == 1)
    connection.drop()
    clock.drive(other, until=lambda: len(watcher.messages) == 1 and handler.confirmed == 2)
    connection.stop(with_will=True)
    if protocol == 5:
        clock.drive(other, until=lambda: len(watcher.messages) == 2)
    other.stop()
    assert [p for _, p in watcher.messages] == [b"1", b"2"][: len(watcher.messages)]
