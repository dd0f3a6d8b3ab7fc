"""The subscription of one device at a broker: messages wait in a bounded queue for the driver."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from minewatch_edge.sparkplug.mqtt import Broker, connect_async, set_up

_SESSION_S = 7 * 86_400  # how long a broker keeps what came while we were away (MQTT 5)


class Arrived(NamedTuple):
    """One message; ``retained`` says that the broker kept it from before we subscribed."""

    topic: str
    payload: bytes
    retained: bool
    again: bool = False  # delivered before, perhaps


class Link:
    """One connection in paho's own thread, made again by itself; it tells what is retained.

    With ``keep`` the broker keeps our session: messages of QoS 1 that come while we are away wait there.
    Then a message is confirmed to the broker once ``kept`` has reached the poll it was taken at: its reading
    is on the disk.
    """

    def __init__(self, broker: Broker, topics: Sequence[tuple[str, int]], *, room: int, keep: bool) -> None:
        self.broker = broker
        self._topics = list(topics)
        self._room = room
        self._keep = keep
        self._waiting: deque[paho.MQTTMessage] = deque()
        self._taken: deque[tuple[int, paho.MQTTMessage]] = deque()  # (poll, handed out and not confirmed yet)
        self.kept = 0
        self._lock = threading.Lock()
        self._dropped = 0
        self._client: paho.Client | None = None
        self._mid = -1
        self.problem = ""
        self.subscribed = threading.Event()
        self.arrived = threading.Event()

    @property
    def begun(self) -> bool:
        """Whether it was started."""
        return self._client is not None

    def start(self) -> None:
        """Begin to connect; the broker may come later."""
        client = self._client = self._make()
        self.problem = "it does not answer"
        session_s = _SESSION_S if self._keep else 0
        connect_async(client, self.broker, clean=not self._keep, session_s=session_s)
        client.loop_start()

    def take(self, poll: int) -> tuple[list[Arrived], int]:
        """Return what has come, for a poll of that number, and how many found no room since the last call."""
        with self._lock:
            messages, self._waiting = self._waiting, deque()
            dropped, self._dropped = self._dropped, 0
            self.arrived.clear()
        while self._taken and self._taken[0][0] <= self.kept:
            self._confirm(self._taken.popleft()[1])
        if self._keep:
            self._taken += ((poll, m) for m in messages if m.qos)
        return [Arrived(_topic(m), bytes(m.payload), m.retain, m.dup) for m in messages], dropped

    def close(self) -> None:
        """Disconnect and end the thread."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()
        self.subscribed.clear()
        self._taken.clear()

    def _make(self) -> paho.Client:
        broker = self.broker
        five = broker.protocol == 5
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            clean_session=None if five else not self._keep,
            manual_ack=self._keep,
        )
        set_up(client, broker)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _confirm(self, message: paho.MQTTMessage) -> None:
        client = self._client
        if self._keep and client is not None:
            client.ack(message.mid, message.qos)

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            self.problem = f"{code}; check username, password and the broker's access list"
            return
        self.problem = "it has not confirmed the subscriptions"
        _, mid = client.subscribe(self._topics)
        self._mid = mid if mid is not None else -1

    def _on_subscribe(
        self, _client: paho.Client, _data: object, mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        if mid != self._mid:
            return
        refused = [t for (t, _), code in zip(self._topics, codes, strict=False) if code.is_failure]
        if refused:
            self.problem = f"it refuses {', '.join(refused)}; check the broker's access list"
        else:
            self.problem = ""
            self.subscribed.set()

    def _on_connect_fail(self, _client: paho.Client, _data: object) -> None:
        self.problem = "it does not answer"

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        self.subscribed.clear()
        self.problem = self.problem or f"connection lost ({code})"

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        lost = None
        with self._lock:
            if len(self._waiting) >= self._room:
                lost = self._waiting.popleft()  # the newest tells how things are
                self._dropped += 1
            self._waiting.append(message)
            self.arrived.set()
        if lost is not None:
            self._confirm(lost)


def _topic(message: paho.MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:
        return ""
