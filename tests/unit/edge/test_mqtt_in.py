"""Devices that publish JSON, through real brokers: fields, times, retained messages, and every fault."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.publish as paho
import pytest

from minewatch_edge import config, drivers
from minewatch_edge.drivers.csv_rows import TimeFormat
from minewatch_edge.drivers.driver import Batch, Driver, Keeping, Reading, Resuming
from minewatch_edge.drivers.mqtt_json import Unusable, path_of, time_ns
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.sparkplug.codec import BAD, GOOD, UNCERTAIN
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table
from servers import Server, free_port, mosquitto
from servers.process import accepts

S = 1_000_000_000
T0 = 1_800_000_000 * S


class Bench:
    """A broker, a driver's configuration, and what came of it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.rejects: list[Reject] = []
        self.readings: list[Reading] = []
        self.now = T0
        self.opened: list[Driver] = []

    def driver(self, *points: dict[str, Any], **device: Any) -> Driver:
        """Return a driver, connected."""
        driver = self.made(*points, **device)
        driver.poll(self.now)
        return driver

    def made(self, *points: dict[str, Any], **device: Any) -> Driver:
        """Return a driver that was not asked yet."""
        tables = [{"metric": f"m{i}", "quantity": "q", "unit": "u", **p} for i, p in enumerate(points)]
        broker = {"host": "127.0.0.1", "port": self.port, **device.pop("broker", {})}
        one = {"id": "d", "driver": "mqtt", "broker": broker, **device, "point": tables}
        top = {"gateway": {"site": "s", "id": "g"}, "broker": {"host": "h"}, "device": [one]}
        made = config.parse(Table(top, "edge.toml"), self.folder)
        self.opened.append(drivers.make(made.devices[0], self.folder, self.rejects.append))
        return self.opened[-1]

    def say(self, topic: str, payload: object, *, retain: bool = False, qos: int = 1) -> None:
        """Publish JSON, or bytes as they are."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        paho.single(topic, raw, qos=qos, retain=retain, hostname="127.0.0.1", port=self.port)

    def until(self, driver: Driver, count: int) -> list[Reading]:
        """Poll until so many readings and rejects came together; return the readings."""
        found: list[Reading] = []
        deadline = time.monotonic() + 20
        before = len(self.rejects)
        while len(found) + len(self.rejects) - before < count:
            assert time.monotonic() < deadline, (found, self.rejects)
            self.now += S // 10
            found += driver.poll(self.now)
            threading.Event().wait(0.02)
        return found

    def reasons(self) -> list[str]:
        """Return the reasons of the rejects."""
        return [r.reason for r in self.rejects]


@pytest.fixture
def bench(tmp_path: Path, broker: Server) -> Iterator[Bench]:
    """Each broker in turn."""
    made = Bench(tmp_path, broker.port)
    yield made
    for driver in made.opened:
        driver.close()


@pytest.fixture
def at_mosquitto(tmp_path: Path, mosquitto_server: Server) -> Iterator[Bench]:
    """The broker that keeps sessions and retained messages."""
    made = Bench(tmp_path, mosquitto_server.port)
    yield made
    for driver in made.opened:
        driver.close()


@pytest.mark.parametrize(
    ("path", "found"), [("a.b[1].c", 7), ("a.b.1.c", 7), ("[0]", 1), ("", {"x": 1}), ("a.x", None)]
)
def test_paths_find_what_they_name(path: str, found: object) -> None:
    """Dots and indexes, also of a list at the top; no path is the payload itself."""
    payloads: dict[str, Any] = {"[0]": [1], "": {"x": 1}}
    payload = payloads.get(path, {"a": {"b": [0, {"c": 7}]}})
    if found is None:
        with pytest.raises(Unusable, match="there is no"):
            path_of(path).find(payload)
    else:
        assert path_of(path).find(payload) == found


def test_fields_become_readings(bench: Bench) -> None:
    """Nested fields, text that is a number, true and false, a plain number; null is bad."""
    driver = bench.driver(
        {"topic": "plant/1", "path": "gas[0].ppm"},
        {"topic": "plant/1", "path": "door"},
        {"topic": "plant/+", "path": "level"},
        {"topic": "plain", "scale": 0.1},
    )
    bench.say("plant/1", {"gas": [{"ppm": "12.5"}], "door": True, "level": None})
    bench.say("plain", 25)
    found = bench.until(driver, 4)
    assert [(r.point, r.value) for r in found if r.quality == GOOD] == [(0, 12.5), (1, 1.0), (3, 2.5)]
    (bad,) = [r for r in found if r.quality == BAD]
    assert bad.point == 2
    assert math.isnan(bad.value)
    assert bench.rejects == []


def test_topics_that_share_messages_are_refused_or_subscribed_to_once(tmp_path: Path) -> None:
    """A wider topic stands for the narrower ones; two that only overlap are an error with its mend."""
    bench = Bench(tmp_path, 1)
    driver = bench.made({"topic": "a/b"}, {"topic": "a/#"}, {"topic": "a/+"}, {"topic": "c"})
    assert driver._link._topics == [("a/#", 1), ("c", 1)]  # type: ignore[attr-defined]
    with pytest.raises(EdgeConfigError, match=r"point\[1\]\.topic.*share messages"):
        bench.made({"topic": "a/+"}, {"topic": "+/b"})


def test_what_cannot_be_used_is_refused_with_its_reason(bench: Bench) -> None:
    """Each fault is one reject that names the topic; the next message is read."""
    driver = bench.driver({"topic": "t", "path": "v"}, time="at", format="unix_s")
    at = T0 // S
    bench.say("t", b"\xff{")
    bench.say("t", b"[" * 100_000)
    bench.say("t", b" " * 300_000)
    bench.say("t", {"at": at})
    bench.say("t", {"at": at, "v": "high"})
    bench.say("t", {"at": at, "v": [1]})
    bench.say("t", b'{"at": %d, "v": NaN}' % at)
    bench.say("t", {"v": 1})
    bench.say("t", {"at": "noon", "v": 1})
    bench.say("t", {"at": at + 10 * 86_400, "v": 1})
    bench.say("t", {"at": at, "v": 1.5})
    bench.say("t", {"at": at - 5, "v": 2.5})
    found = bench.until(driver, 12)
    assert [(r.value, r.ts_ns) for r in found] == [(1.5, T0)]
    assert bench.reasons() == [
        "not-json", "not-json", "length", "no-field", "not-a-number", "not-a-number", "not-a-number",
        "no-field", "time", "time", "order",
    ]  # fmt: skip
    assert all(": t: " in r.text for r in bench.rejects)


def test_a_kept_message_is_no_fresh_reading(bench: Bench) -> None:
    """What the broker kept is refused, or uncertain if the file says so; what comes after is good."""
    bench.say("t", 1.5, retain=True)
    driver = bench.made({"topic": "t"})
    assert bench.until(driver, 1) == []
    assert bench.reasons() == ["retained"]
    bench.say("t", 2.5, retain=True)
    assert [(r.value, r.quality) for r in bench.until(driver, 1)] == [(2.5, GOOD)]
    other = bench.made({"topic": "t"}, retained="uncertain")
    assert [(r.value, r.quality) for r in bench.until(other, 1)] == [(2.5, UNCERTAIN)]


def test_a_kept_message_with_a_time_is_read_once_with_that_time(bench: Bench) -> None:
    """Its own time counts; the same one is not read again by an agent that was started anew."""
    at = T0 - 3_600 * S
    bench.say("t", {"at": at // 1_000_000, "v": 1.5}, retain=True)
    keys: dict[str, Any] = {"time": "at", "format": "unix_ms"}
    first = bench.made({"topic": "t", "path": "v"}, **keys)
    batch = first.poll(bench.now)
    while not batch:
        batch = first.poll(bench.now)
    assert [(r.value, r.ts_ns, r.quality) for r in batch] == [(1.5, at, GOOD)]
    assert isinstance(batch, Batch)
    first.close()
    second = bench.made({"topic": "t", "path": "v"}, **keys)
    assert isinstance(second, Resuming)
    second.resume(batch.mark)
    second.poll(bench.now)
    bench.say("t", {"at": at // 1_000_000 + 1, "v": 2.5})
    assert [r.value for r in bench.until(second, 1)] == [2.5]
    assert bench.rejects == []


def test_the_queue_is_bounded_and_what_finds_no_room_is_counted(bench: Bench) -> None:
    """The newest messages stay; one reject says how many went."""
    driver = bench.driver({"topic": "t"}, room=5)
    messages: list[Any] = [{"topic": "t", "payload": str(n), "qos": 1} for n in range(20)]
    paho.multiple(messages, hostname="127.0.0.1", port=bench.port)
    arrived = driver._link  # type: ignore[attr-defined]  # what waits there is the matter
    deadline = time.monotonic() + 20
    while arrived._dropped < 15:
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    found = driver.poll(bench.now)
    assert [r.value for r in found] == [15, 16, 17, 18, 19]
    assert len({r.ts_ns for r in found}) == 5
    assert [(r.reason, r.text) for r in bench.rejects] == [("queue", "15 messages found no room")]


def test_a_broker_that_goes_is_told_and_read_again(at_mosquitto: Bench, mosquitto_server: Server) -> None:
    """The error names the address; the same driver goes on when the broker is back."""
    bench = at_mosquitto
    driver = bench.driver({"topic": "t"})
    mosquitto_server.kill()
    deadline = time.monotonic() + 20
    while driver._link.subscribed.is_set():  # type: ignore[attr-defined]  # until the loss is noticed
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    with pytest.raises(DriverError, match=rf"127\.0\.0\.1:{bench.port}"):
        driver.poll(bench.now)
    mosquitto_server.start()
    while time.monotonic() < deadline:
        try:
            driver.poll(bench.now)
            break
        except DriverError:
            threading.Event().wait(0.05)
    bench.say("t", 4.5)
    assert [r.value for r in bench.until(driver, 1)] == [4.5]


def test_what_came_while_the_agent_was_away_waits_at_the_broker(at_mosquitto: Bench) -> None:
    """With keep the broker holds messages of QoS 1 for us, and those that were not taken come again."""
    bench = at_mosquitto
    keys: dict[str, Any] = {"keep": True, "broker": {"client_id": "gw-in"}}
    driver = bench.driver({"topic": "t"}, **keys)
    bench.say("t", 1)
    deadline = time.monotonic() + 20
    while not driver._link.arrived.is_set():  # type: ignore[attr-defined]  # it came, and was not taken
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    driver.close()
    bench.say("t", 2)
    keys = {"keep": True, "broker": {"client_id": "gw-in"}}
    again = bench.made({"topic": "t"}, **keys)
    assert [r.value for r in bench.until(again, 2)] == [1, 2]


def test_a_message_is_confirmed_only_when_its_reading_is_on_the_disk(at_mosquitto: Bench) -> None:
    """However often the driver is asked: what was handed out and not committed comes again, else not."""
    bench = at_mosquitto

    def begun() -> Driver:
        return bench.made({"topic": "t"}, keep=True, broker={"client_id": "gw-in"})

    def asked_on(driver: Driver) -> None:
        for _ in range(3):
            bench.now += S
            driver.poll(bench.now)

    driver = bench.driver({"topic": "t"}, keep=True, broker={"client_id": "gw-in"})
    bench.say("t", 1)
    assert [r.value for r in bench.until(driver, 1)] == [1]
    asked_on(driver)
    driver.close()
    driver = begun()
    assert [r.value for r in bench.until(driver, 1)] == [1]
    assert isinstance(driver, Keeping)
    driver.kept(1_000)  # polls, and more than there were
    asked_on(driver)
    driver.close()
    bench.say("t", 2)
    assert [r.value for r in bench.until(begun(), 1)] == [2]


@pytest.mark.parametrize("found", [10**30, "1e300"])
def test_a_time_that_no_clock_can_hold_is_refused(found: object) -> None:
    """Also before the gateway's own clock was set, when it judges nothing: it would end the agent."""
    with pytest.raises(Unusable, match=r"."):
        time_ns(found, TimeFormat("unix_ms"))


