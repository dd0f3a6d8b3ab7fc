"""Sparkplug B topics: ``spBv1.0/<group>/<verb>/<node>[/<device>]`` and ``spBv1.0/STATE/<host>``."""

from __future__ import annotations

from dataclasses import dataclass

from minewatch_edge.errors import WireError

NAMESPACE = "spBv1.0"
NODE_VERBS = frozenset({"NBIRTH", "NDEATH", "NDATA", "NCMD"})
DEVICE_VERBS = frozenset({"DBIRTH", "DDEATH", "DDATA", "DCMD"})
STATE = "STATE"


@dataclass(frozen=True, slots=True)
class Topic:
    """One parsed topic; a STATE topic has only ``verb`` and ``host``, a node's no ``device``."""

    verb: str
    group: str = ""
    node: str = ""
    device: str = ""
    host: str = ""

    def __str__(self) -> str:
        if self.verb == STATE:
            return state_topic(self.host)
        if self.device:
            return device_topic(self.group, self.verb, self.node, self.device)
        return node_topic(self.group, self.verb, self.node)


def check_id(kind: str, name: str) -> str:
    """Return the name if it may stand in a topic, else raise WireError saying why not."""
    if not name:
        raise WireError(f"the {kind} has no name")
    bad = [c for c in name if c in "+#/" or ord(c) < 32]
    if bad:
        raise WireError(f"the {kind} {name!r} holds {bad[0]!r}, which MQTT topics reserve")
    if kind == "group" and name == STATE:
        raise WireError("a group must not be called STATE: host applications use that topic")
    return name


def node_topic(group: str, verb: str, node: str) -> str:
    """Return the topic of a node's message."""
    return f"{NAMESPACE}/{group}/{verb}/{node}"


def device_topic(group: str, verb: str, node: str, device: str) -> str:
    """Return the topic of a device's message."""
    return f"{NAMESPACE}/{group}/{verb}/{node}/{device}"


def state_topic(host: str) -> str:
    """Return the topic on which a host application says whether it is online."""
    return f"{NAMESPACE}/{STATE}/{host}"


def parse(topic: str) -> Topic:
    """Return the parts of a topic; raise WireError naming what is wrong with it."""
    parts = topic.split("/")
    if parts[0] != NAMESPACE:
        raise WireError(f"topic {topic!r} does not start with {NAMESPACE}/")
    if any(not part for part in parts):
        raise WireError(f"topic {topic!r} has an empty level")
    if len(parts) == 3 and parts[1] == STATE:
        return Topic(STATE, host=parts[2])
    if len(parts) == 4 and parts[2] in NODE_VERBS:
        return Topic(parts[2], parts[1], parts[3])
    if len(parts) == 5 and parts[2] in DEVICE_VERBS:
        return Topic(parts[2], parts[1], parts[3], parts[4])
    raise WireError(
        f"topic {topic!r} is no {NAMESPACE}/<group>/<verb>/<node>[/<device>] that Sparkplug knows"
    )
