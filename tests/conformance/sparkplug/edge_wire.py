"""What the edge node does on a real connection: the packets between the running agent and a real broker."""

from __future__ import annotations

from typing import Any

from conformance.sparkplug import edge_mutants as mutant
from conformance.sparkplug.edge_run import GROUP, NODE, Run
from conformance.sparkplug.edge_story import Evidence
from conformance.sparkplug.frame import Mutant, change, proves
from minewatch_edge.agent import Agent
from minewatch_edge.brokers import Brokers
from minewatch_edge.sparkplug import mqtt
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.mqtt import Connection
from servers.mqtt_link import Packet

NCMD = f"spBv1.0/{GROUP}/NCMD/{NODE}"


def connects(run: Run) -> list[Packet]:
    """Return the CONNECT packets; there are at least two."""
    found = run.up("CONNECT")
    assert len(found) >= 2
    return found


def _kept_session(self: Connection) -> Any:
    made = _make_client(self)
    made._clean_session = False
    return made


def _session_of_an_hour(self: Connection) -> None:
    _connect_async(self)
    self._client._connect_properties.SessionExpiryInterval = 3_600


_make_client, _connect_async = Connection._make_client, Connection._connect_async


@proves(
    "edge", "principles-persistence-clean-session-311",
    mutants=change(Connection, "_make_client", _kept_session, "a session that is kept"),
)  # fmt: skip
def clean_session(seen: Evidence) -> None:
    """Each CONNECT of MQTT 3.1.1 has clean session set."""
    assert all((p.protocol, p.clean) == (4, True) for p in connects(seen.run(4)))


@proves(
    "edge", "principles-persistence-clean-session-50",
    mutants=change(Connection, "_connect_async", _session_of_an_hour, "a session kept for an hour"),
)  # fmt: skip
def clean_start(seen: Evidence) -> None:
    """Each CONNECT of MQTT 5 has clean start set and a session expiry of 0."""
    assert all((p.protocol, p.clean, p.expiry_s or 0) == (5, True, 0) for p in connects(seen.run(5)))


def _no_will(self: Connection, *_: object) -> None:
    self._handler.will()


@proves(
    "edge", "message-flow-edge-node-birth-publish-will-message", "payloads-ndeath-will-message",
    "message-flow-edge-node-birth-publish-will-message-topic",
    mutants=(
        change(Connection, "_on_pre_connect", _no_will, "CONNECT without a will"),
        mutant.topic("NDEATH", "a will that is no NDEATH", lambda v: [*v[:2], "NDATA", v[3]]),
    ),
)  # fmt: skip
def connect_has_ndeath_as_will(seen: Evidence) -> None:
    """Each CONNECT carries a will on the node's NDEATH topic."""
    wanted = (True, f"spBv1.0/{GROUP}/NDEATH/{NODE}")
    assert all((p.has_will, p.topic) == wanted for p in connects(seen.run(4)))


@proves(
    "edge", "message-flow-edge-node-birth-publish-will-message-qos", "payloads-ndeath-will-message-qos",
    mutants=mutant.flags("NDEATH", qos=0),
)  # fmt: skip
def will_qos(seen: Evidence) -> None:
    """The will has QoS 1."""
    assert all(p.qos == 1 for p in connects(seen.run(4)))


@proves(
    "edge", "message-flow-edge-node-birth-publish-will-message-will-retained",
    "payloads-ndeath-will-message-retain",
    mutants=mutant.flags("NDEATH", retain=True),
)  # fmt: skip
def will_is_not_retained(seen: Evidence) -> None:
    """The will is not retained."""
    assert not any(p.retain for p in connects(seen.run(4)))


def _subscribe_badly(qos: int, *, command: bool = True) -> Mutant:
    def subscriptions(self: EdgeSession) -> Any:
        kept = [(t, q) for t, q in _subscriptions(self) if command or "NCMD" not in t]
        return tuple((t, qos if "NCMD" in t else q) for t, q in kept)

    return change(EdgeSession, "subscriptions", subscriptions, f"NCMD at QoS {qos}" if command else "no NCMD")


_subscriptions = EdgeSession.subscriptions


def _births_at_once(self: Connection, client: Any, data: Any, flags: Any, code: Any, more: Any) -> None:
    self.connected = True
    self._handler.subscribed()
    _on_connect(self, client, data, flags, code, more)


_on_connect = Connection._on_connect


