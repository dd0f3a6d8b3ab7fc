"""Serial instruments through a pseudo-terminal: sentences, patterns, answers, and every way they go wrong."""

from __future__ import annotations

import math
import os
import select
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minewatch_edge import config, drivers
from minewatch_edge.drivers import serial_frames as frames
from minewatch_edge.drivers.driver import Driver, Reading
from minewatch_edge.drivers.serial_port import PortSettings, attributes
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.sparkplug.codec import BAD, GOOD
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

S = 1_000_000_000
T0 = 1_800_000_000 * S
WIND = {"sentence": "MWV", "field": 3, "valid_field": 5}
ANGLE = {"sentence": "WIMWV", "field": 1}


class Line:
    """One pseudo-terminal under a name of its own; the test is the instrument."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder / "line"
        self.master = self.slave = -1
        self.rejects: list[Reject] = []
        self.now = T0
        self.plug()

    def plug(self) -> None:
        """Plug the line in, as a new device."""
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(os.ttyname(self.slave))

    def unplug(self, *, node: bool = True) -> None:
        """Take it away: reads fail; with ``node`` its name is gone too."""
        for fd in (self.slave, self.master):
            os.close(fd)
        self.master = self.slave = -1
        if node:
            self.name.unlink()

    def driver(self, points: list[dict[str, Any]], **device: object) -> Driver:
        """Return a driver of the line."""
        made = config.parse(Table(self.tables(points, device), "edge.toml"), self.folder)
        return drivers.make(made.devices[0], self.folder, self.rejects.append)

    def tables(self, points: list[dict[str, Any]], device: dict[str, object]) -> dict[str, Any]:
        """Return edge.toml."""
        tables = [{"metric": f"m{i}", "quantity": "q", "unit": "u", **p} for i, p in enumerate(points)]
        one = {"id": "d", "driver": "serial", "port": str(self.name), **device, "point": tables}
        return {"gateway": {"site": "s", "id": "g"}, "broker": {"host": "h"}, "device": [one]}

    def say(self, text: bytes) -> None:
        """Send bytes, and wait until they can be read at the other end."""
        os.write(self.master, text)
        assert select.select([self.slave], [], [], 5.0)[0]

    def poll(self, driver: Driver) -> list[Reading]:
        """Poll a second later."""
        self.now += S
        return list(driver.poll(self.now))

    def reasons(self) -> list[str]:
        """Return the reasons of the rejects."""
        return [r.reason for r in self.rejects]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A line that is closed at the end."""
    made = Line(tmp_path)
    yield made
    if made.master >= 0:
        made.unplug()


def nmea(body: str) -> bytes:
    """Return a sentence with its checksum."""
    return f"${body}*".encode() + frames.xor(body.encode()).hex().upper().encode() + b"\r\n"


def listening(line: Line, points: list[dict[str, Any]], **device: object) -> Driver:
    """Return a driver that listens and has heard the end of its first line."""
    driver = line.driver(points, **device)
    line.poll(driver)
    line.say(b"\n")
    line.poll(driver)
    line.rejects.clear()
    return driver


class Answering:
    """A thread that answers requests on the line."""

    def __init__(self, line: Line, answer: Callable[[bytes], list[bytes]], size: int = 0) -> None:
        """``answer`` returns pieces; a request ends with a line end, or has ``size`` bytes."""
        self.heard: list[bytes] = []
        self._line, self._answer, self._size = line, answer, size
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        rest = b""
        while not self._stop.is_set():
            if not select.select([self._line.master], [], [], 0.02)[0]:
                continue
            rest += os.read(self._line.master, 100)
            if rest.endswith(b"\n") if not self._size else len(rest) >= self._size:
                self.heard.append(rest)
                for piece in self._answer(rest):
                    os.write(self._line.master, piece)
                rest = b""

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5.0)


