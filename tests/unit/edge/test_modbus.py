"""Modbus: every type and order against struct, merged reads, refusals, shared lines, wrong options."""

from __future__ import annotations

import logging
import math
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes

from conformance.stages.modbus_peer import ModbusPeer
from minewatch_edge import config, drivers
from minewatch_edge.drivers.modbus import ModbusDriver
from minewatch_edge.drivers.modbus_registers import ORDERS, TYPES, Register, merge
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.sparkplug.codec import BAD, GOOD
from minewatch_edge.tables import Table

S = 1_000_000_000
T0 = 1_800_000_000 * S
LIMITS = {"H": (0, 2**16 - 1), "h": (-(2**15), 2**15 - 1), "I": (0, 2**32 - 1), "i": (-(2**31), 2**31 - 1),
          "Q": (0, 2**64 - 1), "q": (-(2**63), 2**63 - 1)}  # fmt: skip


@pytest.fixture
def peer() -> Iterator[ModbusPeer]:
    """A server of two units that is ended."""
    made = ModbusPeer(units=(1, 2))
    made.start()
    yield made
    made.stop()


def modbus(peer: ModbusPeer, points: list[dict[str, Any]], **device: Any) -> ModbusDriver:
    """Return a driver made from tables as edge.toml has them."""
    tables = [{"metric": f"m{i}", "quantity": "q", "unit": "u", **p} for i, p in enumerate(points)]
    options = {"id": "d", "driver": "modbus", "host": "127.0.0.1", "port": peer.port, "timeout_s": 2.0}
    top = {
        "gateway": {"site": "s", "id": "g"},
        "broker": {"host": "h"},
        "device": [{**options, **device, "point": tables}],
    }
    made = config.parse(Table(top, "edge.toml"), Path())
    driver = drivers.make(made.devices[0], Path(), lambda _reject: None)
    assert isinstance(driver, ModbusDriver)
    return driver


def on_wire(value: float, code: str, order: str) -> list[int]:
    """Lay a value out in words, byte by byte, as the order's letters say: the oracle."""
    packed = struct.pack(f">{code}", value)
    pairs = [packed[i : i + 2] for i in range(0, len(packed), 2)]
    if order in ("CDAB", "DCBA"):
        pairs.reverse()
    if order in ("BADC", "DCBA"):
        pairs = [pair[::-1] for pair in pairs]
    return [pair[0] * 256 + pair[1] for pair in pairs]


@st.composite
def numbers(draw: st.DrawFn) -> tuple[str, float]:
    """A type and a number it can hold."""
    name = draw(st.sampled_from(sorted(TYPES)))
    code = TYPES[name]
    if code in LIMITS:
        return name, draw(st.integers(*LIMITS[code]))
    return name, draw(st.floats(width=32 if code == "f" else 64, allow_nan=False, allow_infinity=False))


@given(numbers(), st.sampled_from(ORDERS))
def test_each_type_in_each_order_is_read_as_it_was_laid_out(number: tuple[str, float], order: str) -> None:
    """Eight types by four orders give back what struct put there."""
    name, value = number
    assert Register("holding", 0, name, order).raw(on_wire(value, TYPES[name], order)) == value


def test_the_four_orders_are_those_of_the_letters() -> None:
    """The 32 bit number whose bytes are A, B, C, D comes as its order's name says."""
    for order in ORDERS:
        data = order.encode()
        words = [data[0] * 256 + data[1], data[2] * 256 + data[3]]
        assert Register("holding", 0, "uint32", order).raw(words) == 0x41424344


def test_each_type_in_each_order_comes_from_a_real_server(peer: ModbusPeer) -> None:
    """Thirty-two registers of a server, each with its own type and order, in one poll."""
    points, expected, address = [], [], 100
    for name, code in sorted(TYPES.items()):
        for order in ORDERS:
            value = 12.5 if code in "fd" else -7 if code in "hiq" else 40_000
            words = on_wire(value, code, order)
            peer.set(address, words)
            points.append({"register": address, "type": name, "order": order, "scale": 2.0, "offset": 1.0})
            expected.append(value * 2.0 + 1.0)
            address += len(words)
    driver = modbus(peer, points)
    assert [r.value for r in driver.poll(T0)] == expected
    driver.close()


