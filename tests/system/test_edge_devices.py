"""One agent with every kind of device at once, in front of their real peers, through to the store.

One peer then takes connections and never answers. The devices beside it keep their pace, the one that hangs
is said to the person at the gateway and dead to the host, and when it answers again so do its readings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance.stages import Stage, stage_of
from minewatch_edge.runtime import moment
from servers import Server
from system.running import System, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

S = 1_000_000_000
INTERVAL_S = 0.25
TICK_S = 0.5  # between two values of a peer that sends by itself
TICKS = 14
KINDS = {  # quantity and unit of each device
    "modbus": ("methane", "% CH4"),
    "opcua": ("fan_pressure", "Pa"),
    "mqtt": ("carbon_monoxide", "ppm"),
    "serial": ("air_velocity", "m/s"),
    "csv": ("dust", "mg/m3"),
    "system": ("temperature", "°C"),
    "simulated": ("humidity", "%"),
}
HANGS = "modbus"
TOLD = ("opcua", "mqtt", "csv")  # their readings come when the peer has news
POLLED = ("serial", "system", "simulated")
SAYS_BAD = ("opcua", "serial", "system")  # beside the one that hangs


def toml(value: object) -> str:
    """Return a value as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def device_toml(kind: str, stage: Stage) -> list[str]:
    """Return the lines of one device and its two points."""
    quantity, unit = KINDS[kind]
    keys = {"id": kind, "zone": f"zone-{kind}", "driver": kind, "interval_s": INTERVAL_S, **stage.device()}
    if kind == HANGS:
        keys |= {"timeout_s": 4.0, "hang_s": 1.0}  # a poll that waits long: it must be nobody else's wait
    lines = ["[[device]]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    for index, more in enumerate(stage.points()):
        point = {"metric": f"m{index}", "quantity": quantity, "unit": unit, **more}
        lines += ["[[device.point]]", *(f"{key} = {toml(value)}" for key, value in point.items())]
    return lines


class Gateway:
    """The peers, the agent before them, and what the service says of it."""

    def __init__(self, folder: Path, broker: Server) -> None:
        self.parts = System(folder, broker)
        self.stages: dict[str, Stage] = {}
        self.last: dict[str, float] = {}
        for kind in KINDS:
            made = stage_of(kind)
            assert made is not None
            self.stages[kind] = made(folder)
        for number, (kind, stage) in enumerate(self.stages.items()):
            stage.start()
            for point in (0, 1):
                stage.set(point, number + 0.5 + point)
            self.last[kind] = number + 1.5
        lines = [
            '[gateway]\nsite = "all"\nid = "gw-1"',
            f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nkeepalive_s = 5',
            f'[spool]\npath = "{folder}/edge.spool"\nresend_s = 3',
            '[clock]\nsource = "none"',
        ]
        for kind, stage in self.stages.items():
            lines += device_toml(kind, stage)
        self.parts.edge.write_text("\n".join(lines) + "\n")

    def points(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the service's points by device and metric."""
        status, body = self.parts.get("/api/v1/points")
        return {(p["device"], p["metric"]): p for p in body["items"]} if status == 200 else {}

    def latest(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the newest reading of each point by device and metric."""
        names = {p["id"]: name for name, p in self.points().items()}
        status, body = self.parts.get("/api/v1/readings/latest")
        return {names[r["point"]]: r for r in body["items"]} if status == 200 else {}

    def shows(self, kind: str, value: float, metric: str = "m1") -> bool:
        """Return whether a good reading with that value is the newest of a point."""
        found = self.latest().get((kind, metric), {})
        return found.get("quality_text") == "good" and abs((found["value"] or 0.0) - value) < 1e-3

    def is_bad(self, kind: str) -> bool:
        """Return whether the newest reading of a device's first point is bad, and no number."""
        found = self.latest().get((kind, "m0"), {})
        return found.get("quality", 0) >= 128 and found["value"] is None

    def readings(self, kind: str, from_ns: int, to_ns: int) -> list[dict[str, Any]]:
        """Return the readings of a device's second point in a span of time."""
        number = self.points()[kind, "m1"]["id"]
        begin, end = (
            datetime.fromtimestamp(ns / S, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for ns in (from_ns, to_ns)
        )
        status, body = self.parts.get(f"/api/v1/points/{number}/readings?from={begin}&to={end}")
        assert status == 200, body
        return list(body["items"])

    def good(self, kind: str, from_ns: int, to_ns: int) -> set[float]:
        """Return the values of good readings of a device's second point in a span of time."""
        return {r["value"] for r in self.readings(kind, from_ns, to_ns) if r["quality"] == 0}

    def problems(self) -> list[str]:
        """Return what the service says is wrong with the gateway."""
        _, body = self.parts.get("/api/v1/gateways")
        return list(body["items"][0]["problems"]) if body["items"] else []

    def status(self) -> dict[str, Any]:
        """Return what `minewatch-edge status` says."""
        done = subprocess.run(
            [sys.executable, "-m", "minewatch_edge.cli", "status", str(self.parts.edge), "--json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def play(self, ticks: int) -> tuple[int, int]:
        """Have the peers that send by themselves send, each tick another value; return from when to when."""
        began = moment().wall_ns // 1_000_000 * 1_000_000  # readings have whole milliseconds
        for _ in range(ticks):
            for kind in TOLD:
                self.last[kind] += 0.25
                self.stages[kind].set(1, self.last[kind])
            threading.Event().wait(TICK_S)
        return began, moment().wall_ns

    def stop(self) -> None:
        """End everything."""
        self.parts.stop()
        for stage in self.stages.values():
            stage.close()


@pytest.fixture
def gateway(mosquitto_server: Server, tmp_path: Path) -> Iterator[Gateway]:
    """The whole of it, running; its logs are printed when a test leaves with an error."""
    made = Gateway(tmp_path, mosquitto_server)
    try:
        made.parts.start_service()
        made.parts.start_agent()
        yield made
    finally:
        made.stop()
        for log in tmp_path.glob("*.log"):
            sys.stderr.write(f"==== {log.name}\n{log.read_text(errors='replace')[-4000:]}\n")


def test_every_kind_of_device_at_once(gateway: Gateway) -> None:
    """Values, units and qualities of seven kinds arrive; one peer hangs and takes nobody's slots with it."""
    wait_for("each device has a point at the service", lambda: len(gateway.points()) == 2 * len(KINDS), 90)
    for (kind, _), point in gateway.points().items():
        assert (point["quantity"], point["unit"], point["zone"]) == (*KINDS[kind], f"zone-{kind}")
    gateway.play(1)  # what was there before the uplink came as history, and is no news
    for kind in KINDS:
        wait_for(f"{kind} has its value in the store", lambda k=kind: gateway.shows(k, gateway.last[k]))
    for kind in SAYS_BAD:
        gateway.stages[kind].set_bad(0)
    for kind in SAYS_BAD:
        wait_for(f"{kind} is bad where its peer says so", lambda k=kind: gateway.is_bad(k))
    assert gateway.status()["problems"] == {}

    gateway.stages[HANGS].hang()
    wait_for("the one that hangs is said", lambda: HANGS in gateway.status()["problems"])
    wait_for("it is dead to the host", lambda: "device-dead" in gateway.problems())
    assert gateway.is_bad(HANGS)
    began, ended = gateway.play(TICKS)
    slots = (ended - began) / S / INTERVAL_S
    for kind in TOLD:  # each value came, none was held up until the next one took its place
        wait_for(f"{TICKS} values of {kind}", lambda k=kind: len(gateway.good(k, began, ended)) == TICKS)
    for kind in POLLED:
        # Had they waited for the poll that hangs (4 s), one or two readings would be there.
        assert 0.7 * slots <= len(gateway.readings(kind, began, ended)) <= slots + 2, kind
    assert list(gateway.status()["problems"]) == [HANGS]

    gateway.stages[HANGS].stop()
    gateway.stages[HANGS].start()
    wait_for("it reads again", lambda: gateway.shows(HANGS, gateway.last[HANGS]))
    wait_for("nobody is dead", lambda: "device-dead" not in gateway.problems())
    wait_for("nothing is said any more", lambda: gateway.status()["problems"] == {})
