import json

import pytest

from minewatch.contracts import Rejected
from unit.serve.stage import NOW, S, Stage

pytestmark = pytest.mark.anyio
PATH = "/api/v1/rejects"


async def test_what_was_not_taken_is_told_with_its_reason(stage: Stage) -> None:
    """A row has time, topic, reason and detail; control characters of a stranger arrive as escapes."""
    async with stage.client() as client:
        answer = await client.get(PATH)
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [
            {
                "row": 1,
                "time": "2026-01-31T03:00:00.000000+00:00",
                "source": "spBv1.0/karaganda/DDATA/gw-longwall/MM261",
                "reason": "payload",
                "detail": "cut\\x00off",
            }
        ],
        "next": None,
    }


async def test_rejects_are_read_in_pages(stage: Stage) -> None:
    """A page goes on after the row the one before ended with, and the end says so."""
    stage.records.reject([Rejected(NOW + n * S, "topic", "payload", str(n)) for n in range(4)])
    rows, after = [], "0"
    async with stage.client() as client:
        while after is not None:
            page = (await client.get(PATH, params={"after": after, "limit": 2})).json()
            rows += [item["row"] for item in page["items"]]
            after = page["next"]
    assert rows == [1, 2, 3, 4, 5]


async def test_rejects_are_served_while_the_core_is_away(stage: Stage) -> None:
    """The table is read from the records, so a core that is being restarted hides nothing."""
    stage.core.away = True
    async with stage.client() as client:
        assert len((await client.get(PATH)).json()["items"]) == 1


async def test_markup_of_a_stranger_stays_text(stage: Stage) -> None:
    """What a stranger sent is answered as JSON that no browser takes for a page."""
    stage.records.reject([Rejected(NOW, "<script>alert(1)</script>", "payload", '"\u2028</script>')])
    async with stage.client() as client:
        answer = await client.get(PATH, params={"after": 1})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    [item] = json.loads(answer.text)["items"]
    assert item["source"] == "<script>alert(1)</script>"
    assert item["detail"] == '"\\u2028</script>'
