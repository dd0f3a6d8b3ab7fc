"""The JSON of the calibration ledger and of announced tests, as models; see ``schemas``."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from minewatch.contracts import TrialStage
from minewatch.serve.schemas import AT, ID, LATER, POINT, WORDS, In, Out, TextOut, Time

CALIBRATION: dict[str, Any] = {
    "row": 977,
    "alert": ID,
    "place": "karaganda/MM261/CH4",
    "site": "karaganda",
    "zone": "longwall-7/face",
    "stage": "over",
    "begin": AT,
    "end": "2026-01-31T03:02:41.250000+00:00",
    "before": 0.2,
    "found": 2.1,
    "unit": "% CH4",
    "t90_s": 9.0,
    "recovery_s": 12.0,
    "announced_by": "control-room-1",
    "gas_pct": 2.2,
    "why": WORDS,
}
ANNOUNCED: dict[str, Any] = {
    "row": 976,
    "place": "karaganda/MM261/CH4",
    "site": "karaganda",
    "zone": "longwall-7/face",
    "from": AT,
    "to": "2026-01-31T04:00:00.000000+00:00",
    "by": "control-room-1",
    "gas_pct": 2.2,
    "comment": "Service order 117",
    "told": LATER,
}


class CalibrationOut(Out):
    """A line of the calibration ledger: one test of a meter, as far as it went."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [CALIBRATION]})

    row: int = Field(description="Its last row in the journal")
    alert: str = Field(description="Id of its alert `test-gas`")
    place: str
    site: str
    zone: str
    stage: TrialStage = Field(description="tested: it runs; over; refuted: it was none, see `why`")
    begin: Time
    end: Time | None = Field(description="null while it runs")
    before: float | None = Field(description="What the meter showed before the gas")
    found: float | None = Field(description="What it was found to show of the gas")
    unit: str
    t90_s: float | None = Field(description="Response: seconds to nine tenths of the step; null: not seen")
    recovery_s: float | None = Field(description="Seconds from the gas back; null: not seen")
    announced_by: str = Field(description="Who announced it; empty: nobody")
    gas_pct: float | None = Field(description="What the bottle holds, as announced; null: nobody said")
    why: TextOut


class CalibrationList(Out):
    """A page of the calibration ledger."""

    items: list[CalibrationOut]
    next: str | None = Field(description="Cursor of the next page")


class AnnouncedOut(Out):
    """An announced test of one meter."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [ANNOUNCED]})

    row: int
    place: str
    site: str
    zone: str
    begin: Time = Field(alias="from")
    end: Time = Field(alias="to")
    by: str
    gas_pct: float | None
    comment: str
    told: Time = Field(description="When it was announced, or ended")


class AnnouncedList(Out):
    """Announced tests."""

    items: list[AnnouncedOut]
    next: str | None = Field(description="Always null")


class AnnounceEnd(In):
    """End announced tests of a meter, or of every meter at a place or in a zone."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"place": POINT["place"]}]})

    place: str = Field("", max_length=300, description="A meter, or a place with all meters inside it")
    zone: str = Field("", max_length=200, description="A zone with all meters inside it")
    comment: str = Field("", max_length=2_000)


class AnnounceTest(AnnounceEnd):
    """Announce the test of a meter, or of every meter at a place or in a zone."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"place": POINT["place"], "to": AT, "gas_pct": 2.2}]},
    )

    begin: str | None = Field(
        None, alias="from", description="ISO 8601 with offset; now without it, 7 days ahead at most"
    )
    end: str = Field(alias="to", description="ISO 8601 with offset, 12 hours after the begin at most")
    gas_pct: float | None = Field(None, gt=0, le=60, description="What the bottle holds, in percent")
