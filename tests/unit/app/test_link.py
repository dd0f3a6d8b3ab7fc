"""Frames between the processes."""

import math
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minewatch.app.link import Link, Unpacker, pack, pack_readings, read, unpack_readings
from minewatch.contracts import Deliveries, GatewayInfo, PointInfo, ReadingBatch, SystemState
from minewatch.errors import WireError


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=20), st.binary(max_size=50)), min_size=1, max_size=5),
    st.integers(1, 7),
)
def test_frames_survive_any_cut(frames: list[tuple[str, bytes]], step: int) -> None:
    """Whatever pieces a socket gives, the same frames come out in order."""
    raw = b"".join(pack(kind, {"n": i}, [columns]) for i, (kind, columns) in enumerate(frames))
    unpacker, found = Unpacker(), []
    for at in range(0, len(raw), step):
        unpacker.feed(raw[at : at + step])
        found += list(unpacker.frames())
    assert [(f.kind, f.columns) for f in found] == frames
    assert [f.body["n"] for f in found] == list(range(len(frames)))


def test_contracts_come_back_as_they_were() -> None:
    """Nested contracts with tuples, infinities and NaN survive the way through JSON."""
    info = PointInfo(
        "m/d/x", "m", "g", "d", "x", "methane", "% CH4", "face", high=math.inf, sentinels=(-2.0,)
    )
    unpacker = Unpacker()
    unpacker.feed(pack("point", info))
    assert read(PointInfo, next(unpacker.frames()).body) == info
    state = SystemState(True, {"store": "x"}, (GatewayInfo("m", "g", True, 1, 2),), "duckdb", 5)
    unpacker.feed(pack("state", state))
    assert read(SystemState, next(unpacker.frames()).body) == state


def test_readings_go_as_raw_columns() -> None:
    """A batch and its deliveries come back equal, NaN included."""
    batch = ReadingBatch.of([1, 2], [10, 20], [0.5, math.nan])
    deliveries = Deliveries(np.array([0], np.int32), np.array([7]), np.array([2], np.int32))
    raw = b"".join(pack_readings(batch, deliveries))
    back, messages = unpack_readings(raw, 2, 1)
    for name in ("point", "ts_ns", "value", "quality", "historical"):
        np.testing.assert_array_equal(getattr(back, name), getattr(batch, name))
    assert messages.msg_id.tolist() == [7]


def test_a_frame_of_impossible_size_is_refused() -> None:
    """Bytes that are no frame of ours end the connection instead of eating the memory."""
    unpacker = Unpacker()
    unpacker.feed(b"\xff" * 32)
    with pytest.raises(WireError, match="broken"):
        list(unpacker.frames())


def test_a_slow_peer_gets_a_bounded_queue() -> None:
    """Frames beyond the capacity are refused and counted; what was taken arrives whole."""
    here, there = socket.socketpair()
    link, peer = Link(here, capacity=200_000), Link(there)
    taken = 0
    while link.offer(pack("x", None, [bytes(50_000)])):
        taken += 1
    assert link.refused == 1
    found = 0
    while found < taken:
        found += len(peer.receive())
        link.push()
    assert link.waiting() == 0
    link.close()
    with pytest.raises(EOFError):
        peer.receive()
    peer.close()
