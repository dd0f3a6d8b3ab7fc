from typing import Any

import pytest

from minewatch.contracts import AlertState
from unit.serve.stage import NOW, S, Stage, alert, point

pytestmark = pytest.mark.anyio
API = "/api/v1"


async def get(stage: Stage, path: str, **params: Any) -> Any:
    """Return the JSON of an answer that must be 200."""
    async with stage.client() as client:
        answer = await client.get(API + path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_points_have_their_limits(stage: Stage) -> None:
    """A point shows range and limits with their source; an open range is null, not infinity."""
    body = await get(stage, "/points")
    first, second = body["items"]
    assert (first["id"], first["low"], first["high"], first["interval_s"]) == (0, 0.0, 40.0, 5.0)
    assert first["limits"] == [
        {
            "rule": "methane-high",
            "detector": "value",
            "comparison": "at-or-above",
            "threshold": 1.0,
            "priority": 1,
            "citation": "a source",
            "verified": False,
        }
    ]
    assert (second["low"], second["limits"], second["limits_known"]) == (None, [], True)
    assert await get(stage, "/points/0") == first


async def test_points_say_when_their_limits_are_not_known(stage: Stage) -> None:
    """No limits and limits unknown are told apart; once known, the last known stay."""
    stage.core.away = True
    assert (await get(stage, "/points/0"))["limits_known"] is False
    stage.core.away = False
    await get(stage, "/points/0")
    stage.core.away = True
    last = await get(stage, "/points/0")
    assert (last["limits_known"], len(last["limits"])) == (True, 1)


async def test_points_are_filtered_and_paged(stage: Stage) -> None:
    """A zone also holds the zones inside it; pages go on by the point's id."""
    assert [p["id"] for p in (await get(stage, "/points", zone="longwall-7"))["items"]] == [0]
    assert [p["id"] for p in (await get(stage, "/points", quantity="carbon_monoxide"))["items"]] == [1]
    assert (await get(stage, "/points", site="elsewhere"))["items"] == []
    first = await get(stage, "/points", limit=1)
    assert [p["id"] for p in (await get(stage, "/points", limit=1, cursor=first["next"]))["items"]] == [1]


async def test_a_new_point_appears_within_a_second(stage: Stage) -> None:
    """The list of points is kept for a second, not longer."""
    await get(stage, "/points")
    stage.records.save_points({2: point("T")})
    assert len((await get(stage, "/points"))["items"]) == 2
    stage.clock.advance(1)
    assert len((await get(stage, "/points"))["items"]) == 3


async def test_raw_readings_in_pages(stage: Stage) -> None:
    """Readings of the last hour come in time order, a page at a time, NaN as null."""
    first = await get(stage, "/points/0/readings", limit=2)
    second = await get(stage, "/points/0/readings", limit=2, cursor=first["next"])
    assert [item["value"] for item in first["items"] + second["items"]] == [0.5, None, 1.31]
    assert (first["from"], first["to"]) == (
        "2026-01-31T02:00:00.000000+00:00",
        "2026-01-31T03:00:00.000000+00:00",
    )
    assert (first["coverage"], second["next"]) == (None, None)


async def test_readings_in_buckets(stage: Stage) -> None:
    """Buckets come as columns of equal length; an empty one has count 0 and nulls."""
    body = await get(
        stage,
        "/points/0/readings",
        buckets=10,
        **{"from": "2026-01-31T02:59:50Z", "to": "2026-01-31T03:00:00Z"},
    )
    assert body["count"] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert (body["max"][0], body["max"][1], body["mean"][9]) == (0.5, None, 1.31)
    assert {len(body[name]) for name in ("start", "min", "max", "mean", "count")} == {10}
    assert body["coverage"] == pytest.approx(0.3)


async def test_an_unknown_point_is_named(stage: Stage) -> None:
    """A point that does not exist is 404, also for its readings."""
    async with stage.client() as client:
        for path in ("/points/99", "/points/99/readings"):
            answer = await client.get(API + path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_telemetry_needs_the_core(stage: Stage) -> None:
    """Without the core, readings are 503 with Retry-After, not an empty list that looks like calm."""
    stage.core.away = True
    async with stage.client() as client:
        for path in ("/readings/latest", "/points/0/readings", "/points/0/readings?buckets=5"):
            answer = await client.get(API + path)
            assert (answer.status_code, answer.json()["code"]) == (503, "core-unavailable")
            assert "retry-after" in answer.headers


async def test_latest_has_age_and_quality(stage: Stage) -> None:
    """Each point shows its newest reading, how old it is by the service's clock, and how good."""
    stage.core.batch.quality[-1] = 65
    items = (await get(stage, "/readings/latest"))["items"]
    assert [(i["point"], i["age_s"], i["value"], i["quality_text"]) for i in items] == [
        (0, 1.0, 1.31, "uncertain-range"),
        (1, 9.0, 7.0, "good"),
    ]
    assert [i["point"] for i in (await get(stage, "/readings/latest", zone="belt-3"))["items"]] == [1]


async def test_zones_show_the_worst_in_them(stage: Stage) -> None:
    """A zone counts points and alerts that are not normal, unacknowledged ones by themselves."""
    stage.journal(
        alert("a4", zone="belt-3", priority=2, state=AlertState.RETURNED, active=False),
        alert("a5", zone="belt-3", priority=1, state=AlertState.NORMAL, active=False),
        alert("a6", zone="portal", priority=4, state=AlertState.ACKNOWLEDGED),
    )
    items = (await get(stage, "/zones"))["items"]
    rows = [(z["zone"], z["points"], z["worst_priority"], z["unacknowledged"], z["active"]) for z in items]
    assert rows == [("belt-3", 1, 2, 2, 1), ("longwall-7/face", 1, 1, 2, 2), ("portal", 0, 4, 0, 1)]


async def test_gateways_show_session_clock_and_spool(stage: Stage) -> None:
    """A gateway shows what the core knows of it, and the last known while the core is away."""
    stage.core.away = True
    [item] = (await get(stage, "/gateways"))["items"]
    assert item == {
        "site": "karaganda",
        "gateway": "gw-longwall",
        "online": True,
        "since": "2026-01-31T02:59:00.000000+00:00",
        "last_seen": "2026-01-31T02:59:59.000000+00:00",
        "clock_offset_ms": 12.5,
        "clock": "holdover",
        "spool_rows": 3,
        "spool_oldest": "2026-01-31T02:59:00.000000+00:00",
        "version": "0.1.0",
        "points": 24,
        "births": 2,
        "bd_seq": 17,
        "sequence_gaps": 0,
        "duplicates": 4,
        "rebirths": 1,
        "problems": ["two-agents"],
    }
    assert NOW % S == 0