def test_all_four_tables_are_read(peer: ModbusPeer) -> None:
    """Holding, input, coil and discrete of one address are four values."""
    peer.set(33, [5], "holding")
    peer.set(33, [6], "input")
    peer.set(33, [True], "coil")
    peer.set(35, [True], "discrete")
    driver = modbus(
        peer,
        [{"register": 33, "table": t} for t in ("holding", "input", "coil", "discrete")]
        + [{"register": 35, "table": "discrete"}],
    )
    assert {r.point: r.value for r in driver.poll(T0)} == {0: 5.0, 1: 6.0, 2: 1.0, 3: 0.0, 4: 1.0}
    driver.close()


@pytest.mark.parametrize(("bit", "value"), [(0, 0.0), (3, 1.0), (15, 1.0)])
def test_a_bit_of_a_register_is_a_value(bit: int, value: float) -> None:
    """Bit 0 is the lowest."""
    assert Register("holding", 0, bit=bit).value([0b1000_0000_0000_1000]) == value


def test_a_thousand_registers_take_eight_requests(peer: ModbusPeer) -> None:
    """1,000 contiguous registers are read 125 at a time, at the first poll and at the next."""
    peer.set(0, list(range(1000)))
    driver = modbus(peer, [{"register": i} for i in range(1000)])
    for turn in (1, 2):
        found = driver.poll(T0 + turn * S)
        assert {r.point: r.value for r in found} == {i: float(i) for i in range(1000)}
        assert len(peer.asked) == driver.requests == 8 * turn
    assert peer.asked[0] == (1, "holding", 0, 125)
    driver.close()


def test_bits_are_read_two_thousand_at_a_time(peer: ModbusPeer) -> None:
    """4,000 coils take two requests."""
    driver = modbus(peer, [{"register": i, "table": "coil"} for i in range(0, 4000, 8)])
    driver.poll(T0)
    assert [(address, count) for *_, address, count in peer.asked] == [(0, 125), (2000, 125)]
    driver.close()


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.sampled_from(sorted(TYPES))), min_size=1, max_size=60),
    st.integers(0, 20),
    st.integers(4, 125),
)
def test_merged_reads_hold_every_value_whole(laid: list[tuple[int, str]], gap: int, most: int) -> None:
    """Each point is in one read, whole; no read is too long or skips more than the gap."""
    points = [(i, Register("holding", address, kind)) for i, (address, kind) in enumerate(laid)]
    blocks = merge(points, gap, most)
    assert sorted(i for b in blocks for i, _ in b.points) == list(range(len(points)))
    for block in blocks:
        assert block.count <= most
        reached = block.address
        for _, register in block.points:
            assert block.address <= register.address <= reached + gap
            assert register.address + register.size <= block.address + block.count
            reached = max(reached, register.address + register.size)


def test_one_register_that_does_not_exist_blinds_no_other(
    peer: ModbusPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """Smaller reads go round it; that point is bad, told once, in words, and good again when it is there."""
    peer.set(0, list(range(40)))
    peer.refuse({("holding", 17): ExcCodes.ILLEGAL_ADDRESS})
    driver = modbus(peer, [{"register": i} for i in range(40)])
    with caplog.at_level(logging.WARNING, "minewatch_edge"):
        for turn in range(3):
            before = len(peer.asked)
            found = {r.point: r for r in driver.poll(T0 + turn * S)}
            requests = len(peer.asked) - before
            assert found[17].quality == BAD
            assert math.isnan(found[17].value)
            assert {i: r.value for i, r in found.items() if r.quality == GOOD} == {
                i: float(i) for i in range(40) if i != 17
            }
        assert requests <= 8  # learned: the block is not asked whole again
        peer.refuse({})
        assert all(r.quality == GOOD for r in driver.poll(T0 + 9 * S))
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 2
    assert "d/m17: holding register 17: the device says: illegal data address" in told[0]
    assert "mend `register`" in told[0]
    assert told[1] == "d/m17 answers again"
    driver.close()


def test_a_register_behind_which_nobody_answers_blinds_no_other_interval(peer: ModbusPeer) -> None:
    """What was read in the same poll is delivered, and the points that gave nothing are bad, not missing."""
    peer.set(10, [7])
    peer.set(50, [8])
    peer.refuse({("holding", 50): ExcCodes.GATEWAY_NO_RESPONSE})
    driver = modbus(peer, [{"register": 50}, {"register": 10, "interval_s": 2.0}], max_gap=0)
    first = driver.poll(T0)
    assert sorted((r.point, r.quality) for r in first) == [(0, BAD), (1, GOOD)]
    peer.refuse({})
    assert [(r.point, r.value) for r in driver.poll(T0 + S)] == [(0, 8.0)]
    driver.close()


def test_a_gap_that_does_not_exist_is_not_read_again(peer: ModbusPeer) -> None:
    """A hole between two points costs extra requests once."""
    peer.refuse({("holding", 2): ExcCodes.ILLEGAL_ADDRESS})
    driver = modbus(peer, [{"register": 0}, {"register": 5}])
    assert all(r.quality == GOOD for r in driver.poll(T0))
    assert [(a, n) for _, _, a, n in peer.asked] == [(0, 6), (0, 1), (5, 1)]
    driver.poll(T0 + S)
    assert [(a, n) for _, _, a, n in peer.asked[3:]] == [(0, 1), (5, 1)]
    driver.close()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (ExcCodes.ILLEGAL_FUNCTION, "illegal function"),
        (ExcCodes.ILLEGAL_ADDRESS, "illegal data address"),
        (ExcCodes.DEVICE_FAILURE, "device failure"),
        (ExcCodes.DEVICE_BUSY, "device busy"),
        (ExcCodes.GATEWAY_PATH_UNAVIABLE, "gateway path unavailable"),
        (ExcCodes.GATEWAY_NO_RESPONSE, "gateway target failed to respond"),
    ],
)
def test_exception_codes_are_told_in_words(peer: ModbusPeer, code: ExcCodes, words: str) -> None:
    """A device that refuses everything is an error with place, words and mend; so says check."""
    peer.refuse({("holding", 1): code})
    driver = modbus(peer, [{"register": 1}])
    with pytest.raises(DriverError, match=f"127.0.0.1:{peer.port} unit 1: .*{words}") as caught:
        driver.poll(T0)
    assert caught.value.mend
    (said,) = driver.check(T0)
    assert not said.ok
    assert words in said.text
    driver.close()


