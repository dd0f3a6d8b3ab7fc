"""A thin MQTT connection on paho: one read of the socket for many messages, a fresh will for each CONNECT.

Two ways to run it: `start` lets paho's own thread run it, `drive` runs it in the caller's thread with select.
A broker that is down is a state (`problem`), never an exception.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from minewatch_edge.certificates import Watch
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.buffered import BufferedSocket

try:
    import fcntl
except ImportError:  # pragma: no cover (not Linux)
    fcntl = None  # type: ignore[assignment]  # asked before use

_PACKETS_A_READ = 4_096  # then other work gets its turn
_NOT_SENT = 0x894B  # Linux, SIOCOUTQNSD: bytes the socket holds that have not left yet
_WITH_WILL = 0x04  # MQTT 5 DISCONNECT reason that Sparkplug asks of an edge node


@dataclass(frozen=True, slots=True)
class Tls:
    """How to trust the broker (``ca_file``, empty = the system's) and, if it asks, prove who we are."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def context(self) -> ssl.SSLContext:
        """Return the context; raise OSError (or its child ssl.SSLError) when a file cannot be read."""
        made = ssl.create_default_context(cafile=self.ca_file or None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert_file:
            made.load_cert_chain(self.cert_file, self.key_file or None)
        return made


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are to it; ``protocol`` is 4 (MQTT 3.1.1) or 5."""

    host: str
    port: int = 1883
    client_id: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls | None = None
    keepalive_s: int = 30
    protocol: int = 4
    connect_timeout_s: float = 5.0
    retry_min_s: float = 1.0
    retry_max_s: float = 30.0


def set_up(client: paho.Client, broker: Broker) -> None:
    """Give a client the times of a broker, who we are, and how to trust; raises OSError as `Tls.context`."""
    client.connect_timeout = broker.connect_timeout_s
    client.reconnect_delay_set(max(1, round(broker.retry_min_s)), max(1, round(broker.retry_max_s)))
    if broker.username:
        client.username_pw_set(broker.username, broker.password or None)
    if broker.tls is not None:
        client.tls_set_context(broker.tls.context())


def connect_async(client: paho.Client, broker: Broker, *, clean: bool = True, session_s: int = 0) -> None:
    """Name the broker to a client; ``clean`` and ``session_s`` count for MQTT 5 (older: at its making)."""
    if broker.protocol != 5:
        client.connect_async(broker.host, broker.port, broker.keepalive_s)
        return
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho has it
    properties.SessionExpiryInterval = session_s
    client.connect_async(
        broker.host, broker.port, broker.keepalive_s, clean_start=clean, properties=properties
    )


class Handler(Protocol):
    """What a connection asks and tells; called in the thread that runs it, and must not raise."""

    def will(self) -> Publish:
        """Return the will of the CONNECT that is about to go out."""

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return what to subscribe to, (topic, QoS)."""

    def subscribed(self) -> None:
        """Learn that the broker confirmed every subscription."""

    def message(self, topic: str, payload: bytes) -> None:
        """Take one message."""

    def lost(self, why: str) -> None:
        """Learn that the connection is gone."""


class _Client(paho.Client):
    """paho with the buffered socket; what it uses of paho's private parts, a test holds in place."""

    take: Callable[[str, bytes], None]

    def _create_socket(self) -> Any:
        return BufferedSocket(super()._create_socket())  # type: ignore[arg-type]  # never a websocket here

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read packets until none is left or others must have their turn."""
        five = self._protocol == paho.MQTTv5
        left = _PACKETS_A_READ
        while left > 0:
            sock: Any = self._sock
            if sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
            left -= 1
            if self._in_packet["command"] == 0:  # else paho is in the midst of a packet
                left -= sock.take_publishes(self.take, left, five=five)
                if sock.hungry and sock.fill():
                    continue
                if not sock.pending() and not sock.ended:
                    break
            rc = super().loop_read(max_packets)
            if rc != MQTTErrorCode.MQTT_ERR_SUCCESS or self._sock is None or not sock.pending():
                return rc
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class Connection:
    """One connection to one broker, made again by itself whenever it is lost.

    ``connected`` is true from the broker's consent on; ``problem`` says in a line what keeps it from that,
    and is empty when nothing does; ``attempts`` counts the connections tried in vain since the last good one.
    """

    def __init__(self, broker: Broker, handler: Handler) -> None:
        self.broker = broker
        self.connected = False
        self.problem = "not connected yet"
        self.attempts = 0
        self._handler = handler
        self._subscription = -1
        self._retry_at = 0.0
        self._retry_s = broker.retry_min_s
        self._client = self._make_client()
        self._asked = False
        self._answered = False  # the broker said yes or no to this connection
        self._threaded = False
        self._given = 0
        files = (
            {"the authority's certificate": broker.tls.ca_file, "our certificate": broker.tls.cert_file}
            if broker.tls
            else {}
        )
        self._certificates = Watch({name: path for name, path in files.items() if path})

    def start(self) -> None:
        """Run in a thread of paho's own; the broker may come later."""
        self._threaded = True
        self._connect_async()
        self._client.loop_start()

    def stop(self, *, with_will: bool = False, silent: bool = False) -> None:
        """Disconnect for good and end paho's thread if there is one; what was published goes out first.

        ``silent`` ends the connection without a DISCONNECT packet, so that the broker sends the will.
        """
        if self._threaded:
            self._disconnect(with_will=with_will)
            self._client.loop_stop()
            self._handover("disconnected")
        else:
            self.leave(with_will=with_will, silent=silent)

    def leave(self, *, with_will: bool = False, silent: bool = False) -> None:
        """Disconnect, with what was published, within a second; `drive` would connect anew."""
        if not silent:
            self._disconnect(with_will=with_will)
            self._flush()
        self._client._sock_close()
        self._handover("disconnected")

    def drop(self, *, with_will: bool = False, silent: bool = False) -> None:
        """Disconnect and let `drive` or the thread connect anew (a primary host went offline)."""
        if self._threaded or silent:  # paho's thread connects anew only after a loss, so the loss is made
            self._shutdown()
        else:
            self._disconnect(with_will=with_will)

    def load(self) -> tuple[int, int]:
        """Return how many bytes the link has taken, and how many wait for it here and in the socket."""
        waiting = sum(len(p["packet"]) - p["pos"] for p in self._client._out_packet) + self._unsent()
        return self._given - waiting, waiting

    def warnings(self, now_ns: int) -> Mapping[str, str]:
        """Return the certificates that expire soon, in words."""
        return self._certificates.warnings(now_ns)

    def publish(self, message: Publish) -> bool:
        """Hand a message over; False when there is no connection, and then nothing was kept."""
        if not self.connected:
            return False
        self._given += len(message.topic) + len(message.payload) + 6
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        return info.rc == paho.MQTT_ERR_SUCCESS

    def drive(
        self, timeout_s: float, now_s: float, others: Sequence[socket.socket] = ()
    ) -> list[socket.socket]:
        """Do what the connection needs for at most ``timeout_s``; return which of ``others`` can be read.

        ``now_s`` is a clock that never goes back. It returns early when something came in.
        """
        if self._client.socket() is None and now_s >= self._retry_at:
            self._try_connect(now_s)
        sock: Any = self._client.socket()
        if sock is None:
            wait = max(0.0, min(timeout_s, self._retry_at - now_s))
            return list(select.select(list(others), [], [], wait)[0])
        wait = 0.0 if sock.pending() else timeout_s
        writes = [sock] if self._client.want_write() else []
        readable, writable, _ = select.select([sock, *others], writes, [], wait)
        if sock in readable or sock.pending():
            self._client.loop_read()
        if writable:
            self._client.loop_write()
        self._client.loop_misc()
        if self._client.socket() is None:
            if isinstance(sock.error, ssl.SSLError):
                self._refused(_tls_problem(sock.error))
            elif not self._answered:
                self._refused(_closed(self.broker))
            if self._retry_at <= now_s:
                self._back_off(now_s)
        return [s for s in others if s in readable]

    def _make_client(self) -> _Client:
        broker = self.broker
        five = broker.protocol == 5
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            clean_session=None if five else True,
        )
        set_up(client, broker)
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.take = self._handler.message
        client.on_message = self._on_message
        return client

    def _connect_async(self) -> None:
        connect_async(self._client, self.broker)
        self._asked = True

    def _try_connect(self, now_s: float) -> None:
        if not self._asked:
            self._connect_async()
        self._answered = False
        why = _closed(self.broker)  # paho raises nothing where CONNECT meets a connection that has ended
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            why = _tls_problem(error) if isinstance(error, ssl.SSLError) else str(error)
        if self._client.socket() is None:
            self._refused(why)
            self._back_off(now_s)

    def _back_off(self, now_s: float) -> None:
        self.attempts += 1
        self._retry_at = now_s + self._retry_s
        self._retry_s = min(self._retry_s * 2, self.broker.retry_max_s)

    def _refused(self, why: str) -> None:
        self.problem = f"no connection to the broker {self.broker.host}:{self.broker.port}: {why}"

    def _on_pre_connect(self, _client: paho.Client, _data: object) -> None:
        will = self._handler.will()
        self._client.will_set(will.topic, will.payload, will.qos, will.retain)

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        self._answered = True
        if code.is_failure:
            self._refused(f"{code}; check username, password and the broker's access list")
            return
        self.connected = True
        self._look_at_peer()
        self.problem = "waiting for the broker to confirm the subscriptions"
        _, mid = client.subscribe([(topic, qos) for topic, qos in self._handler.subscriptions()])
        self._subscription = mid if mid is not None else -1

    def _on_connect_fail(self, _client: paho.Client, _data: object) -> None:
        self._refused("it does not answer")

    def _on_subscribe(
        self, _client: paho.Client, _data: object, mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        if mid != self._subscription:
            return
        if any(code.is_failure for code in codes):
            self._refused("it refuses the subscriptions; check the broker's access list")
            return
        self.problem = ""
        self.attempts = 0
        self._retry_s = self.broker.retry_min_s
        self._handler.subscribed()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # refused by whoever reads topics
        self._handler.message(topic, bytes(message.payload))

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        self._handover(str(code))

    def _handover(self, why: str) -> None:
        was, self.connected = self.connected, False
        if was:
            self._refused(f"connection lost ({why})")
            self._handler.lost(why)

    def _disconnect(self, *, with_will: bool) -> None:
        if self._client.socket() is None:
            return
        if self.broker.protocol == 5 and with_will:
            self._client.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, identifier=_WITH_WILL))
        else:
            self._client.disconnect()

    def _flush(self) -> None:
        """Give what is still to be sent a second to leave."""
        for _ in range(20):
            sock: Any = self._client.socket()
            if sock is None or not self._client.want_write():
                break
            if select.select([], [sock], [], 0.05)[1]:
                self._client.loop_write()

    def _unsent(self) -> int:
        """Return how many bytes the system's socket holds that have not left; 0 where it does not say."""
        sock: Any = self._client.socket()
        if sock is None or fcntl is None:
            return 0
        with contextlib.suppress(OSError):
            return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), _NOT_SENT, bytes(4)))[0])
        return 0

    def _look_at_peer(self) -> None:
        sock: Any = self._client.socket()
        if self.broker.tls is not None and sock is not None:
            self._certificates.peer(sock.getpeercert(binary_form=True) or b"")

    def _shutdown(self) -> None:
        sock: Any = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)


def _closed(broker: Broker) -> str:
    """Return in words that a broker ended the connection without an answer.

    A TLS 1.3 broker refuses a certificate when the handshake is over for us and CONNECT is on its way; its
    alert is then often overtaken by the system's reset of the connection, so the reason can only be guessed.
    """
    what = "it ended the connection before it answered"
    if broker.tls is None:
        return f"{what}; check that it is an MQTT broker, and its log"
    return f"{what}; most often it refuses our certificate; check cert_file, key_file and their dates"


def _tls_problem(error: ssl.SSLError) -> str:
    """Return in words what TLS failed of, and the mend."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the broker's certificate is not trusted: {error.verify_message};"
            " check ca_file, the host name in url, the broker's certificate and this machine's date"
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "certificate" in reason or "unknown ca" in reason or "handshake failure" in reason:
        return f"the broker refuses our certificate ({reason}); check cert_file, key_file and their dates"
    return f"TLS failed ({reason}); check that the port is the broker's TLS port, with TLS 1.2 or newer"
