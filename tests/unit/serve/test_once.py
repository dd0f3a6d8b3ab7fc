from typing import Any

import httpx
import pytest

from unit.serve.stage import Stage

pytestmark = pytest.mark.anyio
API = "/api/v1"
KEY = {"Idempotency-Key": "6ba7b810"}


def restarted(stage: Stage) -> Stage:
    """Return a new process on the same records."""
    return Stage(stage.clock, stage.records)


async def post(stage: Stage, path: str, body: Any = None, headers: dict[str, str] = KEY) -> httpx.Response:
    """Post with a key."""
    async with stage.client() as client:
        return await client.post(API + path, json=body, headers=headers)


async def test_a_repeat_gets_the_same_answer(stage: Stage) -> None:
    """The second of two equal commands with one key is not carried out, and answers as the first did."""
    first = await post(stage, "/alerts/a1/acknowledge")
    stage.clock.advance(60)
    second = await post(stage, "/alerts/a1/acknowledge")
    assert (first.status_code, second.json()) == (200, first.json())
    assert len(stage.core.commands) == 1


async def test_a_repeat_after_a_restart_gets_the_same_answer(stage: Stage) -> None:
    """The journal remembers the key, so nothing is said twice by a client that lost the answer."""
    first = await post(stage, "/alerts/a1/comment", {"comment": "seen"})
    again = restarted(stage)
    second = await post(again, "/alerts/a1/comment", {"comment": "seen"})
    assert second.json() == first.json()
    assert again.core.commands == []


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/alerts/a1/comment", {"comment": "other words"}),
        ("/alerts/a2/comment", {"comment": "seen"}),
        ("/alerts/a1/acknowledge", {"comment": "seen"}),
    ],
)
async def test_a_key_stands_for_one_command(stage: Stage, path: str, body: Any, restart: bool) -> None:
    """The same key with other words, another alert or another command is 422, also after a restart."""
    await post(stage, "/alerts/a1/comment", {"comment": "seen"})
    answer = await post(restarted(stage) if restart else stage, path, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "key-reused")
    assert answer.json()["path"] == "header.idempotency-key"


async def test_two_desks_may_use_the_same_key(stage: Stage) -> None:
    """A key belongs to the desk that sent it."""
    await post(stage, "/alerts/a1/comment", {"comment": "seen"}, {**KEY, "X-Actor": "desk-1"})
    other = await post(stage, "/alerts/a1/comment", {"comment": "on it"}, {**KEY, "X-Actor": "desk-2"})
    assert other.status_code == 200
    assert len(stage.core.commands) == 2


async def test_a_bulk_command_is_repeated_whole(stage: Stage) -> None:
    """A repeat of many acknowledgements answers as the first, also after a restart; other ids are 422."""
    body = {"ids": ["a1", "a2"]}
    first = await post(stage, "/alerts/acknowledge", body)
    second = await post(stage, "/alerts/acknowledge", body)
    third = await post(restarted(stage), "/alerts/acknowledge", body)
    other = await post(stage, "/alerts/acknowledge", {"ids": ["a1", "a3"]})
    assert len(first.json()["items"]) == 2
    assert second.json() == third.json() == first.json()
    assert other.json()["code"] == "key-reused"


async def test_a_bulk_command_cut_short_is_finished_by_its_repeat(stage: Stage) -> None:
    """What was done before the core went away is not done again, and not refused either."""
    await post(stage, "/alerts/a1/comment", {"comment": "x"}, {})
    stage.core.away = True
    assert (await post(stage, "/alerts/acknowledge", {"ids": ["a1", "a2"]})).status_code == 503
    stage.core.away = False
    answer = await post(stage, "/alerts/acknowledge", {"ids": ["a1", "a2"]})
    assert [item["state"] for item in answer.json()["items"]] == ["acknowledged"] * 2
    assert answer.json()["refused"] == []