def test_units_share_a_line_and_do_not_step_on_each_other(peer: ModbusPeer) -> None:
    """Two units polled from two threads over one connection each get their own values, all the time."""
    for unit in (1, 2):
        peer.set(0, [unit * 1000 + i for i in range(50)], unit=unit)
    made = [modbus(peer, [{"register": i} for i in range(50)], unit_id=unit) for unit in (1, 2)]
    wrong: list[object] = []

    def ask(driver: ModbusDriver, unit: int) -> None:
        for turn in range(40):
            try:
                found = [r.value for r in driver.poll(T0 + turn * S)]
            except DriverError as error:
                wrong.append(error)
            else:
                if found != [unit * 1000.0 + i for i in range(50)]:
                    wrong.append(found)

    threads = [threading.Thread(target=ask, args=(d, u)) for d, u in zip(made, (1, 2), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert made[0]._line is made[1]._line
    assert made[0]._line is not None
    assert made[0]._line.made == 1
    made[0].close()
    assert len(made[1].poll(T0 + 100 * S)) == 50
    made[1].close()


def test_a_dead_unit_behind_a_gateway_stops_no_other(peer: ModbusPeer) -> None:
    """The gateway says that unit 2 is away; unit 1 is read as before."""
    peer.set(0, [7])
    peer.silent_units = {2}
    one, two = (modbus(peer, [{"register": 0}], unit_id=unit) for unit in (1, 2))
    with pytest.raises(DriverError, match=r"unit 2: .*gateway target"):
        two.poll(T0)
    assert [r.value for r in one.poll(T0)] == [7.0]
    one.close()
    two.close()


def test_rtu_frames_through_a_serial_server() -> None:
    """RTU framing over TCP reads the same registers; a framing that is not the peer's is told in time."""
    peer = ModbusPeer(framing="rtu")
    peer.start()
    peer.set(0, on_wire(2.5, "d", "ABCD"))
    driver = modbus(peer, [{"register": 0, "type": "float64"}], framing="rtu")
    assert [r.value for r in driver.poll(T0)] == [2.5]
    wrong = modbus(peer, [{"register": 0}], timeout_s=0.2)
    with pytest.raises(DriverError, match="framing"):
        wrong.poll(T0)
    wrong.close()
    driver.close()
    peer.stop()


def test_a_connection_that_was_closed_while_idle_is_no_fault(peer: ModbusPeer) -> None:
    """The next poll connects again and gives its readings; no error, no gap."""
    peer.set(0, [7])
    driver = modbus(peer, [{"register": 0}])
    driver.poll(T0)
    peer.stop()
    peer.start()
    assert [r.value for r in driver.poll(T0 + S)] == [7.0]
    driver.close()


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3), st.booleans())
def test_bytes_that_are_no_answer_are_never_a_reading(framing: str, parts: list[bytes], headed: bool) -> None:
    """Whatever a peer sends, a poll gives a bad reading or a DriverError in time; check never raises."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.3)
        port = listening.getsockname()[1]

        def answer() -> None:
            for part in parts * 2:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    peer.settimeout(1.0)
                    asked = peer.recv(300)
                    # With the header of an answer the rest reaches the decoder of registers.
                    head = (
                        asked[:4] + bytes([0, len(part) + 3, 1, 3, 77])
                        if headed and framing == "tcp"
                        else b""
                    )
                    peer.sendall(head + part)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        driver = modbus(ModbusPeer(port=port), [{"register": 0}], framing=framing, timeout_s=0.05)
        for turn in range(2):
            with suppress(DriverError):
                assert [r.quality for r in driver.poll(T0 + turn * S)] == [BAD]
        (said,) = driver.check(T0)
        assert said.text
        driver.close()
    thread.join(5.0)


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"type": "float32", "order": "ABCD"}, [0x7FC0, 0]),
        ({"type": "float32"}, [0x7F80, 0]),
        ({"type": "int16", "bad_raw": [-32768]}, [0x8000]),
        ({"type": "uint16", "scale": 0.1, "sentinels": [6553.5]}, [0xFFFF]),
    ],
)
def test_what_is_no_value_is_bad(peer: ModbusPeer, point: dict[str, Any], words: list[int]) -> None:
    """NaN, infinity, a raw value that means a fault and a sentinel of the unit are bad, and check says so."""
    peer.set(0, words)
    driver = modbus(peer, [{"register": 0, **point}])
    (found,) = driver.poll(T0)
    assert found.quality == BAD
    assert math.isnan(found.value)
    (said,) = driver.check(T0)
    assert not said.ok
    assert "no value" in said.text
    driver.close()


def test_check_tells_a_value_outside_its_range(peer: ModbusPeer) -> None:
    """A wrong word order shows as a value that the instrument cannot give."""
    peer.set(0, [60_000])
    driver = modbus(peer, [{"register": 0, "low": 0.0, "high": 100.0}])
    (said,) = driver.check(T0)
    assert not said.ok
    assert "outside 0 to 100" in said.text
    driver.close()


def test_points_are_read_at_their_own_intervals_without_drift(peer: ModbusPeer) -> None:
    """Late polls keep the grid of the first; a slow point is not read with the fast ones."""
    driver = modbus(peer, [{"register": 0, "interval_s": 1.0}, {"register": 1, "interval_s": 10.0}])
    assert len(driver.poll(T0)) == 2
    assert driver.due_ns(T0) == T0 + S
    assert [r.point for r in driver.poll(T0 + S + 400_000_000)] == [0]
    assert driver.due_ns(T0) == T0 + 2 * S
    assert [r.point for r in driver.poll(T0 + 5 * S + 1)] == [0]
    assert driver.due_ns(T0) == T0 + 6 * S
    driver.close()


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ("device", "port", 70_000),
        ("device", "framing", "ascii"),
        ("device", "unit_id", 300),
        ("device", "timeout_s", 0),
        ("device", "max_registers", 126),
        ("point", "register", -1),
        ("point", "register", 65_535),
        ("point", "table", "holdings"),
        ("point", "type", "int24"),
        ("point", "order", "ACBD"),
        ("point", "bit", 3),
        ("point", "bad_raw", "x"),
    ],
)
def test_a_wrong_option_is_named_before_any_network(where: str, key: str, value: object) -> None:
    """The error names file, key, value and mend; nothing listens at the port."""
    point = {"register": 0, "type": "float32"}
    device: dict[str, Any] = {}
    (point if where == "point" else device)[key] = value
    with pytest.raises(EdgeConfigError, match=rf"edge.toml: device\[0\].*{key}"):
        modbus(ModbusPeer(port=9), [point], **device)


def test_a_bit_of_a_coil_is_refused() -> None:
    """Keys that mean nothing for a table are told."""
    with pytest.raises(EdgeConfigError, match="is one bit"):
        modbus(ModbusPeer(port=9), [{"register": 0, "table": "coil", "type": "uint16"}])


def test_an_absent_library_is_told_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pymodbus the configuration error says how to install it."""
    monkeypatch.setitem(sys.modules, "pymodbus", None)
    with pytest.raises(EdgeConfigError, match=r"minewatch-edge\[modbus\]"):
        modbus(ModbusPeer(port=9), [{"register": 0}])
