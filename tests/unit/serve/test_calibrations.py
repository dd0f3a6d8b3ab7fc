"""The calibration ledger over HTTP, and tests of meters that somebody announces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from minewatch.contracts import AlertEvent, Calibration, CalibrationQuery, EventKind, TrialStage
from minewatch.serve import present
from minewatch.serve.calibration_schemas import ANNOUNCED, CALIBRATION, AnnouncedOut, CalibrationOut
from minewatch.serve.times import iso
from unit.serve.stage import NOW, S, Stage, alert

pytestmark = pytest.mark.anyio
LEDGER = "/api/v1/calibrations"
PLACE = "karaganda/MM261/CH4"
HOUR = 3600


def rows_of(place: str, second: int, *, over: bool = True) -> list[AlertEvent]:
    """Return the rows of a test of a meter that began at a second."""
    began = NOW + second * S
    line = Calibration(TrialStage.TESTED, "", began, began + 8 * S, 0.2, 2.1, 9.0, float("nan"))
    about = alert(f"t{second}", rule="test-gas", place=place, zone=f"zone-{place[-1]}/face", paged=False)
    tag = AlertEvent(f"{place}|tagged|{began}", EventKind.TAGGED, about, began, NOW, "", calibration=line)
    ended = replace(line, stage=TrialStage.OVER, to_ns=began + 90 * S, recovery_s=12.0, gas_pct=2.2)
    end = replace(tag, key=f"{place}|cleared|{began}", event=EventKind.CLEARED, calibration=ended)
    return [tag, end] if over else [tag]


@pytest.fixture
def ledger(stage: Stage) -> Stage:
    """A journal with three tests of two meters, one of which runs."""
    for rows in (rows_of("s/a", 10), rows_of("s/b", 20), rows_of("s/a", 3000, over=False)):
        stage.records.append(rows)
    return stage


async def asked(stage: Stage, route: str = LEDGER, **params: Any) -> Any:
    """Return the answer to a question."""
    async with stage.client() as client:
        answer = await client.get(route, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def told(
    stage: Stage, body: dict[str, Any], route: str = "announced", **headers: str
) -> httpx.Response:
    """Give a command and return the answer."""
    async with stage.client() as client:
        return await client.post(f"{LEDGER}/{route}", json=body, headers=headers)


def window(begin: float, end: float, **more: Any) -> dict[str, Any]:
    """Return the body of an announcement, its window in hours from now."""
    times = {name: iso(NOW + round(hours * HOUR * S)) for name, hours in (("from", begin), ("to", end))}
    return {"place": PLACE, **times, **more}


async def test_a_test_is_one_line_with_what_was_found(ledger: Stage) -> None:
    """Found value, response and recovery of each test, newest first; one that runs has no end yet."""
    items = (await asked(ledger))["items"]
    assert [(i["place"], i["stage"], i["recovery_s"]) for i in items] == [
        ("s/a", "tested", None), ("s/b", "over", 12.0), ("s/a", "over", 12.0),
    ]  # fmt: skip
    assert [i["end"] for i in items] == [None, iso(NOW + 110 * S), iso(NOW + 100 * S)]
    assert (items[1]["before"], items[1]["found"], items[1]["t90_s"], items[1]["gas_pct"]) == (
        0.2,
        2.1,
        9.0,
        2.2,
    )


@pytest.mark.parametrize(
    ("params", "begins"),
    [
        ({"place": "s/a"}, [3000, 10]),
        ({"place": "s"}, [3000, 20, 10]),
        ({"zone": "zone-b"}, [20]),
        ({"from": iso(NOW + 20 * S)}, [3000, 20]),
        ({"to": iso(NOW + 20 * S)}, [10]),
        ({"limit": 2}, [3000, 20]),
    ],
)
async def test_filters(ledger: Stage, params: dict[str, Any], begins: list[int]) -> None:
    """Meter, zone and period narrow the ledger; a page goes on where the last one ended."""
    body = await asked(ledger, **params)
    assert [i["begin"] for i in body["items"]] == [iso(NOW + s * S) for s in begins]
    if body["next"]:
        rest = await asked(ledger, **params, cursor=body["next"])
        assert [i["begin"] for i in rest["items"]] == [iso(NOW + 10 * S)]
        assert rest["next"] is None


@pytest.mark.parametrize("cursor", ["9999999999999999999~x", "x"])
async def test_a_strange_cursor_is_an_error_of_the_caller(ledger: Stage, cursor: str) -> None:
    """A cursor that is none, or later than any time, is refused and its field named."""
    async with ledger.client() as client:
        answer = await client.get(LEDGER, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["path"]) == (422, "query.cursor")


async def test_an_announcement_is_signed_and_listed_until_it_is_over(stage: Stage) -> None:
    """It stands in the journal with its desk; the list has what is to come, and forgets what is over."""
    answer = await told(stage, window(1, 2, gas_pct=2.2, comment=" order 117 "), **{"X-Actor": "desk-1"})
    [made] = answer.json()["items"]
    assert (made["place"], made["by"], made["gas_pct"], made["comment"]) == (
        PLACE,
        "desk-1",
        2.2,
        "order 117",
    )
    assert (made["from"], made["to"]) == (iso(NOW + HOUR * S), iso(NOW + 2 * HOUR * S))
    row = stage.records.events(after=made["row"] - 1)[0]
    assert (row.event, row.actor) == (EventKind.ANNOUNCED, "desk-1")
    assert (await asked(stage, f"{LEDGER}/announced"))["items"] == [made]
    stage.clock.advance(2 * HOUR)
    assert (await asked(stage, f"{LEDGER}/announced"))["items"] == []


async def test_it_is_ended_before_its_time(stage: Stage) -> None:
    """An announcement that is ended is listed no more; one that nobody made cannot be ended."""
    assert (await told(stage, {"place": PLACE}, "announced/end")).status_code == 404
    await told(stage, window(0, 2))
    answer = await told(stage, {"place": PLACE, "comment": "done"}, "announced/end")
    assert answer.json()["items"][0]["to"] == iso(NOW)
    assert (await asked(stage, f"{LEDGER}/announced"))["items"] == []


async def test_a_zone_names_all_its_meters(stage: Stage) -> None:
    """Methane meters of a zone and those inside it are meant, and nothing else that measures there."""
    answer = await told(stage, window(0, 1) | {"place": "", "zone": "longwall-7"})
    assert [i["place"] for i in answer.json()["items"]] == [PLACE]
    assert (await told(stage, window(0, 1) | {"place": "", "zone": "belt-3"})).status_code == 404


async def test_a_repeat_announces_once(stage: Stage) -> None:
    """The same key gives the same row, without a time of begin too; with another body it is refused."""
    body = window(0, 1)
    del body["from"]
    first = await told(stage, body, **{"Idempotency-Key": "k1"})
    stage.clock.advance(5)
    again = await told(stage, body, **{"Idempotency-Key": "k1"})
    assert [i["row"] for i in again.json()["items"]] == [i["row"] for i in first.json()["items"]]
    other = await told(stage, body | {"gas_pct": 1.0}, **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")


async def test_an_end_with_the_key_of_the_announcement_is_refused_after_a_restart(stage: Stage) -> None:
    """Serve remembers nothing, the journal does: what is not carried out is not answered as done."""
    await told(stage, window(0, 1), **{"Idempotency-Key": "k1"})
    again = Stage(stage.clock, stage.records)
    answer = await told(again, {"place": PLACE}, "announced/end", **{"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "key-reused")
    assert len((await asked(again, f"{LEDGER}/announced"))["items"]) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (window(-2, -1), "body.to"),
        (window(2, 1), "body.to"),
        (window(0, 12.1), "body.to"),
        (window(7 * 24 + 1, 7 * 24 + 2), "body.from"),
        (window(0, 1) | {"to": "2026-01-31T08:00:00"}, "body.to"),
        (window(0, 1) | {"zone": "longwall-7"}, "body.place"),
        (window(0, 1) | {"place": ""}, "body.place"),
        (window(0, 1, gas_pct=0), "body.gas_pct"),
        (window(0, 1, gas_pct=61), "body.gas_pct"),
        (window(0, 1, silence=True), "body.silence"),
        (window(0, 1, comment="\x00"), "body.comment"),
    ],
)
async def test_what_cannot_be_announced_is_refused(stage: Stage, body: dict[str, Any], path: str) -> None:
    """A window that is over, wrong way round, too long or too far, or no place: the field is named."""
    answer = await told(stage, body)
    assert (answer.status_code, answer.json()["path"]) == (422, path)
    assert stage.records.announced(0) == []


async def test_while_the_core_is_away_nothing_is_announced(stage: Stage) -> None:
    """The command waits, and the lists are read as ever."""
    stage.core.away = True
    assert (await told(stage, window(0, 1))).status_code == 503
    assert (await asked(stage))["items"] == []


async def test_what_is_sent_is_what_is_promised(ledger: Stage) -> None:
    """The hand-built JSON passes its models, which allow no other field."""
    await told(ledger, window(0, 1))
    [line, *_], _ = ledger.records.calibrations(CalibrationQuery())
    [said] = ledger.records.announced(0)
    for made, model, example in (
        (present.calibration(line), CalibrationOut, CALIBRATION),
        (present.announced(said), AnnouncedOut, ANNOUNCED),
    ):
        model.model_validate(made)
        assert set(made) == set(example)
