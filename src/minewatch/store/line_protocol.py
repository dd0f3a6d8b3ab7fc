"""Columns and events as InfluxDB line protocol: one line for a row, nanosecond times.

https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
Pure text: nothing here knows a server.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np

from minewatch.contracts import AlertEvent, PointInfo, ReadingBatch, ScoreBatch, Watermark

MEASUREMENTS = ("reading", "score", "alert_event", "delivery")

_TAG = str.maketrans({"\\": "/", "\n": "\\ ", "\r": "\\ ", ",": "\\,", "=": "\\=", " ": "\\ "})
_CLEAN = str.maketrans({"\\": "/", "\n": " ", "\r": " "})
_STRING = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " ", "\r": " "})
_FLAG = ("f", "t")
_SAME_INSTANT_NS = 1_000_000


def clean_tag(text: str) -> str:
    """Return a tag value as the server will hold it.

    The protocol has no way to write a backslash before a comma, nor a line break: they become / and a blank.
    """
    return text.translate(_CLEAN)


def series(measurement: str, tags: Mapping[str, str]) -> str:
    """Return measurement and tags, escaped, in the order of their names; an empty tag is left out."""
    parts = [f"{name}={value.translate(_TAG)}" for name, value in sorted(tags.items()) if value]
    return ",".join([measurement, *parts])


def point_tags(info: PointInfo) -> dict[str, str]:
    """Return the tags of a point's series."""
    return {
        "site": info.site,
        "zone": info.zone,
        "device": info.device,
        "metric": info.metric,
        "unit": info.unit,
    }


def reading_lines(heads: Sequence[str], batch: ReadingBatch) -> list[str]:
    """Return a line for each reading; ``heads[p]`` is the series of point p.

    A value that is no number is left out, its quality is kept.
    """
    rows = zip(
        batch.point.tolist(),
        batch.ts_ns.tolist(),
        batch.value.tolist(),
        batch.quality.tolist(),
        batch.historical.tolist(),
        strict=True,
    )
    if np.isfinite(batch.value).all():
        return [f"{heads[p]} value={v!r},quality={q}i,historical={_FLAG[h]} {t}" for p, t, v, q, h in rows]
    return [
        f"{heads[p]} {f'value={v!r},' if math.isfinite(v) else ''}quality={q}i,historical={_FLAG[h]} {t}"
        for p, t, v, q, h in rows
    ]


def score_lines(points: Mapping[int, PointInfo], scores: ScoreBatch, names: Sequence[str]) -> list[str]:
    """Return a line for each score of a known point that is a number."""
    heads: dict[tuple[int, int], str] = {}
    lines = []
    rows = zip(
        scores.point.tolist(),
        scores.detector.tolist(),
        scores.score.tolist(),
        scores.ts_ns.tolist(),
        strict=True,
    )
    for point, detector, score, ts_ns in rows:
        if point not in points or not math.isfinite(score):
            continue
        head = heads.get((point, detector))
        if head is None:
            head = series("score", {**point_tags(points[point]), "detector": names[detector]})
            heads[point, detector] = head
        lines.append(f"{head} score={score!r} {ts_ns}")
    return lines


def event_line(event: AlertEvent) -> str:
    """Return the line of an alert event.

    Events of two places can share series and time, and the second would overwrite the first: the digits below
    a millisecond are therefore drawn from the event's key, always the same for the same event.
    """
    alert = event.alert
    head = series(
        "alert_event",
        {
            "site": alert.site,
            "zone": alert.zone,
            "rule": alert.rule,
            "priority": str(alert.priority),
            "event": str(event.event),
        },
    )
    fields = [f"alert={_string(alert.id)}", f"why={_string(alert.known)}"]
    fields += [f"{n}={v!r}" for n, v in (("value", alert.value), ("limit", alert.limit)) if math.isfinite(v)]
    digits = int.from_bytes(hashlib.sha256(event.key.encode()).digest()[:8]) % _SAME_INSTANT_NS
    time_ns = event.time_ns // _SAME_INSTANT_NS * _SAME_INSTANT_NS + digits
    return f"{head} {','.join(fields)} {time_ns}"


def delivery_line(mark: Watermark, time_ns: int) -> str:
    """Return the line that says what is held of a spool."""
    head = series("delivery", {"gateway": mark.gateway, "spool": mark.spool})
    above = ",".join(map(str, mark.above))
    return f"{head} upto={mark.upto}i,above={_string(above)} {time_ns}"


def _string(text: str) -> str:
    return f'"{text.translate(_STRING)}"'
