"""The names of groups, nodes, devices and metrics, and the topics made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.sparkplug import edge_mutants as mutant
from conformance.sparkplug.edge_story import GROUP, NODE, Evidence
from conformance.sparkplug.frame import Mutant, change, not_applicable, proves
from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug import births, topics
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.edge_session import EdgeSession

POINT = PointBirth("d", "m", "value", "1")


def refused(call: Callable[[], object]) -> bool:
    """Tell whether a declaration is refused."""
    try:
        call()
    except WireError:
        return True
    return False


def session(group: str = "g", node: str = "n", *points: PointBirth) -> EdgeSession:
    """Return a session of one device, or of these points."""
    return EdgeSession(group, node, points or (POINT,))


def born_topics(made: EdgeSession) -> list[list[str]]:
    """Return the topics of the births, by level."""
    made.will(1)
    return [a.topic.split("/") for a in made.on_subscribed(1) if isinstance(a, Publish)]


def _ascii_topics(breaks: str, level: int) -> Mutant:
    def rewrite(levels: list[str]) -> list[str]:
        return [
            part.encode("ascii", "replace").decode() if i == level else part for i, part in enumerate(levels)
        ]

    return mutant.topic("", breaks, rewrite)


@proves("edge", "intro-group-id-string", mutants=_ascii_topics("groups in ASCII only", 1))
def group_is_a_level(_seen: Evidence) -> None:
    """The group id is the second level of each topic, in UTF-8."""
    assert [t[1] for t in born_topics(session(group="шахта 1"))] == ["шахта 1"] * 2


@proves("edge", "intro-edge-node-id-string", mutants=_ascii_topics("nodes in ASCII only", 3))
def node_is_a_level(_seen: Evidence) -> None:
    """The edge node id is the fourth level of each topic, in UTF-8."""
    assert [t[3] for t in born_topics(session(node="шлюз"))] == ["шлюз"] * 2


@proves("edge", "intro-device-id-string", mutants=_ascii_topics("devices in ASCII only", 4))
def device_is_a_level(_seen: Evidence) -> None:
    """The device id is the fifth level of each topic of the device, in UTF-8."""
    points = PointBirth("датчик", "m", "value", "1")
    assert [t[4:] for t in born_topics(session("g", "n", points))] == [[], ["датчик"]]


def _take_any(_kind: str, name: str) -> str:
    return name


@proves(
    "edge", "intro-group-id-chars", "topic-structure-namespace-valid-group-id",
    mutants=change(topics, "check_id", _take_any, "any name is taken"),
)  # fmt: skip
def group_characters(_seen: Evidence) -> None:
    """A group id with +, / or # (or none at all) is refused."""
    assert all(refused(lambda n=name: session(group=n)) for name in ("a+", "a/b", "#", ""))  # type: ignore[misc]


@proves(
    "edge", "intro-edge-node-id-chars", "topic-structure-namespace-valid-edge-node-id",
    mutants=change(topics, "check_id", _take_any, "any name is taken"),
)  # fmt: skip
def node_characters(_seen: Evidence) -> None:
    """An edge node id with +, / or # (or none at all) is refused."""
    assert all(refused(lambda n=name: session(node=n)) for name in ("a+", "a/b", "#", ""))  # type: ignore[misc]


@proves(
    "edge", "intro-device-id-chars", "topic-structure-namespace-valid-device-id",
    mutants=change(births, "check_id", _take_any, "any name is taken"),
)  # fmt: skip
def device_characters(_seen: Evidence) -> None:
    """A device id with +, / or # (or none at all) is refused."""
    for name in ("a+", "a/b", "#", ""):
        assert refused(lambda n=name: session("g", "n", PointBirth(n, "m", "value", "1")))  # type: ignore[misc]


def _one_topic(group: str, verb: str, node: str, _device: str) -> str:
    return f"spBv1.0/{group}/{verb}/{node}/device"


@proves(
    "edge", "topic-structure-namespace-unique-device-id",
    mutants=change(topics, "device_topic", _one_topic, "one topic for all devices"),
)  # fmt: skip
def devices_have_topics_of_their_own(seen: Evidence) -> None:
    """Each device of a node has its own topics, and one device is born once."""
    edge = seen.story.edge
    first = [s.topic for s in edge.sent[: 1 + len(edge.drivers)]]
    assert len(set(first)) == len(first)


class _AsWritten(str):
    """Text that does not fold its case."""

    __slots__ = ()

    def casefold(self) -> str:
        return str(self)


def _as_written(kept: Any) -> Any:
    def devices_of(points: Any) -> Any:
        return kept([replace(p, device=_AsWritten(p.device), metric=_AsWritten(p.metric)) for p in points])

    return devices_of


def _case_counts() -> Mutant:
    return change(births, "devices_of", _as_written(births.devices_of), "case counts in names")


@proves("edge", "case-sensitivity-sparkplug-ids", mutants=_case_counts())
def ids_differ_by_more_than_case(_seen: Evidence) -> None:
    """Two devices of a node whose ids differ by case only are refused."""
    pair = PointBirth("Wall", "a", "value", "1"), PointBirth("wall", "b", "value", "1")
    assert refused(lambda: session("g", "n", *pair))


@proves("edge", "case-sensitivity-metric-names", mutants=_case_counts())
def metrics_differ_by_more_than_case(_seen: Evidence) -> None:
    """Two metrics of a device whose names differ by case only are refused."""
    pair = PointBirth("wall", "CH4", "value", "1"), PointBirth("wall", "ch4", "value", "1")
    assert refused(lambda: session("g", "n", *pair))


@proves(
    "edge", "topic-structure", "topic-structure-namespace-a",
    "topic-structure-namespace-device-id-associated-message-types",
    "topic-structure-namespace-device-id-non-associated-message-types",
    mutants=(
        mutant.topic("", "spAv1.0", lambda levels: ["spAv1.0", *levels[1:]]),
        mutant.topic("NBIRTH", "NBIRTH with a device", lambda levels: [*levels, "d"]),
        mutant.topic("DDATA", "DDATA without its device", lambda levels: levels[:4]),
        mutant.topic("DDEATH", "verb and node exchanged", lambda v: [v[0], v[1], v[3], v[2], v[4]]),
    ),
)  # fmt: skip
def topics_are_built_as_they_should(seen: Evidence) -> None:
    """Each topic is spBv1.0/group/verb/node, and with a device exactly when the verb is a device's."""
    verbs = set()
    for sent in seen.story.edge.sent:
        assert sent.levels[:2] == ["spBv1.0", GROUP]
        assert sent.levels[3] == NODE
        verbs.add(sent.verb)
        assert len(sent.levels) == (5 if sent.verb in topics.DEVICE_VERBS else 4)
    assert verbs == {"NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH", "NDEATH"}


not_applicable(
    "edge",
    "one node cannot see the others: whoever names gateways sees to it; the service refuses a second one"
    " of the same place, and the agent says when the broker keeps ending its sessions",
    "intro-edge-node-id-uniqueness", "topic-structure-namespace-unique-edge-node-descriptor",
    "payloads-nbirth-edge-node-descriptor",
)  # fmt: skip
not_applicable(
    "edge",
    "it allows something (MAY) and asks nothing",
    "topic-structure-namespace-duplicate-device-id-across-edge-node",
)