def test_checksums_are_those_of_the_books() -> None:
    """A sentence of NMEA 0183 and a frame of Modbus RTU whose checksums are published."""
    body = b"GPGLL,5300.97914,N,00259.98174,E,125926,A"
    assert frames.xor(body).hex() == "28"
    assert frames.crc16_modbus(bytes.fromhex("010400000001")).hex() == "31ca"
    assert frames.total(b"\xff\x02").hex() == "01"


def test_sentences_become_readings(line: Line) -> None:
    """Fields are found by talker and name, or by the name of any talker; other sentences pass by."""
    driver = listening(line, [WIND, ANGLE])
    line.say(nmea("WIMWV,214.8,R,0.1,M,A") + nmea("GPZDA,1,2,3") + nmea("XXMWV,9.0,R,7.5,M,A"))
    found = line.poll(driver)
    assert [(r.point, r.value) for r in found] == [(0, 0.1), (1, 214.8), (0, 7.5)]
    assert found[0].ts_ns < found[2].ts_ns == line.now
    assert line.rejects == []


def test_what_the_instrument_calls_invalid_is_bad(line: Line) -> None:
    """A status that says so, or an empty field, is a bad reading without a number."""
    driver = listening(line, [WIND, ANGLE])
    line.say(nmea("WIMWV,,R,0.1,M,V"))
    found = line.poll(driver)
    assert [r.quality for r in found] == [BAD, BAD]
    assert all(math.isnan(r.value) for r in found)


def test_what_is_not_whole_or_wrong_is_refused_with_its_reason(line: Line) -> None:
    """Checksum, garbage, too few fields, no number, too long: each is said, and the next line is read."""
    driver = listening(line, [WIND])
    good = nmea("WIMWV,1,R,2.5,M,A")
    line.say(good.replace(b"2.5", b"9.5"))
    line.say(b"$WIMWV,1,R,9.5,M,A\r\n\xff\x00\x81\r\nhello\r\n")
    line.say(nmea("WIMWV,1,R") + nmea("WIMWV,1,R,4_2,M,A") + b"x" * 2000 + b"\n")
    line.say(good)
    found = line.poll(driver)
    assert [r.value for r in found if r.quality == GOOD] == [2.5]
    reasons = ["checksum", "checksum", "garbage", "garbage", "field", "value", "length"]
    assert line.reasons() == reasons


def test_half_a_line_waits_and_the_first_is_never_trusted(line: Line) -> None:
    """What began before the line was opened is refused; a line in two pieces is one."""
    driver = line.driver([{}], lines="pattern", pattern=r"(?P<value>[\d.]+)")
    assert line.poll(driver) == []
    line.say(b"2.5\n1")
    assert line.poll(driver) == []
    assert line.reasons() == ["half"]
    line.say(b"2.5\n")
    assert [r.value for r in line.poll(driver)] == [12.5]


def test_patterns_with_named_groups_and_a_checksum(line: Line) -> None:
    """One pattern may give many points, a comma is a decimal sign, and known chatter is ignored."""
    driver = listening(
        line,
        [
            {"group": "t"},
            {"group": "p", "scale": 0.1},
            {"pattern": r"S(?P<value>[0-9A-F]{4})", "number": "hex"},
        ],
        lines="pattern", pattern=r"T(?P<t>\S*) P(?P<p>\S+) ", ignore="#.*", checksum="sum", checksum_as="hex",
    )  # fmt: skip
    body = b"T21,5 P1013 "
    line.say(body + frames.total(body).hex().upper().encode() + b"\r\n# hello\r\n")
    line.say(b"S00FF" + frames.total(b"S00FF").hex().encode() + b"\r\n" + body + b"00\r\n")
    found = line.poll(driver)
    assert [(r.point, round(r.value, 3)) for r in found] == [(0, 21.5), (1, 101.3), (2, 255.0)]
    assert line.reasons() == ["checksum"]


