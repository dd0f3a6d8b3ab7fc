"""From contracts to the JSON that ``schemas`` promises."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from starlette.responses import Response

from minewatch.contracts import (
    F8,
    Alert,
    AlertEvent,
    Buckets,
    GatewayInfo,
    PointInfo,
    Quality,
    ReadingBatch,
    Rejected,
    SystemState,
    Text,
    TrialStage,
)
from minewatch.serve.core import PointLimit
from minewatch.serve.times import S, iso, iso_or_none, isos

Json = dict[str, Any]
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
QUALITIES = {int(quality): quality.name.lower().replace("_", "-") for quality in Quality}


def dump(content: object) -> bytes:
    """Write JSON in UTF-8, compact; NaN must have become null before."""
    return ENCODER.encode(content).encode()


def respond(content: object) -> Response:
    """Answer 200 with JSON that no cache keeps."""
    return Response(dump(content), 200, {"Cache-Control": "no-store"}, "application/json")


def page(items: Sequence[Json], cursor: str = "") -> Response:
    """Answer a list with the cursor of its next page."""
    return respond({"items": items, "next": cursor or None})


def number(value: float) -> float | None:
    """Return a finite number or None, as JSON has no other."""
    return value if math.isfinite(value) else None


def numbers(column: F8) -> list[float | None]:
    """Return a column as JSON numbers."""
    values: list[float | None] = column.tolist()
    return [value if value is not None and math.isfinite(value) else None for value in values]


def text(words: Text) -> Json:
    """Present a text."""
    return {"kk": words.kk, "ru": words.ru, "en": words.en}


def alert(a: Alert) -> Json:
    """Present an alert."""
    return {
        "id": a.id,
        "rule": a.rule,
        "place": a.place,
        "site": a.site,
        "zone": a.zone,
        "quantity": a.quantity,
        "priority": a.priority,
        "paged": a.paged,
        "state": a.state.value,
        "active": a.active,
        "raised": iso(a.raised_ns),
        "changed": iso(a.changed_ns),
        "value": number(a.value),
        "unit": a.unit,
        "limit": number(a.limit),
        "detector": a.detector,
        "message": text(a.message),
        "why": text(a.why),
        "citation": a.citation,
        "verified": a.verified,
        "retrospective": a.retrospective,
        "acknowledged_by": a.acknowledged_by,
        "row": a.row,
        "origin": a.origin,
        "now": text(a.now) if a.now.en else None,
        "now_since": iso(a.now_ns) if a.now.en else None,
    }


def event(e: AlertEvent) -> Json:
    """Present a row of the journal."""
    return {
        "row": e.row,
        "time": iso(e.time_ns),
        "gateway_time": iso_or_none(e.gateway_ns),
        "service_time": iso(e.service_ns),
        "event": e.event.value,
        "actor": e.actor,
        "comment": e.comment,
        "hash": e.hash,
        "source": e.source,
        "alert": alert_after(e),
    }


def alert_after(e: AlertEvent) -> Json:
    """Present an alert as an event left it: that event is its last row."""
    return alert(e.alert) | {"row": e.row}


def calibration(e: AlertEvent) -> Json:
    """Present a line of the calibration ledger: the last row of a test."""
    line, about = e.calibration, e.alert
    if line is None:
        raise ValueError(f"row {e.row} is about no test of a meter")
    return {
        "row": e.row,
        "alert": about.id,
        "place": about.place,
        "site": about.site,
        "zone": about.zone,
        "stage": line.stage.value,
        "begin": iso(line.from_ns),
        "end": None if line.stage is TrialStage.TESTED else iso(line.to_ns),
        "before": number(line.before),
        "found": number(line.found),
        "unit": about.unit,
        "t90_s": number(line.t90_s),
        "recovery_s": number(line.recovery_s),
        "announced_by": line.announced_by,
        "gas_pct": number(line.gas_pct),
        "why": text(about.why),
    }


def announced(e: AlertEvent) -> Json:
    """Present an announced test of one meter."""
    said, about = e.announced, e.alert
    if said is None:
        raise ValueError(f"row {e.row} announces nothing")
    return {
        "row": e.row,
        "place": said.place,
        "site": about.site,
        "zone": about.zone,
        "from": iso(said.from_ns),
        "to": iso(said.to_ns),
        "by": said.actor,
        "gas_pct": number(said.gas_pct),
        "comment": e.comment,
        "told": iso(e.service_ns),
    }


def limit(known: PointLimit) -> Json:
    """Present a limit of a point."""
    return {
        "rule": known.rule,
        "detector": known.detector,
        "comparison": known.comparison.name.lower().replace("_", "-"),
        "threshold": known.threshold,
        "priority": known.priority,
        "citation": known.citation,
        "verified": known.verified,
    }


def point(number_: int, info: PointInfo, limits: Mapping[int, Sequence[PointLimit]] | None) -> Json:
    """Present a point; ``limits`` is None while nobody has told them."""
    return {
        "id": number_,
        "place": info.place,
        "site": info.site,
        "gateway": info.gateway,
        "device": info.device,
        "metric": info.metric,
        "quantity": info.quantity,
        "unit": info.unit,
        "zone": info.zone,
        "low": number(info.low),
        "high": number(info.high),
        "limits": [limit(known) for known in (limits or {}).get(number_, ())],
        "limits_known": limits is not None,
        "interval_s": info.interval_s,
    }


def gateway(g: GatewayInfo) -> Json:
    """Present a gateway."""
    return {
        "site": g.site,
        "gateway": g.gateway,
        "online": g.online,
        "since": iso_or_none(g.since_ns),
        "last_seen": iso_or_none(g.last_seen_ns),
        "clock_offset_ms": number(g.clock_offset_ms),
        "clock": g.clock,
        "spool_rows": g.spool_rows,
        "spool_oldest": iso_or_none(g.spool_oldest_ns),
        "version": g.version,
        "points": g.points,
        "births": g.births,
        "bd_seq": None if g.bd_seq < 0 else g.bd_seq,
        "sequence_gaps": g.sequence_gaps,
        "duplicates": g.duplicates,
        "rebirths": g.rebirths,
        "problems": list(g.problems),
    }


def reject(r: Rejected) -> Json:
    """Present what was not taken."""
    return {"row": r.row, "time": iso(r.time_ns), "source": r.source, "reason": r.reason, "detail": r.detail}


def state(s: SystemState, now_ns: int) -> Json:
    """Present the state of the system as the stream sends it."""
    return {
        "time": iso(now_ns),
        "ready": s.ready,
        "problems": dict(s.problems),
        "gateways": [gateway(g) for g in s.gateways],
        "telemetry": s.telemetry,
    }


def raw(point_: int, from_ns: int, to_ns: int, batch: ReadingBatch, limit_: int) -> Json:
    """Present stored readings; a row beyond ``limit_`` only tells that there are more."""
    more = len(batch) > limit_
    rows = zip(
        isos(batch.ts_ns[:limit_]),
        numbers(batch.value[:limit_]),
        batch.quality[:limit_].tolist(),
        batch.historical[:limit_].tolist(),
        strict=True,
    )
    return {
        "point": point_,
        "from": iso(from_ns),
        "to": iso(to_ns),
        "coverage": None,
        "items": [{"time": t, "value": v, "quality": q, "historical": h} for t, v, q, h in rows],
        "next": str(int(batch.ts_ns[limit_])) if more else None,
    }


def buckets(point_: int, from_ns: int, to_ns: int, found: Buckets) -> Json:
    """Present readings in buckets."""
    return {
        "point": point_,
        "from": iso(from_ns),
        "to": iso(to_ns),
        "coverage": number(found.coverage) or 0.0,
        "start": isos(found.start_ns),
        "min": numbers(found.low),
        "max": numbers(found.high),
        "mean": numbers(found.mean),
        "count": found.count.tolist(),
    }


def latest(batch: ReadingBatch, now_ns: int) -> list[Json]:
    """Present the newest reading of each point with its age, by point."""
    batch = batch.take(np.argsort(batch.point, kind="stable"))
    rows = zip(
        batch.point.tolist(),
        isos(batch.ts_ns),
        ((now_ns - batch.ts_ns) / S).tolist(),
        numbers(batch.value),
        batch.quality.tolist(),
        strict=True,
    )
    return [
        {
            "point": p,
            "time": t,
            "age_s": round(age, 3),
            "value": v,
            "quality": q,
            "quality_text": quality_text(q),
        }
        for p, t, age, v, q in rows
    ]


def quality_text(quality: int) -> str:
    """Name a quality; an unknown reason gets the name of its class."""
    return QUALITIES.get(quality) or QUALITIES.get(quality & 0xC0, "bad")
