"""Rubbish from the broker ends in the reject table, and readings go on beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from servers.process import Server
from system.running import System, system, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]
STRANGER = "spBv1.0/kill-test/DDATA/stranger/pump"
NOWHERE = "spBv1.0/kill-test/SHOUT/gw"


def items(running: System, path: str) -> list[dict[str, Any]]:
    """Return the items of a list; none when nobody answers."""
    status, body = running.get(path)
    return list(body["items"]) if status == 200 else []


def newest(running: System) -> str:
    """Return the time of the newest reading, "" before the first."""
    return max((str(item["time"]) for item in items(running, "/api/v1/readings/latest")), default="")


def test_what_strangers_send_is_kept_with_its_reason(broker: Server, tmp_path: Path) -> None:
    """A broken payload and a wrong topic have a row each; readings go on, and a kill forgets no row."""
    with system(tmp_path, broker) as running:
        wait_for("readings come", lambda: newest(running))
        rubbish = [(STRANGER, b"\xff\x00no protobuf", 0, False), (NOWHERE, b"", 0, False)]
        publish.multiple(rubbish, hostname="127.0.0.1", port=broker.port)
        wait_for("both are in the table", lambda: len(items(running, "/api/v1/rejects")) >= 2, 20)
        found = {(row["source"], row["reason"]) for row in items(running, "/api/v1/rejects")}
        assert found == {(STRANGER, "payload"), (NOWHERE, "topic")}
        before = newest(running)
        wait_for("readings go on", lambda: newest(running) > before)
        running.kill_part("core")
        wait_for("the service is ready again", running.ready, 90)
        assert len(items(running, "/api/v1/rejects")) == 2
