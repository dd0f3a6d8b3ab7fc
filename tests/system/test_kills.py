"""kill -9 of every part in turn, under load: nothing lost, nothing twice, each alert raised once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from minewatch.contracts import EventKind
from servers.process import Server
from system.running import System, system, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


def settle(running: System) -> None:
    """Wait until the service is ready and the gateway's readings reach it again."""
    wait_for("the service is ready again", running.ready, 90)
    before = running.held()["acked"]
    wait_for("readings are acknowledged again", lambda: running.held()["acked"] > before)


def test_nothing_is_lost_or_doubled_whatever_is_killed(broker: Server, tmp_path: Path) -> None:
    """Agent, ingest, core, serve and broker die in turn: sent equals stored and alerts are raised once."""
    with system(tmp_path, broker) as running:
        wait_for("the incident is raised", lambda: alerts(running, "methane-trip"), 90)
        for part in ("ingest", "core", "serve"):
            running.kill_part(part)
            settle(running)
        running.kill_agent()
        settle(running)
        running.broker.kill()
        wait_for("the loss is told", lambda: not running.ready())
        running.broker.start()
        settle(running)
        running.drain_agent()
        sent = running.held()["sampled"]
        running.stop()
        counts = running.counts()
        assert (sent, counts.stored) == (counts.distinct, counts.distinct)
        raised = [event.alert for event in running.journal() if event.event is EventKind.RAISED]
        assert {alert for alert, times in Counter(alert.id for alert in raised).items() if times > 1} == set()
        live = Counter(
            alert.rule for alert in raised if alert.quantity == "methane" and not alert.retrospective
        )
        # the meter swings over its limit every 20 s and the limits wait 30 s before they clear: one life each
        assert live["methane-trip"] == 1
        assert set(live.values()) == {1}, live


def alerts(running: System, rule: str) -> list[object]:
    """Return the open alerts of a rule."""
    status, body = running.get(f"/api/v1/alerts?rule={rule}")
    return list(body["items"]) if status == 200 else []
