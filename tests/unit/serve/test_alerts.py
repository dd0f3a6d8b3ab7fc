from typing import Any

import pytest

from minewatch.contracts import AlertState
from unit.serve.stage import NOW, S, Stage, alert

pytestmark = pytest.mark.anyio
API = "/api/v1"


async def ids(stage: Stage, **params: Any) -> list[str]:
    """Return the ids of a list."""
    async with stage.client() as client:
        answer = await client.get(f"{API}/alerts", params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_the_live_list_is_what_is_not_normal(stage: Stage) -> None:
    """Without filters: everything that is not over, however old, the most urgent first."""
    stage.journal(alert("old", raised_ns=NOW - 10**6 * S, priority=4), alert("over", state=AlertState.NORMAL))
    assert await ids(stage) == ["a1", "a3", "a2", "old"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"priority": [2, 3]}, ["a3", "a2"]),
        ({"zone": "belt-3"}, ["a2"]),
        ({"rule": "no-such"}, []),
        ({"q": "methane above"}, ["a1", "a3", "a2"]),
        ({"state": "normal"}, ["over"]),
        ({"history": "true", "priority": 1}, ["a1", "over"]),
        ({"to": "2026-01-31T03:00:00+00:00"}, ["a2"]),
        ({"from": "2026-01-31T08:00:00+05:00", "priority": 2}, ["a3"]),
    ],
)
async def test_filters(stage: Stage, params: dict[str, Any], expected: list[str]) -> None:
    """Each filter of the address reaches the records; a window in time or state normal opens the history."""
    stage.journal(alert("over", state=AlertState.NORMAL))
    assert await ids(stage, **params) == expected


async def test_pages_go_on_where_the_last_one_ended(stage: Stage) -> None:
    """The cursor leads through the list without a repeat or a hole, and ends."""
    seen: list[str] = []
    cursor: str | None = ""
    async with stage.client() as client:
        for _ in range(3):
            body = (await client.get(f"{API}/alerts", params={"limit": 1, "cursor": cursor})).json()
            seen += [item["id"] for item in body["items"]]
            cursor = body["next"]
    assert (seen, cursor) == (["a1", "a3", "a2"], None)


async def test_an_alert_and_its_life(stage: Stage) -> None:
    """One alert has every field that is promised, its life is its journal rows, an unknown one is 404."""
    async with stage.client() as client:
        one = (await client.get(f"{API}/alerts/a1")).json()
        life = (await client.get(f"{API}/alerts/a1/events")).json()
        missing = await client.get(f"{API}/alerts/nothing/events")
    title = "Methane above its limit"
    assert one["message"] == {"kk": f"kk {title}", "ru": f"ru {title}", "en": title}
    assert (one["raised"], one["row"]) == ("2026-01-31T03:00:00.000000+00:00", 1)
    assert [(e["event"], e["row"], e["gateway_time"]) for e in life["items"]] == [("raised", 1, None)]
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


async def test_the_journal_is_read_in_order(stage: Stage) -> None:
    """Rows come in order after a row; the next page is told until there is none."""
    async with stage.client() as client:
        first = (await client.get(f"{API}/events", params={"limit": 2})).json()
        second = (await client.get(f"{API}/events", params={"limit": 2, "after": first["next"]})).json()
    assert [e["row"] for e in first["items"] + second["items"]] == [1, 2, 3]
    assert (first["next"], second["next"]) == ("2", None)
    assert all(len(e["hash"]) == 64 for e in first["items"])


async def test_acknowledge_signs_with_the_desk(stage: Stage) -> None:
    """The answer is the alert after the command; the desk's name may be Kazakh, percent-encoded."""
    headers = {"X-Actor": "%D0%9F%D1%83%D0%BB%D1%8C%D1%82%201"}
    async with stage.client() as client:
        answer = await client.post(
            f"{API}/alerts/a1/acknowledge", json={"comment": " seen "}, headers=headers
        )
        bare = await client.post(f"{API}/alerts/a2/acknowledge")
    assert answer.json()["state"] == "acknowledged"
    assert answer.json()["acknowledged_by"] == "Пульт 1"
    assert answer.json()["row"] == 4
    assert stage.core.commands[0].comment == "seen"
    assert bare.json()["acknowledged_by"] == "operator"


async def test_a_state_that_forbids_is_named(stage: Stage) -> None:
    """A second acknowledgement is 409, with the state that forbids it."""
    async with stage.client() as client:
        await client.post(f"{API}/alerts/a1/acknowledge")
        again = await client.post(f"{API}/alerts/a1/acknowledge")
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert (again.json()["code"], again.json()["state"]) == ("state-forbids", "acknowledged")


async def test_a_comment_leaves_the_state(stage: Stage) -> None:
    """A remark is a row of the journal and nothing else; an empty one is refused by its field."""
    async with stage.client() as client:
        answer = await client.post(f"{API}/alerts/a1/comment", json={"comment": "fan 2 switched over"})
        life = (await client.get(f"{API}/alerts/a1/events")).json()["items"]
        empty = await client.post(f"{API}/alerts/a1/comment", json={"comment": "  "})
        control = await client.post(f"{API}/alerts/a1/comment", json={"comment": "a\u0000b"})
    assert answer.json()["state"] == "unacknowledged"
    assert [(e["event"], e["comment"]) for e in life] == [
        ("raised", ""),
        ("commented", "fan 2 switched over"),
    ]
    assert [r.json()["path"] for r in (empty, control)] == ["body.comment", "body.comment"]


async def test_many_are_acknowledged_one_by_one(stage: Stage) -> None:
    """Each id is done or refused on its own, with its reason; a repeated id counts once."""
    async with stage.client() as client:
        await client.post(f"{API}/alerts/a2/acknowledge")
        answer = await client.post(
            f"{API}/alerts/acknowledge", json={"ids": ["a1", "a2", "nope", "a3", "a1"]}
        )
    assert [item["id"] for item in answer.json()["items"]] == ["a1", "a3"]
    assert [(r["id"], r["status"], r["state"]) for r in answer.json()["refused"]] == [
        ("a2", 409, "acknowledged"),
        ("nope", 404, None),
    ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"ids": []}, "body.ids"),
        ({"ids": ["a"] * 101}, "body.ids"),
        ({"ids": ["a", ""]}, "body.ids[1]"),
        ({"ids": ["a"], "all": True}, "body.all"),
        ({}, "body.ids"),
    ],
)
async def test_never_all(stage: Stage, body: dict[str, Any], path: str) -> None:
    """There is no way to acknowledge what nobody looked at: 1 to 100 ids, and the wrong field is named."""
    async with stage.client() as client:
        answer = await client.post(f"{API}/alerts/acknowledge", json=body)
    assert (answer.status_code, answer.json()["path"]) == (422, path)


async def test_while_the_core_is_away_alerts_are_still_read(stage: Stage) -> None:
    """Lists and journal come from the records; a command is 503 and says when to come again."""
    stage.core.away = True
    assert await ids(stage) == ["a1", "a3", "a2"]
    async with stage.client() as client:
        assert (await client.get(f"{API}/events")).status_code == 200
        answer = await client.post(f"{API}/alerts/a1/acknowledge")
    assert (answer.status_code, answer.json()["code"]) == (503, "core-unavailable")
    assert int(answer.headers["retry-after"]) > 0
