"""The JSON that goes out and comes in, as models: they make the OpenAPI document and its examples.

Answers are built by ``present`` without these models (a list of 1,000 alerts takes half the time);
tests hold the two equal.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from minewatch.contracts import AlertState, EventKind

Time = Annotated[
    datetime, Field(description="ISO 8601 with offset", examples=["2026-01-31T03:00:00.250000+00:00"])
]
Priority = Annotated[int, Field(ge=1, le=4, description="1 critical, 2 high, 3 medium, 4 low")]
ComparisonName = Literal["above", "at-or-above", "below", "at-or-below"]

ID = "5f0c9a3be1d24c77"
AT = "2026-01-31T03:00:00.250000+00:00"
LATER = "2026-01-31T03:00:00.310000+00:00"
HASH = "9f2b6e" + "0" * 58
WORDS = {
    "kk": "Метан шектен асты",
    "ru": "Метан выше предела",
    "en": "Methane above its limit",
}
ALERT: dict[str, Any] = {
    "id": ID,
    "rule": "methane-high",
    "place": "karaganda/MM261/CH4",
    "site": "karaganda",
    "zone": "longwall-7/face",
    "quantity": "methane",
    "priority": 1,
    "paged": True,
    "state": "unacknowledged",
    "active": True,
    "raised": AT,
    "changed": AT,
    "value": 1.31,
    "unit": "% CH4",
    "limit": 1.0,
    "detector": "value",
    "message": WORDS,
    "why": WORDS,
    "citation": "the rule pack names its source",
    "verified": False,
    "retrospective": False,
    "acknowledged_by": "",
    "row": 412,
    "origin": "both",
    "now": WORDS,
    "now_since": LATER,
}
EVENT: dict[str, Any] = {
    "row": 412,
    "time": AT,
    "gateway_time": AT,
    "service_time": LATER,
    "event": "raised",
    "actor": "minewatch",
    "comment": "",
    "hash": HASH,
    "source": "karaganda/gw-longwall",
    "alert": ALERT,
}
POINT: dict[str, Any] = {
    "id": 17,
    "place": "karaganda/MM261/CH4",
    "site": "karaganda",
    "gateway": "gw-longwall",
    "device": "MM261",
    "metric": "CH4",
    "quantity": "methane",
    "unit": "% CH4",
    "zone": "longwall-7/face",
    "low": 0.0,
    "high": 40.0,
    "limits": [
        {
            "rule": "methane-high",
            "detector": "value",
            "comparison": "at-or-above",
            "threshold": 1.0,
            "priority": 1,
            "citation": "the rule pack names its source",
            "verified": False,
        }
    ],
    "limits_known": True,
    "interval_s": 5.0,
}
GATEWAY: dict[str, Any] = {
    "site": "karaganda",
    "gateway": "gw-longwall",
    "online": True,
    "since": AT,
    "last_seen": LATER,
    "clock_offset_ms": 12.5,
    "clock": "synchronised",
    "spool_rows": 0,
    "spool_oldest": None,
    "version": "0.1.0",
    "points": 24,
    "births": 2,
    "bd_seq": 17,
    "sequence_gaps": 0,
    "duplicates": 0,
    "rebirths": 1,
    "problems": [],
}
REJECT: dict[str, Any] = {
    "row": 7,
    "time": LATER,
    "source": "spBv1.0/karaganda/DDATA/gw-longwall/MM261",
    "reason": "unknown-metric",
    "detail": "alias 9 is in no birth",
}


class Out(BaseModel):
    """What is sent: no fields but these."""

    model_config = ConfigDict(extra="forbid")


class In(BaseModel):
    """What is taken: an unknown field is refused, so a misspelt one cannot be overlooked."""

    model_config = ConfigDict(extra="forbid")


class TextOut(Out):
    """A text in the three languages."""

    kk: str
    ru: str
    en: str


class AlertOut(Out):
    """One activation of a rule at a place, as it stands."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [ALERT]})

    id: str
    rule: str
    place: str
    site: str
    zone: str
    quantity: str
    priority: Priority
    paged: bool = Field(description="Whether a person was called")
    state: AlertState
    active: bool = Field(description="Whether the cause is still there")
    raised: Time
    changed: Time
    value: float | None
    unit: str
    limit: float | None
    detector: str
    message: TextOut
    why: TextOut
    citation: str
    verified: bool = Field(description="Whether a person checked the limit against its source")
    retrospective: bool = Field(description="Found in readings that arrived late")
    acknowledged_by: str
    row: int = Field(description="Its last row in the journal")
    origin: Literal["", "gateway", "both"] = Field(description="Who found it; empty: the service")
    now: TextOut | None = Field(
        description="What is known besides while it stands; null: nothing more than why"
    )
    now_since: Time | None = Field(description="Since when that is known")


class AlertList(Out):
    """A page of alerts."""

    items: list[AlertOut]
    next: str | None = Field(description="Cursor of the next page")


class EventOut(Out):
    """One row of the journal."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EVENT]})

    row: int
    time: Time
    gateway_time: Time | None
    service_time: Time
    event: EventKind
    actor: str
    comment: str
    hash: str
    source: str = Field(description="The gateway that told it, site/gateway; empty: the service")
    alert: AlertOut = Field(description="The alert after the event")


class EventList(Out):
    """A page of the journal."""

    items: list[EventOut]
    next: str | None = Field(description="The row to go on after")


class Acknowledge(In):
    """Acknowledge one alert."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"comment": "Face crew called"}]}
    )

    comment: str = Field("", max_length=2_000)