def test_tls_and_a_password(tmp_path: Path) -> None:
    """A broker that asks for both is read; without the password the error says so."""
    if shutil.which("openssl") is None or shutil.which("mosquitto_passwd") is None:
        pytest.skip("absent part: openssl and mosquitto_passwd")
    port = free_port()
    run = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "ca.pem"]
    run += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", "users", "gas", "word"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (tmp_path / "secret").write_text("word\n")
    (tmp_path / "tls.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {tmp_path}/users\nuser root\n"
        f"cafile {tmp_path}/ca.pem\ncertfile {tmp_path}/ca.pem\nkeyfile {tmp_path}/key.pem\n"
    )
    command = [mosquitto.find(), "-c", str(tmp_path / "tls.conf")]
    server = Server("mosquitto", port, tmp_path, command, lambda: accepts(port))
    server.start()
    bench = Bench(tmp_path, port)
    try:
        tls = {"tls": True, "ca_file": "ca.pem", "username": "gas"}
        driver = bench.driver({"topic": "t"}, broker={**tls, "password_file": "secret"})
        paho.single(
            "t", "1.5", hostname="127.0.0.1", port=port, auth={"username": "gas", "password": "word"},
            tls={"ca_certs": str(tmp_path / "ca.pem")}, qos=1,
        )  # fmt: skip
        assert [r.value for r in bench.until(driver, 1)] == [1.5]
        refused = bench.made({"topic": "t"}, broker=tls)
        with pytest.raises(DriverError, match="check username, password"):
            refused.poll(T0)
        refused.close()
        driver.close()
    finally:
        server.stop()


