"""The agent as a service: word to systemd, the form of its log, a configuration read again."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from minewatch_edge import config, drivers, logs
from minewatch_edge.clocks import Moment
from minewatch_edge.config import EdgeConfig, MetricsConfig
from minewatch_edge.drivers.driver import Driver
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.notify import Notify
from minewatch_edge.operation import Operation
from minewatch_edge.reload import Prepared, Reloader
from minewatch_edge.spool import Counters
from minewatch_edge.state import AgentState
from minewatch_edge.tables import Table
from minewatch_edge.testing import ListDriver
from unit.edge.test_safety import RULES

STATE = AgentState(0, "mine", "gw", True, True, True, 1, Counters(), 0, 0, 0, "s", 0.0, devices={"d": 0.1})


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The socket that systemd would listen on, and its address."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        ear.settimeout(5)
        yield ear, address


def heard(ear: socket.socket) -> str:
    """Return the next datagram."""
    return ear.recv(4096).decode()


def test_systemd_hears_ready_status_reload_watchdog_and_the_end(systemd: tuple[socket.socket, str]) -> None:
    """READY with the first state, STATUS when it changes, WATCHDOG each quarter of its time, STOPPING."""
    ear, address = systemd
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "7"}
    operation = Operation(EdgeConfig("mine", "gw"), Notify.from_environment(environment, pid=7))
    operation.tell(STATE)
    assert heard(ear) == "READY=1\nSTATUS=online, 1 devices answer"
    operation.tell(STATE)  # nothing changed: nothing said
    operation.tell(replace(STATE, problems={"broker": "gone"}))
    assert heard(ear) == "STATUS=broker: gone"
    for ms in (0, 500, 999, 1000, 1500):
        operation.turn(Moment(0, ms * 1_000_000), 0)
    assert [heard(ear), heard(ear)] == ["WATCHDOG=1"] * 2
    for s in (2, 3, 8):  # one call of the loop takes long, as a start with a damaged spool
        operation.notify.working(s * 1_000_000_000)
    assert [heard(ear), heard(ear)] == ["WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000"] * 2
    operation.stopping()
    assert heard(ear) == "STOPPING=1"
    operation.close()


def test_without_systemd_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    """No socket, a socket that is gone, another process's watchdog: all without effect."""
    assert Notify.from_environment({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "8"}, pid=7)._watchdog_ns == 0
    for notify in (Notify(), Notify(str(tmp_path / "gone"), 1.0)):
        notify.ready("x")
        notify.alive(10**9)
        notify.close()


def logged(form: str, stream: io.TextIOBase) -> None:
    """Log an information, a warning and an error with its traceback in a form."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logs.begin("info", form, stream)  # type: ignore[arg-type]  # any text stream
        log = logging.getLogger("test")
        log.debug("unheard")
        log.info("said")
        log.warning("warned")
        try:
            raise ValueError("why")
        except ValueError:
            log.exception("failed")
    finally:
        logging.getLogger().handlers[:] = before[0]
        logging.getLogger().setLevel(before[1])


def test_the_journal_gets_priorities_and_no_time() -> None:
    """Each line, also of a traceback, has its priority in front; the journal has the time."""
    out = io.StringIO()
    logged("journal", out)
    lines = out.getvalue().splitlines()
    assert lines[:3] == ["<6>said", "<4>warned", "<3>failed"]
    assert len(lines) > 4
    assert all(line.startswith("<3>") for line in lines[2:])


def test_text_and_json_carry_their_time() -> None:
    """Text has time and level in front; JSON is one object a line, the traceback inside."""
    text, packed = io.StringIO(), io.StringIO()
    logged("text", text)
    assert re.match(r"\d{4}-\d\d-\d\d [\d:,]+ INFO said$", text.getvalue().splitlines()[0])
    logged("json", packed)
    entries = [json.loads(line) for line in packed.getvalue().splitlines()]
    assert [e["level"] for e in entries] == ["info", "warning", "error"]
    assert "ValueError: why" in entries[2]["traceback"]


def test_auto_is_the_journal_only_when_stderr_is_the_journal(tmp_path: Path) -> None:
    """JOURNAL_STREAM names device and inode of the stream; another stream is a person's."""
    with (tmp_path / "a").open("w") as journal, (tmp_path / "b").open("w") as other:
        found = os.fstat(journal.fileno())
        environment = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert logs.in_journal(journal, environment)
        assert not logs.in_journal(other, environment)
        assert not logs.in_journal(io.StringIO(), environment)