@pytest.mark.parametrize("node", [True, False])
def test_a_line_that_is_unplugged_is_told_and_comes_back(line: Line, node: bool) -> None:
    """The error names the port and the mend; the same driver goes on with the new device."""
    driver = listening(line, [WIND])
    line.unplug(node=node)
    for _ in range(2):
        with pytest.raises(DriverError, match=str(line.name)) as caught:
            line.poll(driver)
        assert "plugged in" in caught.value.mend
    line.plug()
    line.poll(driver)
    line.say(b"\n" + nmea("WIMWV,1,R,3.5,M,A"))
    assert [r.value for r in line.poll(driver)] == [3.5]


def test_another_device_under_the_name_is_noticed(line: Line) -> None:
    """An adapter that was plugged in anew while the old one still answers is not read for ever."""
    driver = listening(line, [WIND])
    old = (line.master, line.slave)
    line.plug()
    with pytest.raises(DriverError, match="another has its name"):
        line.poll(driver)
    line.poll(driver)
    line.say(b"\n" + nmea("WIMWV,1,R,3.5,M,A"))
    assert [r.value for r in line.poll(driver)] == [3.5]
    for fd in old:
        os.close(fd)


def test_one_program_has_the_line_alone(line: Line) -> None:
    """A second driver of the same port is an error in words, and the line is free again after close."""
    first, second = line.driver([WIND]), line.driver([WIND])
    line.poll(first)
    with pytest.raises(DriverError, match=r"another program has it open|busy"):
        line.poll(second)
    first.close()
    line.poll(second)
    second.close()


def test_the_line_is_set_as_the_file_says(line: Line) -> None:
    """Speed and stop bits reach the system, and nothing is translated or echoed."""
    driver = line.driver([WIND], baud=19_200, parity="even", data_bits=7, stop_bits=2)
    line.poll(driver)
    iflag, oflag, cflag, lflag, _, speed, _ = termios.tcgetattr(line.slave)
    assert speed == termios.B19200
    assert cflag & termios.CSTOPB
    assert not iflag & (termios.ICRNL | termios.IXON)
    assert not oflag & termios.OPOST
    assert not lflag & (termios.ECHO | termios.ICANON)
    driver.close()


def test_parity_and_data_bits_are_asked_for() -> None:
    """A pseudo-terminal has neither, so what is asked of the system is looked at."""
    settings = PortSettings(Path("x"), parity="odd", data_bits=7)
    iflag, _, cflag, *_ = attributes(settings, [b"\0"] * 32)
    assert isinstance(cflag, int)
    assert isinstance(iflag, int)
    assert cflag & termios.PARENB
    assert cflag & termios.PARODD
    assert cflag & termios.CSIZE == termios.CS7
    assert iflag & termios.INPCK
    assert not iflag & termios.IGNPAR


def test_each_request_is_sent_once_and_answers_all_its_points(line: Line) -> None:
    """Two points of one request share its answer; an answer in pieces is one."""
    points = [{"group": "a"}, {"group": "b"}, {"request": "Q2\r\n", "pattern": r"Z(?P<value>\d+)"}]
    driver = line.driver(points, mode="ask", request="Q1\r\n", pattern=r"A(?P<a>\S+) B(?P<b>\S*)")
    said = {b"Q1\r\n": [b"A1", b".5 B", b"2.5\r", b"\n"], b"Q2\r\n": [b"Z7\r\n"]}
    with Answering(line, said.__getitem__) as peer:
        assert [(r.point, r.value) for r in line.poll(driver)] == [(0, 1.5), (1, 2.5), (2, 7.0)]
    assert peer.heard == [b"Q1\r\n", b"Q2\r\n"]
    driver.close()


