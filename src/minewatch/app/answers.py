"""What serve asks of the core, and the frames that answer it; run by a thread of its own."""

from __future__ import annotations

from typing import Any

from minewatch.app.link import pack, pack_readings
from minewatch.app.pipeline import Pipeline
from minewatch.errors import MinewatchError, NotFound


def query(pipeline: Pipeline, body: dict[str, Any]) -> bytes:
    """Return the answer to a question of serve. Raises NotFound for one that nobody knows, StoreError."""
    store = pipeline.telemetry
    number, call = body["id"], body["call"]
    if call == "readings":
        batch = store.readings(body["point"], body["from_ns"], body["to_ns"], body["limit"])
        return pack("answer", {"id": number, "ok": {"rows": len(batch)}}, pack_readings(batch))
    if call == "buckets":
        found = store.buckets(body["point"], body["from_ns"], body["to_ns"], body["buckets"])
        columns = [found.start_ns, found.low, found.high, found.mean, found.count]
        ok = {"rows": len(found.start_ns), "coverage": found.coverage}
        return pack("answer", {"id": number, "ok": ok}, [c.tobytes() for c in columns])
    if call == "counts":
        counts = store.counts()
        return pack("answer", {"id": number, "ok": counts})
    if call == "limits":
        return pack("answer", {"id": number, "ok": limits_in_force(pipeline)})
    raise NotFound(f"the core knows no call {call!r}")


def limits_in_force(pipeline: Pipeline) -> dict[int, list[dict[str, Any]]]:
    """Return the limits that rules bind to points, by point, as plain values."""
    infos = dict(enumerate(pipeline.points.infos))
    found: dict[int, list[dict[str, Any]]] = {}
    for index, info in infos.items():
        for rule in pipeline.rules.rules:
            if rule.applies(info):
                found.setdefault(index, []).append(
                    {
                        "rule": rule.id,
                        "detector": rule.detector,
                        "comparison": int(rule.comparison),
                        "threshold": rule.threshold_at(info),
                        "priority": rule.priority,
                        "citation": rule.citation,
                        "verified": rule.verified,
                    }
                )
    return found


def failure(number: int, error: MinewatchError) -> bytes:
    """Return the answer that says why there is none."""
    body = {"id": number, "error": type(error).__name__, "message": str(error)}
    body["state"] = getattr(error, "state", "")
    return pack("answer", body)
