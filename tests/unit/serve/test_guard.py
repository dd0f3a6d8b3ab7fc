import json
from typing import Any

import pytest

from minewatch.errors import ConfigError
from minewatch.serve.settings import ServeSettings
from unit.serve.stage import HOST, Stage

pytestmark = pytest.mark.anyio
ACK = "/api/v1/alerts/a1/acknowledge"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_a_loopback_address_is_taken(host: str) -> None:
    """Every address that only this machine can reach may be listened on."""
    assert ServeSettings(host=host).host == host


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.7", "mine.example", "localhost.evil.example", ""]
)
def test_any_other_address_is_refused(host: str) -> None:
    """Until there are accounts nobody else may reach the commands; the error says why and the mend."""
    with pytest.raises(ConfigError, match="no accounts yet") as caught:
        ServeSettings(host=host)
    assert caught.value.where == "serve.host"
    assert "SSH tunnel" in caught.value.mend


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "a.localhost"])
async def test_own_names_are_answered(stage: Stage, host: str) -> None:
    """The Host header may name this machine in any loopback way."""
    async with stage.client() as client:
        assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1", ""]
)
async def test_foreign_names_are_not_answered(stage: Stage, host: str) -> None:
    """A name of another site that resolves to this machine (DNS rebinding) gets nothing, not even reading."""
    async with stage.client() as client:
        for path in ("/", "/api/v1/alerts", "/metrics"):
            answer = await client.get(path, headers={"Host": host})
            assert (answer.status_code, answer.json()["code"]) == (421, "foreign-host")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_pages_of_other_sites_give_no_commands(stage: Stage, headers: dict[str, str]) -> None:
    """A form or script elsewhere cannot acknowledge through the operator's browser."""
    async with stage.client() as client:
        answer = await client.post(ACK, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin")
    assert stage.core.commands == []


@pytest.mark.parametrize("headers", [{}, {"Origin": HOST, "Sec-Fetch-Site": "same-origin"}])
async def test_own_pages_and_programs_give_commands(stage: Stage, headers: dict[str, str]) -> None:
    """The page that came from here, and programs that send no Origin, may acknowledge."""
    async with stage.client() as client:
        assert (await client.post(ACK, headers=headers)).status_code == 200


async def test_no_other_site_may_read(stage: Stage) -> None:
    """There is no CORS: neither an answer nor a preflight allows another origin."""
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    async with stage.client() as client:
        for answer in (
            await client.get("/api/v1/alerts", headers=headers),
            await client.options(ACK, headers=headers),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/api/v1/alerts", "/docs", "/nothing/here"])
async def test_answers_tell_the_browser_what_it_may_do(stage: Stage, path: str) -> None:
    """Nothing may be loaded from elsewhere, framed or guessed; scripts come from files of ours only."""
    async with stage.client() as client:
        headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


async def test_a_body_in_pieces_is_bounded(stage: Stage) -> None:
    """A body without a length is cut off as soon as it is too large."""

    async def endless() -> Any:
        for _ in range(1_000):
            yield json.dumps({"comment": "x" * 1_000}).encode()

    async with stage.client() as client:
        answer = await client.post(ACK, content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
