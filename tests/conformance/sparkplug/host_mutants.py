"""Mutants of the host: what it would send, or take for true, if one thing were wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.sparkplug.frame import Mutant
from minewatch.ingest.source import MqttSource
from minewatch_edge.sparkplug import codec, host_session
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.host_session import HostSession


def sent(word: str, breaks: str, mutate: Callable[[Publish], Publish]) -> Mutant:
    """Publish messages (and wills) of topics that hold a word otherwise."""

    def made(topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> Publish:
        message = Publish(topic, payload, qos, retain)
        return mutate(message) if word in topic else message

    return Mutant(breaks, lambda patch: patch.setattr(host_session, "Publish", made))


def state(breaks: str, spoil: Callable[[dict[str, Any]], None]) -> Mutant:
    """Say STATE with a spoilt JSON object."""

    def mutate(message: Publish) -> Publish:
        body = json.loads(message.payload)
        spoil(body)
        return replace(message, payload=json.dumps(body).encode())

    return sent("STATE", breaks, mutate)


def command(breaks: str, spoil: Callable[[Any], None]) -> Mutant:
    """Send commands with a spoilt payload."""

    def mutate(message: Publish) -> Publish:
        raw = codec.parse(message.payload)
        spoil(raw)
        return replace(message, payload=raw.SerializeToString())

    return sent("NCMD", breaks, mutate)


def method(name: str, breaks: str, make: Callable[[Any], Any]) -> Mutant:
    """Replace a method of the host's session; ``make`` has the original."""
    return Mutant(breaks, lambda patch: patch.setattr(HostSession, name, make(getattr(HostSession, name))))


def source(name: str, breaks: str, make: Callable[[Any], Any]) -> Mutant:
    """Replace a method of the service's MQTT source; ``make`` has the original."""
    return Mutant(breaks, lambda patch: patch.setattr(MqttSource, name, make(getattr(MqttSource, name))))