# --- reload -------------------------------------------------------------------------------

POINT = {"metric": "m", "quantity": "q", "unit": "1"}
SIREN = {"kind": "gpio-file", "file": "siren", "function": "siren", "id": "siren", "safe": "off"}


def changed(folder: Path, more: dict[str, object]) -> EdgeConfig:
    """Return the configuration of one device, with more tables."""
    device = {"id": "a", "driver": "simulated", "interval_s": 1.0, "point": [POINT]}
    values = {"gateway": {"site": "mine", "id": "gw"}, "broker": {"host": "h"}, "device": [device]}
    return config.parse(Table({**values, **more}, "edge.toml"), folder)


def parsed(folder: Path, **devices: float) -> EdgeConfig:
    """Return a configuration with simulated devices by their interval."""
    tables = [
        {"id": name, "driver": "simulated", "interval_s": interval_s, "point": [POINT]}
        for name, interval_s in devices.items()
    ]
    values = {"gateway": {"site": "mine", "id": "gw"}, "broker": {"host": "h"}, "device": tables}
    return config.parse(Table(values, "edge.toml"), folder)


class Reloading:
    """A reloader over configurations that a test hands in."""

    def __init__(self, first: EdgeConfig) -> None:
        self.next: EdgeConfig | EdgeConfigError = first
        self.made: list[Driver] = [self.make(device, first) for device in first.devices]
        self.reloader = Reloader(first, self.made, self.load, self.make)

    def load(self) -> EdgeConfig:
        if isinstance(self.next, EdgeConfigError):
            raise self.next
        return self.next

    @staticmethod
    def make(device: config.DeviceConfig, settings: EdgeConfig) -> Driver:
        return drivers.make(device, settings.folder, lambda _reject: None)

    def reload(self) -> Prepared | None:
        """Ask and wait for the answer."""
        self.reloader.ask()
        while self.reloader.busy:
            if (found := self.reloader.poll()) is not None:
                return found
            threading.Event().wait(0.001)
        return None


def test_only_devices_that_changed_get_a_new_driver(tmp_path: Path) -> None:
    """The driver of a device that stays is the same object; the others are made, and named in the log."""
    reloading = Reloading(parsed(tmp_path, a=1.0, b=1.0, c=1.0))
    reloading.next = parsed(tmp_path, c=1.0, b=2.0, d=1.0)
    prepared = reloading.reload()
    assert prepared is not None
    assert prepared.drivers[0] is reloading.made[2]
    assert prepared.drivers[1] is not reloading.made[1]
    assert prepared.changed == ("changed device b", "new device d", "removed device a")
    reloading.reloader.done(prepared)
    again = reloading.reload()
    assert again is not None
    assert (again.drivers, again.changed) == (prepared.drivers, ())


def test_a_wrong_configuration_is_refused_as_a_whole(tmp_path: Path) -> None:
    """The problem names key and mend, and goes away with the next right one."""
    reloading = Reloading(parsed(tmp_path, a=1.0))
    reloading.next = EdgeConfigError(
        "'x' is no number", where="edge.toml: broker.port", mend="Write a number"
    )
    assert reloading.reload() is None
    assert "broker.port: 'x' is no number" in reloading.reloader.problem
    reloading.next = replace(parsed(tmp_path, a=1.0), site="other")
    assert reloading.reload() is None
    assert "site: it cannot change while the agent runs" in reloading.reloader.problem
    assert reloading.reloader.refused == 2
    reloading.next = parsed(tmp_path, a=1.0)
    prepared = reloading.reload()
    assert prepared is not None
    reloading.reloader.done(prepared)
    assert reloading.reloader.problem == ""


