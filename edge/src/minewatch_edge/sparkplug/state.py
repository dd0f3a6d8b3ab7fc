"""The STATE message of a host application: JSON with ``online`` and ``timestamp`` (3.0, chapter 6)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from minewatch_edge.errors import WireError


@dataclass(frozen=True, slots=True)
class HostState:
    """Whether a host application is online, by its own clock."""

    online: bool
    timestamp_ms: int


def encode_state(state: HostState) -> bytes:
    """Return the JSON of a STATE message."""
    return json.dumps({"online": state.online, "timestamp": state.timestamp_ms}).encode()


def decode_state(raw: bytes) -> HostState:
    """Return the state; raise WireError when it is not the JSON object of Sparkplug 3.0."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise WireError(f"STATE {raw[:40]!r} is no JSON; hosts older than Sparkplug 3.0 send such") from None
    if not isinstance(found, dict):
        raise WireError("STATE is JSON but no object")
    online, timestamp = found.get("online"), found.get("timestamp")
    if not isinstance(online, bool) or not isinstance(timestamp, int) or isinstance(timestamp, bool):
        raise WireError("STATE needs online (true or false) and timestamp (whole milliseconds)")
    return HostState(online, timestamp)