def test_registers_in_bytes_with_a_crc(line: Line) -> None:
    """A binary protocol by pattern: Modbus RTU frames with their CRC, by length."""
    points = [{"pattern": r"\x01\x04\x04(?P<value>.{4})", "number": "f32"}]
    driver = line.driver(
        points, mode="ask", request_hex="01 04 00 00 00 02", checksum="crc16-modbus", ending="", length=9
    )
    answer = bytes.fromhex("010404") + bytes.fromhex("3fc00000")
    with Answering(line, lambda _q: [answer + frames.crc16_modbus(answer)], size=8) as peer:
        assert [r.value for r in line.poll(driver)] == [1.5]
        assert peer.heard == [
            bytes.fromhex("010400000002") + frames.crc16_modbus(bytes.fromhex("010400000002"))
        ]
    with Answering(line, lambda _q: [answer + b"\x00\x00"], size=8):
        (reading,) = line.poll(driver)
    assert reading.quality == BAD
    assert line.reasons() == ["checksum"]
    driver.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"V=1", "half"), (b"what?\r\n", "garbage"), (b"V=--\r\n", "value"), (b"", "timeout")],
)
def test_one_point_that_fails_leaves_the_others(line: Line, answer: bytes, reason: str) -> None:
    """It is bad, with its reason; the other one is good."""
    points = [{"request": "1\n"}, {"request": "2\n"}]
    driver = line.driver(points, mode="ask", pattern=r"V=(?P<value>\S+)", timeout_s=0.2)
    with Answering(line, lambda q: [answer] if q == b"1\n" else [b"V=5\r\n"]):
        found = line.poll(driver)
    assert [r.quality for r in found] == [BAD, GOOD]
    assert line.reasons() == [reason]
    driver.close()


def test_a_late_answer_is_not_taken_for_the_next(line: Line) -> None:
    """What came after the time was over is thrown away before the next request."""
    driver = line.driver([{}], mode="ask", request="Q\n", pattern=r"V=(?P<value>\S+)", timeout_s=0.1)
    with pytest.raises(DriverError, match=r"no answer within 0\.1 s"):
        line.poll(driver)
    os.read(line.master, 100)
    line.say(b"V=1\n")
    with Answering(line, lambda _q: [b"V=2\n"]):
        assert [r.value for r in line.poll(driver)] == [2.0]
    driver.close()


def test_check_listens_and_says_what_came(line: Line) -> None:
    """A point that spoke is ok, one that did not is a fault that tells what was heard instead."""
    driver = line.driver([WIND, {"sentence": "XDR", "field": 2}])
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(0.05):
            os.write(line.master, nmea("WIMWV,1,R,2.5,M,A") + b"noise\r\n")

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        found = driver.check(T0)
    finally:
        stop.set()
        thread.join()
    assert [r.ok for r in found] == [True, False]
    assert found[0].text == "2.5 u"
    assert "garbage" in found[1].text


@pytest.mark.parametrize(
    ("device", "point", "key"),
    [
        ({"baud": 9601}, WIND, "baud"),
        ({"parity": "mark"}, WIND, "parity"),
        ({"data_bits": 9}, WIND, "data_bits"),
        ({"checksum": "crc16-modbus"}, WIND, "checksum"),
        ({}, {"sentence": "MWV"}, r"point\[0\]\.field"),
        ({"lines": "pattern"}, {}, r"point\[0\]\.pattern"),
        ({"lines": "pattern", "pattern": "(?P<value>"}, {}, "pattern"),
        ({"lines": "pattern", "pattern": "(?P<a>.)"}, {}, r"point\[0\]\.group"),
        ({"lines": "pattern", "pattern": "(?P<value>.)", "ending": ""}, {}, "ending"),
        ({"mode": "ask", "pattern": "(?P<value>.)"}, {}, r"point\[0\]\.request"),
        ({"mode": "ask", "request": "a", "request_hex": "00"}, {}, "request_hex"),
        ({"mode": "ask", "request_hex": "0"}, {}, "request_hex"),
        ({"mode": "ask", "request": "я"}, {}, "request"),
        ({"mode": "ask", "request": "a", "pattern": "(?P<value>.)", "timeout_s": 11}, {}, "timeout_s"),
    ],
)
def test_wrong_options_are_named_before_the_line_is_touched(
    line: Line, device: dict[str, object], point: dict[str, Any], key: str
) -> None:
    """Each wrong option is an error with file, key and mend, when the driver is made."""
    with pytest.raises(EdgeConfigError, match=rf"edge\.toml: device\[0\]\.{key}") as caught:
        line.driver([point], **device)
    assert caught.value.mend
