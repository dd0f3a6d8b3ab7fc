"""Mutants of the edge node: what its messages would be if one thing were wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.sparkplug.frame import Mutant
from minewatch_edge.sparkplug import codec, edge_session
from minewatch_edge.sparkplug.actions import Publish


def _publishing(breaks: str, verb: str, mutate: Callable[[Publish], Publish]) -> Mutant:
    """Return the mutant whose messages of a verb ("" = of every verb) are made otherwise."""

    def made(topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> Publish:
        message = Publish(topic, payload, qos, retain)
        return mutate(message) if not verb or topic.split("/")[2] == verb else message

    return Mutant(breaks, lambda patch: patch.setattr(edge_session, "Publish", made))


def flags(verb: str, *, qos: int | None = None, retain: bool | None = None) -> Mutant:
    """Publish a verb with another QoS or retain flag."""
    new: dict[str, Any] = {k: v for k, v in (("qos", qos), ("retain", retain)) if v is not None}
    return _publishing(f"{verb} with {new}", verb, lambda m: replace(m, **new))


def topic(verb: str, breaks: str, rewrite: Callable[[list[str]], list[str]]) -> Mutant:
    """Publish a verb on another topic."""
    return _publishing(breaks, verb, lambda m: replace(m, topic="/".join(rewrite(m.topic.split("/")))))


def raw(verb: str, breaks: str, spoil: Callable[[bytes], bytes]) -> Mutant:
    """Publish a verb with other bytes."""
    return _publishing(breaks, verb, lambda m: replace(m, payload=spoil(m.payload)))


def payload(verb: str, breaks: str, spoil: Callable[[Any], None]) -> Mutant:
    """Publish a verb with a spoilt payload; ``spoil`` changes the protobuf message."""

    def mutate(message: Publish) -> Publish:
        parsed = codec.parse(message.payload)
        spoil(parsed)
        return replace(message, payload=parsed.SerializeToString())

    return _publishing(breaks, verb, mutate)


def metrics(verb: str, breaks: str, spoil: Callable[[Any], None], *, name: str = "") -> Mutant:
    """Publish a verb with each metric (or the one of a name) spoilt."""

    def all_of(parsed: Any) -> None:
        for metric in parsed.metrics:
            if not name or metric.name == name:
                spoil(metric)

    return payload(verb, breaks, all_of)


def without(verb: str, name: str) -> Mutant:
    """Publish a verb without the metric of a name."""

    def drop(parsed: Any) -> None:
        kept = [m for m in parsed.metrics if m.name != name]
        del parsed.metrics[:]
        parsed.metrics.extend(kept)

    return payload(verb, f"{verb} without {name}", drop)
