"""What holds for each kind of message of the edge node: topic, QoS, retain flag, time, sequence number."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from conformance.sparkplug import edge_mutants as mutant
from conformance.sparkplug.edge_story import GROUP, NODE, Evidence, Sent
from conformance.sparkplug.frame import Mutant, proves

TOPIC_IDS = {
    "NBIRTH": ("topics-nbirth-topic", "message-flow-edge-node-birth-publish-nbirth-topic"),
    "NDATA": ("topics-ndata-topic",),
    "NDEATH": ("topics-ndeath-topic",),
    "DBIRTH": ("topics-dbirth-topic", "message-flow-device-birth-publish-dbirth-topic"),
    "DDATA": ("topics-ddata-topic",),
    "DDEATH": ("topics-ddeath-topic",),
}
QOS_IDS = {
    "NBIRTH": ("payloads-nbirth-qos", "message-flow-edge-node-birth-publish-nbirth-qos"),
    "NDATA": ("payloads-ndata-qos",),
    "DBIRTH": ("payloads-dbirth-qos", "message-flow-device-birth-publish-dbirth-qos"),
    "DDATA": ("payloads-ddata-qos",),
}
RETAIN_IDS = {
    "NBIRTH": ("payloads-nbirth-retain", "message-flow-edge-node-birth-publish-nbirth-retained"),
    "NDATA": ("payloads-ndata-retain",),
    "DBIRTH": ("payloads-dbirth-retain", "message-flow-device-birth-publish-dbirth-retained"),
    "DDATA": ("payloads-ddata-retain",),
}
BOTH_IDS = {v: (f"topics-{v.lower()}-mqtt",) for v in ("NBIRTH", "NDATA", "DBIRTH", "DDATA", "DDEATH")}
TIME_IDS = {
    "NBIRTH": ("topics-nbirth-timestamp", "payloads-nbirth-timestamp"),
    "NDATA": ("topics-ndata-timestamp", "payloads-ndata-timestamp"),
    "DBIRTH": ("topics-dbirth-timestamp", "payloads-dbirth-timestamp"),
    "DDATA": ("topics-ddata-timestamp", "payloads-ddata-timestamp"),
    "DDEATH": ("payloads-ddeath-timestamp",),
}
SEQ_IDS = {
    "NDATA": ("topics-ndata-seq-num", "payloads-ndata-seq", "payloads-ndata-seq-inc"),
    "DBIRTH": (
        "topics-dbirth-seq", "payloads-dbirth-seq", "payloads-dbirth-seq-inc",
        "message-flow-device-birth-publish-dbirth-payload-seq",
    ),
    "DDATA": ("topics-ddata-seq-num", "payloads-ddata-seq", "payloads-ddata-seq-inc"),
    "DDEATH": (
        "topics-ddeath-seq-num", "payloads-ddeath-seq", "payloads-ddeath-seq-inc",
        "payloads-ddeath-seq-number",
    ),
}  # fmt: skip


def each_verb(
    rule: str, ids: dict[str, tuple[str, ...]], mutants: Callable[[str], tuple[Mutant, ...]]
) -> Callable[[Callable[[Sent, Sent | None], None]], None]:
    """Enter a rule about one message (and the one before it) for each verb."""

    def enter(holds: Callable[[Sent, Sent | None], None]) -> None:
        for verb, names in ids.items():

            def check(seen: Evidence, verb: str = verb) -> None:
                sent = [None, *seen.story.edge.sent]
                pairs = [(now, before) for before, now in pairwise(sent) if now]
                mine = [(now, before) for now, before in pairs if now.verb == verb]
                assert mine, f"no {verb} was sent"
                for now, before in mine:
                    holds(now, before)

            check.__name__ = f"{verb.lower()}_{rule}"
            proves("edge", *names, mutants=mutants(verb))(check)

    return enter


def _other(level: int) -> Callable[[list[str]], list[str]]:
    return lambda levels: [*levels[:level], "other", *levels[level + 1 :]]


@each_verb(
    "topic",
    TOPIC_IDS,
    lambda v: (
        mutant.topic(v, f"{v} in another namespace", _other(0)),
        mutant.topic(v, f"{v} in another group", _other(1)),
        mutant.topic(v, f"{v} of another node", _other(3)),
        mutant.topic(v, f"{v} with a level more", lambda levels: [*levels, "more"]),
    ),
)
def _topic(now: Sent, _before: Sent | None) -> None:
    assert now.levels[:2] == ["spBv1.0", GROUP]
    assert now.levels[3] == NODE
    assert len(now.levels) == (5 if now.verb.startswith("D") else 4)


@each_verb("qos", QOS_IDS, lambda v: (mutant.flags(v, qos=1),))
def _qos(now: Sent, _before: Sent | None) -> None:
    assert now.publish.qos == 0


@each_verb("retain", RETAIN_IDS, lambda v: (mutant.flags(v, retain=True),))
def _retain(now: Sent, _before: Sent | None) -> None:
    assert now.publish.retain is False


@each_verb("flags", BOTH_IDS, lambda v: (mutant.flags(v, qos=1), mutant.flags(v, retain=True)))
def _flags(now: Sent, _before: Sent | None) -> None:
    assert (now.publish.qos, now.publish.retain) == (0, False)


def _hour_before(raw: Any) -> None:
    raw.timestamp -= 3_600_000


@each_verb(
    "time",
    TIME_IDS,
    lambda v: (
        mutant.payload(v, f"{v} without a time", lambda raw: raw.ClearField("timestamp")),
        mutant.payload(v, f"{v} with the time of something else", _hour_before),
    ),
)
def _time(now: Sent, _before: Sent | None) -> None:
    assert now.message.timestamp_ms == now.at_ms


def _next_but_one(raw: Any) -> None:
    raw.seq += 1


@each_verb(
    "seq",
    SEQ_IDS,
    lambda v: (
        mutant.payload(v, f"{v} without seq", lambda raw: raw.ClearField("seq")),
        mutant.payload(v, f"{v} with a seq left out", _next_but_one),
    ),
)
def _seq(now: Sent, before: Sent | None) -> None:
    assert before is not None
    assert before.message.seq is not None
    assert now.message.seq == (before.message.seq + 1) % 256
