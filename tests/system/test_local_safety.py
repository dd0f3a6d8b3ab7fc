"""Local safety with real processes: a meter and a siren on Modbus, a cut uplink, one life in the journal."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from conformance.stages.modbus_peer import ModbusPeer
from minewatch.contracts import AlertEvent, AlertState, EventKind
from servers import Server
from system.running import System, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

RULE = "belt-methane"
PACK = """
[pack]
jurisdiction = "site"
effective_from = 2025-01-01
[[rule]]
id = "belt-methane"
quantity = "methane"
unit = "% CH4"
detector = "value"
comparison = ">="
threshold = 1.0
deadband = 0.1
on_delay_s = 0.2
off_delay_s = 0.4
priority = 1
page = true
citation = "a test"
status = "unverified"
[rule.message]
kk = "метан"
ru = "метан"
en = "methane at the belt"
"""
EDGE = """
[gateway]
site = "kill-test"
id = "gw-1"
[broker]
host = "127.0.0.1"
port = {broker}
keepalive_s = 5
[spool]
path = "{folder}/edge.spool"
resend_s = 3
[safety]
rules = ["{folder}/rules"]
[[output]]
id = "siren"
kind = "modbus-coil"
function = "siren"
safe = "off"
on_no_signal = "hold"
host = "127.0.0.1"
port = {modbus}
address = 0
heartbeat_address = 16
heartbeat_s = 0.2
[[panel]]
id = "ack-1"
kind = "modbus-input"
action = "acknowledge"
host = "127.0.0.1"
port = {modbus}
address = 0
[[device]]
id = "belt"
zone = "belt-7"
driver = "modbus"
interval_s = 0.1
host = "127.0.0.1"
port = {modbus}
[[device.point]]
metric = "CH4"
quantity = "methane"
unit = "% CH4"
low = 0.0
high = 5.0
register = 4
scale = 0.01
"""


class Site:
    """A whole system, its gateway wired to a Modbus server that the test plays."""

    def __init__(self, folder: Path, broker: Server) -> None:
        rules = folder / "rules"
        rules.mkdir()
        (rules / "belt.toml").write_text(PACK)
        more = f'[alerts]\npacks = ["signal"]\nrule_dirs = ["{rules}"]\n'
        self.parts = System(folder, broker, more=more)
        self.peer = ModbusPeer()
        self.gas(0.2)
        self.peer.start()
        self.client = ModbusTcpClient("127.0.0.1", port=self.peer.port, timeout=5)
        self.parts.edge.write_text(EDGE.format(broker=broker.port, folder=folder, modbus=self.peer.port))
        self.state = folder / "edge.spool.safety.json"

    def gas(self, percent: float) -> None:
        """Have the meter show so much methane."""
        self.peer.set(4, [round(percent * 100)])

    def button(self, *, pressed: bool) -> None:
        """Press the button, or let it go."""
        self.peer.set(0, [pressed], "discrete")

    def coil(self, address: int = 0) -> bool:
        """Return what a coil shows."""
        return bool(self.client.read_coils(address, count=1).bits[0])

    def events(self) -> list[dict[str, object]]:
        """Return the life of the one alert of the rule; fails when there are two."""
        status, body = self.parts.get(f"/api/v1/alerts?rule={RULE}&history=true")
        assert status == 200
        assert len(body["items"]) <= 1, body
        if not body["items"]:
            return []
        return list(self.parts.get(f"/api/v1/alerts/{body['items'][0]['id']}/events")[1]["items"])

    def lives(self) -> int:
        """Return how many alerts the gateway holds."""
        return len(json.loads(self.state.read_text())["lives"]) if self.state.exists() else 0

    def stop(self) -> None:
        """End everything."""
        self.parts.stop()
        self.client.close()
        self.peer.stop()


@contextlib.contextmanager
def site(folder: Path, broker: Server) -> Iterator[Site]:
    """Yield a site that runs and is on line; print its logs when the test fails."""
    made = Site(folder, broker)
    try:
        made.parts.start_service()
        made.parts.start_agent()
        wait_for("readings are acknowledged", lambda: made.parts.held()["acked"] > 0, 90)
        yield made
    except BaseException:
        for log in folder.glob("*.log"):
            sys.stderr.write(f"==== {log.name}\n{log.read_text(errors='replace')[-4000:]}\n")
        raise
    finally:
        made.stop()


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "kill -9"])
def test_an_alarm_while_the_uplink_is_cut(mosquitto_server: Server, tmp_path: Path, killed: bool) -> None:
    """Siren on without a broker, silenced at the panel, over; then one life in order, with both times."""
    with site(tmp_path, mosquitto_server) as at:
        mosquitto_server.kill()
        crossed = time.monotonic()
        at.gas(1.5)
        wait_for("the siren is on", at.coil)
        took_s = time.monotonic() - crossed
        sys.stderr.write(f"siren {took_s:.2f} s after the crossing\n")
        assert took_s < 3.0  # 0.3 s on a machine that has time; the meter is asked ten times a second
        if killed:
            at.parts.kill_agent()
            at.peer.set(0, [False], "coil")  # what a watchdog's relay does
            wait_for("the siren is on again", at.coil)
        beats = {at.coil(16)}
        wait_for("the watchdog is beaten", lambda: beats.add(at.coil(16)) or len(beats) == 2)
        at.button(pressed=True)
        wait_for("the siren is silenced", lambda: not at.coil())
        at.button(pressed=False)
        at.gas(0.3)
        wait_for("the alert is over at the gateway", lambda: at.lives() == 0)
        mosquitto_server.start()
        wait_for("its end is told", lambda: len(at.events()) >= 3, 120)
        wait_for("history is through", lambda: at.parts.held()["held"] < 30, 90)
        at.parts.drain_agent()
        at.parts.stop()
        check_the_life(journal_of(at))


def test_an_alarm_on_line_is_one_alert_of_both(mosquitto_server: Server, tmp_path: Path) -> None:
    """Gateway and service find the same: one id, one call, a row of each; the panel acknowledges it."""
    with site(tmp_path, mosquitto_server) as at:
        at.gas(1.5)
        wait_for("both have told", lambda: len(at.events()) >= 2, 90)
        at.button(pressed=True)
        wait_for("it is acknowledged", lambda: any(e["event"] == "acknowledged" for e in at.events()), 90)
        at.gas(0.3)
        wait_for("both have told the end", lambda: len(at.events()) >= 5, 90)
        at.parts.stop()
        life = journal_of(at)
        kinds = [event.event for event in life]
        assert sorted(kinds) == ["acknowledged", "also-cleared", "also-raised", "cleared", "raised"]
        assert len({event.alert.id for event in life}) == 1
        assert {bool(e.source) for e in life if e.event in ("raised", "also-raised")} == {True, False}
        assert life[-1].alert.state is AlertState.NORMAL
        assert life[-1].alert.origin == "both"


def journal_of(at: Site) -> list[AlertEvent]:
    """Return the journal's rows of the rule, the chain walked."""
    return [event for event in at.parts.journal() if event.alert.rule == RULE]


def check_the_life(life: list[AlertEvent]) -> None:
    """Hold the journal to one alert: raised, acknowledged at the panel, cleared, with the times of both."""
    told = [event for event in life if event.source]
    assert [event.event for event in told] == [EventKind.RAISED, EventKind.ACKNOWLEDGED, EventKind.CLEARED]
    assert len({event.alert.id for event in life}) == 1
    assert [event.event for event in life].count(EventKind.RAISED) == 1
    assert told[1].actor == "panel:kill-test/gw-1/ack-1"
    assert told[2].alert.state is AlertState.NORMAL
    assert [event.time_ns for event in told] == sorted(event.time_ns for event in told)
    assert all(0 < event.gateway_ns < event.service_ns for event in told)
    assert not any(event.alert.retrospective for event in life)