@pytest.mark.parametrize(
    ("table", "value", "word"),
    [
        ("clock", {"holdover_h": 1}, "clock"),
        ("safety", {"rules": ["rules.toml"]}, "safety.rules"),
        ("panel", [{"id": "t", "kind": "gpio-file", "file": "b", "action": "test"}], "panel"),
    ],
)
def test_what_takes_a_restart_is_said(table: str, value: object, word: str, tmp_path: Path) -> None:
    """A table that cannot change while the agent runs is refused by its own name, with the mend."""
    (tmp_path / "rules.toml").write_text(RULES)
    first = parsed(tmp_path, a=1.0)
    reloading = Reloading(first)
    reloading.next = changed(tmp_path, {table: value})
    assert reloading.reload() is None
    said = f"{word}: it cannot change while the agent runs. Restart the agent"
    assert said in reloading.reloader.problem


def test_a_rule_that_changed_in_its_file_takes_a_restart(tmp_path: Path) -> None:
    """Rule files are read again too: another threshold is refused, the same one is nothing new."""
    (tmp_path / "rules.toml").write_text(RULES)
    safety: dict[str, object] = {"safety": {"rules": ["rules.toml"]}, "output": [SIREN]}
    reloading = Reloading(changed(tmp_path, safety))
    reloading.next = changed(tmp_path, safety)
    assert reloading.reload() is not None
    (tmp_path / "rules.toml").write_text(RULES.replace("threshold = 1.0", "threshold = 1.5"))
    reloading.next = changed(tmp_path, safety)
    assert reloading.reload() is None
    assert "safety.rules: it cannot change" in reloading.reloader.problem
    (tmp_path / "rules.toml").write_text(RULES)
    reloading.next = changed(tmp_path, {**safety, "output": [{**SIREN, "pulse_s": 1}]})
    assert reloading.reload() is None
    assert reloading.reloader.problem.count("output: it cannot change") == 1


def test_another_fallback_broker_is_taken(tmp_path: Path) -> None:
    """[[broker.fallback]] is part of the broker, which may change while the agent runs."""
    reloading = Reloading(parsed(tmp_path, a=1.0))
    reloading.next = changed(tmp_path, {"broker": {"host": "h", "fallback": [{"url": "mqtt://second"}]}})
    prepared = reloading.reload()
    assert prepared is not None
    assert prepared.changed == ("broker",)


def test_drivers_of_a_refused_configuration_are_closed(tmp_path: Path) -> None:
    """When the second new device cannot be made, the first one's driver does not stay open."""
    opened: list[ListDriver] = []

    def make(device: config.DeviceConfig, _settings: EdgeConfig) -> Driver:
        if device.id == "z":
            raise EdgeConfigError("no such port", where="device[1]", mend="Mend it")
        opened.append(ListDriver([p.birth for p in device.points]))
        return opened[-1]

    first = parsed(tmp_path, a=1.0)
    reloading = Reloading(first)
    reloading.reloader = Reloader(first, reloading.made, reloading.load, make)
    reloading.next = parsed(tmp_path, n=1.0, z=1.0)
    assert reloading.reload() is None
    assert [driver.closed for driver in opened] == [True]


def test_metrics_move_with_the_configuration() -> None:
    """A new port is opened before the old one closes; a port that is taken refuses the configuration."""
    operation = Operation(EdgeConfig("mine", "gw"))
    assert operation.metrics_port == 0
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        busy, port = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        with pytest.raises(EdgeConfigError, match="cannot listen"):
            operation.check(EdgeConfig("mine", "gw", metrics=MetricsConfig(busy)))
        new = EdgeConfig("mine", "gw", metrics=MetricsConfig(port))
        operation.check(new)
        before = logging.getLogger().handlers[:], logging.getLogger().level
        operation.taken(Prepared(new, (), ()))
        logging.getLogger().handlers[:] = before[0]
        logging.getLogger().setLevel(before[1])
    assert operation.metrics_port == port
    operation.close()