def test_check_says_what_each_point_gave(bench: Bench) -> None:
    """A kept message will do; a point that gave nothing is a fault with what came instead."""
    bench.say("a", 1.5, retain=True)
    bench.say("b", "hello", retain=True)
    found = bench.made({"topic": "a"}, {"topic": "b"}).check(T0)
    assert [r.ok for r in found] == [True, False]
    assert found[0].text == "1.5 u (kept by the broker, of unknown age)"
    assert "not-a-number" in found[1].text


@pytest.mark.parametrize(
    ("device", "point", "key"),
    [
        ({}, {}, r"point\[0\]\.topic"),
        ({}, {"topic": "a/#/b"}, r"point\[0\]\.topic"),
        ({}, {"topic": "a/b+"}, r"point\[0\]\.topic"),
        ({"topic": "a/+"}, {"topic": "b/c"}, r"point\[0\]\.topic"),
        ({}, {"topic": "a", "path": "b["}, r"point\[0\]\.path"),
        ({"time": ".."}, {"topic": "a"}, "time"),
        ({"time": "t", "format": "guess"}, {"topic": "a"}, "format"),
        ({"time": "t", "retained": "uncertain"}, {"topic": "a"}, "retained"),
        ({"qos": 2}, {"topic": "a"}, "qos"),
        ({"keep": True}, {"topic": "a"}, "keep"),
        ({"broker": {"primary_host": "x"}}, {"topic": "a"}, r"broker\.primary_host"),
        ({"broker": {"colour": 1}}, {"topic": "a"}, r"broker\.colour"),
        ({"broker": {"tls": True, "ca_file": "none.pem"}}, {"topic": "a"}, r"broker\.tls"),
    ],
)
def test_wrong_options_are_named_before_any_network(
    tmp_path: Path, device: dict[str, Any], point: dict[str, Any], key: str
) -> None:
    """Each wrong option is an error with file, key and mend, when the driver is made."""
    with pytest.raises(EdgeConfigError, match=rf"edge\.toml: device\[0\]\.{key}") as caught:
        Bench(tmp_path, 1).made(point, **device)
    assert caught.value.mend