@proves(
    "edge", "message-flow-edge-node-ncmd-subscribe",
    mutants=(
        _subscribe_badly(0),
        _subscribe_badly(1, command=False),
        change(Connection, "_on_connect", _births_at_once, "NBIRTH before SUBSCRIBE"),
    ),
)  # fmt: skip
def ncmd_is_subscribed_first(seen: Evidence) -> None:
    """On each connection the node subscribes to its NCMD at QoS 1 before it publishes anything."""
    run = seen.run(4, host="")
    for connection in run.connections():
        kinds = [p.kind for p in connection if p.up]
        assert kinds[1] == "SUBSCRIBE"
        (subscribe,) = [p for p in connection if p.kind == "SUBSCRIBE" and p.up]
        assert dict(subscribe.subscriptions).get(NCMD) == 1
    assert run.up("PUBLISH")


@proves(
    "edge", "message-flow-edge-node-birth-publish-connect",
    mutants=change(Connection, "_on_connect", _births_at_once, "births before the connection stands"),
)  # fmt: skip
def births_follow_the_connection(seen: Evidence) -> None:
    """Births go out only after CONNACK, and after SUBACK."""
    run = seen.run(4, host="")
    for connection in run.connections():
        kinds = [p.kind for p in connection]
        if "PUBLISH" in kinds:
            first = [p.up for p in connection if p.kind == "PUBLISH"].index(True)
            at = [i for i, p in enumerate(connection) if p.kind == "PUBLISH"][first]
            assert kinds.index("CONNACK") < at
            assert kinds.index("SUBACK") < at


def _without_death(self: Agent, moment: Any) -> bool:
    born = self._session.born
    self._session._born = False
    return born


def _just_gone(self: Brokers, **_: Any) -> None:
    self.current.leave(silent=True)


@proves(
    "edge", "operational-behavior-edge-node-intentional-disconnect-ndeath",
    "payloads-ndeath-will-message-publisher", "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
    mutants=change(Agent, "leave", _without_death, "DISCONNECT without NDEATH"),
)  # fmt: skip
def ndeath_before_disconnect(seen: Evidence) -> None:
    """On each connection that ends with DISCONNECT the last thing published is NDEATH."""
    for connection in seen.run(4).connections():
        ups = [p for p in connection if p.up and p.kind != "CLOSED"]
        if ups[-1].kind == "DISCONNECT":
            assert ups[-2].topic == f"spBv1.0/{GROUP}/NDEATH/{NODE}"
    assert seen.run(4).up("DISCONNECT")


@proves(
    "edge", "operational-behavior-edge-node-intentional-disconnect-packet",
    mutants=change(Brokers, "stop", _just_gone, "it only hangs up"),
)  # fmt: skip
def disconnect_follows_ndeath(seen: Evidence) -> None:
    """At its end the agent sends DISCONNECT immediately after NDEATH."""
    last = [p for p in seen.run(4).connections()[-1] if p.up and p.kind != "CLOSED"]
    assert [last[-2].kind, last[-1].kind] == ["PUBLISH", "DISCONNECT"]
    assert "/NDEATH/" in last[-2].topic


@proves(
    "edge", "payloads-ndeath-will-message-publisher-disconnect-mqtt50",
    mutants=change(mqtt, "_WITH_WILL", 0, "an ordinary DISCONNECT"),
)  # fmt: skip
def disconnect_with_will(seen: Evidence) -> None:
    """Each DISCONNECT of MQTT 5 has reason 0x04, also when the host went offline."""
    found = seen.run(5).up("DISCONNECT")
    assert len(found) >= 2
    assert all(p.reason == 0x04 for p in found)


# --- several brokers ---------------------------------------------------------------------------------------


def _never_leave(self: Brokers, at: int, why: str, **_: Any) -> None:
    self.at = at
    self._attempts = self.current.attempts


def _stay(self: Brokers, *, with_will: bool = False, silent: bool = False) -> None:
    self.current.drop(with_will=with_will, silent=silent)


@proves(
    "edge",
    "operational-behavior-primary-application-state-with-multiple-servers-single-server",
    mutants=change(Brokers, "_move_to", _never_leave, "the old connection is kept"),
)  # fmt: skip
def one_broker_at_a_time(seen: Evidence) -> None:
    """With two brokers the agent has never more than one connection."""
    walk = seen.walk()
    assert walk.moved
    assert walk.most_open == 1


@proves(
    "edge",
    "operational-behavior-primary-application-state-with-multiple-servers-walk",
    mutants=change(Brokers, "drop", _stay, "it stays where the host is offline"),
)  # fmt: skip
def it_walks_after_the_host(seen: Evidence) -> None:
    """When the host goes offline at one broker, the agent leaves it with NDEATH and is born at the next."""
    walk = seen.walk()
    assert walk.died_at_first
    assert walk.moved