class Comment(In):
    """Remark on one alert."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"comment": "Fan 2 was switched over"}]}
    )

    comment: str = Field(min_length=1, max_length=2_000, pattern=r"\S")


AlertId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_.-]+$")]


class AcknowledgeMany(In):
    """Acknowledge the alerts that the operator sees, by their ids; there is no "all"."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"ids": [ID], "comment": ""}]})

    ids: list[AlertId] = Field(min_length=1, max_length=100)
    comment: str = Field("", max_length=2_000)


class Refused(Out):
    """Why one alert of many was not acknowledged."""

    id: str
    status: int
    code: str
    detail: str
    state: str | None


class Acknowledged(Out):
    """What became of each id: the alerts after it, and those that could not be acknowledged."""

    items: list[AlertOut]
    refused: list[Refused]


class LimitOut(Out):
    """A limit on a point."""

    rule: str
    detector: str
    comparison: ComparisonName
    threshold: float
    priority: Priority
    citation: str
    verified: bool


class PointOut(Out):
    """One metric of one device."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [POINT]})

    id: int
    place: str
    site: str
    gateway: str
    device: str
    metric: str
    quantity: str
    unit: str
    zone: str
    low: float | None
    high: float | None
    limits: list[LimitOut]
    limits_known: bool = Field(description="False while the core has not told the limits yet")
    interval_s: float = Field(description="Longest normal time between two readings; 0 is unknown")


class PointList(Out):
    """A page of points."""

    items: list[PointOut]
    next: str | None


class ReadingOut(Out):
    """One reading; ``quality`` is good from 0, uncertain from 64, bad from 128."""

    time: Time
    value: float | None
    quality: int = Field(ge=0, le=255)
    historical: bool


class RawReadings(Out):
    """Readings as they were stored."""

    point: int
    from_: Time = Field(alias="from")
    to: Time
    coverage: None
    items: list[ReadingOut]
    next: str | None


class BucketReadings(Out):
    """Readings in equal buckets, as columns; an empty bucket has count 0 and null values."""

    point: int
    from_: Time = Field(alias="from")
    to: Time
    coverage: float = Field(description="Share of the span that has readings, 0..1")
    start: list[Time]
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    count: list[int]


class LatestOut(Out):
    """The newest reading of a point."""

    point: int
    time: Time
    age_s: float = Field(description="Seconds between the reading and the answer")
    value: float | None
    quality: int = Field(ge=0, le=255)
    quality_text: str = Field(examples=["good", "uncertain-range", "bad-sentinel"])


class LatestList(Out):
    """The newest reading of every point."""

    items: list[LatestOut]
    next: str | None


class ZoneOut(Out):
    """A zone with the alerts in it that are not normal."""

    site: str
    zone: str
    points: int
    worst_priority: Priority | None
    unacknowledged: int
    active: int


class ZoneList(Out):
    """Every zone."""

    items: list[ZoneOut]
    next: str | None


class GatewayOut(Out):
    """A gateway and its session."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [GATEWAY]})

    site: str
    gateway: str
    online: bool
    since: Time | None
    last_seen: Time | None
    clock_offset_ms: float | None
    clock: str
    spool_rows: int
    spool_oldest: Time | None
    version: str
    points: int
    births: int
    bd_seq: int | None
    sequence_gaps: int
    duplicates: int
    rebirths: int
    problems: list[str]


class GatewayList(Out):
    """Every gateway."""

    items: list[GatewayOut]
    next: str | None


class RejectOut(Out):
    """A message, metric or row of a recording that was not taken."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [REJECT]})

    row: int = Field(description="Its place in the table; rows go on counting when old ones are left out")
    time: Time
    source: str = Field(max_length=200, description="Topic or file; printable, as are the other texts")
    reason: str = Field(max_length=200, description="A stable word")
    detail: str = Field(max_length=200, description="What was wrong; a text from outside, show it as text")


class RejectList(Out):
    """A page of what was not taken."""

    items: list[RejectOut]
    next: str | None = Field(description="The row to go on after")


class Alive(Out):
    """The serve process answers."""

    status: str = Field(examples=["ok"])
    time: Time


class Ready(Out):
    """Every part works."""

    ready: bool
    problems: dict[str, str]
    telemetry: str
    time: Time


class Version(Out):
    """What is running."""

    version: str = Field(examples=["0.1.0"])
    api: str = Field(examples=["v1"])


class FieldError(Out):
    """What is wrong with one field."""

    path: str = Field(examples=["query.limit"])
    detail: str


class ProblemOut(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:minewatch:problem:state-forbids",
                    "title": "Conflict",
                    "status": 409,
                    "code": "state-forbids",
                    "detail": "the alert is normal: there is nothing to acknowledge",
                    "instance": f"/api/v1/alerts/{ID}/acknowledge",
                    "state": "normal",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    code: str = Field(description="What a program can rely on")
    detail: str
    instance: str
    path: str | None = Field(None, description="The field it is about, like query.limit")
    errors: list[FieldError] | None = None
    state: str | None = Field(None, description="The state of the alert that forbids it")
    problems: dict[str, str] | None = Field(None, description="What is wrong, by part")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problem documents of a route for the OpenAPI document."""
    about = {
        403: "A page of another site asked",
        404: "There is no such thing",
        409: "The state of the alert forbids it; `state` names it",
        413: "The body is too large",
        421: "The Host header names another machine",
        422: "A field is wrong; `path` names it",
        503: "A part does not answer; try again after `Retry-After` seconds",
    }
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
    return {status: {"description": about[status], "content": content} for status in statuses}
