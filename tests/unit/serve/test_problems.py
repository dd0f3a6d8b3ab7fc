from typing import Any

import pytest

from minewatch.errors import StoreBusy, StoreError
from unit.serve.stage import Stage

pytestmark = pytest.mark.anyio
API = "/api/v1"
BACKWARDS = "/api/v1/alerts?from=2026-02-01T00:00Z&to=2026-01-01T00:00Z"
MEMBERS = {"type", "title", "status", "code", "detail", "instance"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "field"),
    [
        ("GET", "/api/v1/nothing", 404, "no-such-address", None),
        ("GET", "/api/v1/alerts/unknown", 404, "not-found", None),
        ("DELETE", "/api/v1/alerts", 405, "method-not-allowed", None),
        ("POST", "/healthz", 405, "method-not-allowed", None),
        ("GET", "/api/v1/alerts/a1/acknowledge", 405, "method-not-allowed", None),
        ("GET", "/api/v1/alerts?limit=1001", 422, "invalid-field", "query.limit"),
        ("GET", "/api/v1/alerts?limit=0", 422, "invalid-field", "query.limit"),
        ("GET", "/api/v1/alerts?cursor=x", 422, "invalid-field", "query.cursor"),
        ("GET", "/api/v1/alerts?state=gone", 422, "invalid-field", "query.state[0]"),
        ("GET", "/api/v1/alerts?priority=5", 422, "invalid-field", "query.priority[0]"),
        ("GET", "/api/v1/alerts?from=2026-01-31T08:00:00", 422, "invalid-field", "query.from"),
        (
            "GET",
            BACKWARDS,
            422,
            "invalid-field",
            "query.to",
        ),
        ("GET", "/api/v1/events?after=x", 422, "invalid-field", "query.after"),
        ("GET", "/api/v1/points/x", 422, "invalid-field", "path.id"),
        ("GET", "/api/v1/points/0/readings?buckets=0", 422, "invalid-field", "query.buckets"),
        ("GET", "/api/v1/points/0/readings?cursor=-1", 422, "invalid-field", "query.cursor"),
        ("GET", "/api/v1/stream?since=x", 422, "invalid-field", "query.since"),
    ],
)
async def test_every_refusal_is_a_problem_document(
    stage: Stage, method: str, path: str, status: int, code: str, field: str | None
) -> None:
    """Whatever is wrong, the answer says what in RFC 9457 form, with a code and the path of the field."""
    async with stage.client() as client:
        answer = await client.request(method, path)
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"], body.get("path")) == (
        status,
        status,
        code,
        field,
    )
    assert body.keys() >= MEMBERS
    assert body["instance"] == path.partition("?")[0]


async def test_a_naive_time_is_told_how_to_be_written(stage: Stage) -> None:
    """The message for a time without offset says what to add."""
    async with stage.client() as client:
        body = (await client.get(f"{API}/alerts?from=2026-01-31T08:00:00")).json()
    assert "no offset from UTC" in body["detail"]
    assert body["errors"][0]["path"] == "query.from"


async def test_405_names_the_methods_allowed(stage: Stage) -> None:
    """The Allow header is kept in the problem document's answer."""
    async with stage.client() as client:
        answer = await client.delete(f"{API}/alerts/a1/comment")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"{", {"Content-Type": "application/json"}, "invalid-json"),
        (b"\xff", {"Content-Type": "application/json"}, "invalid-json"),
        (b'{"comment": "x"}', {"Content-Type": "text/plain"}, "invalid-field"),
        (b'{"comment": "\\ud800"}', {"Content-Type": "application/json"}, "invalid-field"),
        (b'{"comment": 1}', {"Content-Type": "application/json"}, "invalid-field"),
    ],
)
async def test_a_body_that_cannot_be_read(
    stage: Stage, content: bytes, headers: dict[str, str], code: str
) -> None:
    """Broken JSON, JSON that a form could post, and text that is no text are refused as 422."""
    async with stage.client() as client:
        answer = await client.post(f"{API}/alerts/a1/comment", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_body_that_is_too_large(stage: Stage) -> None:
    """A command has a few lines; more is not even read."""
    async with stage.client() as client:
        answer = await client.post(f"{API}/alerts/a1/comment", json={"comment": "x" * 100_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize(
    ("error", "code"), [(StoreBusy("locked"), "store-busy"), (StoreError("disk full"), "store-error")]
)
async def test_a_store_that_refuses(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: StoreError, code: str
) -> None:
    """Trouble of the records is 503 with its reason and when to come again."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(stage.records, "alerts", refuse)
    async with stage.client() as client:
        answer = await client.get(f"{API}/alerts")
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert answer.headers["retry-after"] == "2"


async def test_a_fault_of_ours_tells_nothing_of_the_inside(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen error is a problem document too, without a traceback; the log has it."""

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(stage.records, "alerts", fail)
    async with stage.client() as client:
        answer = await client.get(f"{API}/alerts")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "secret" not in answer.text
