"""Seeded rubbish for both ends of the wire: sound messages of every kind, broken in many ways, in batches.

`host` feeds a whole receiver (topics, sequences, bounds, walker, protobuf, registry), `edge` a whole edge
session, `agreement` holds the walker against protobuf, `checked` runs the walker in plain Python and holds
each load against the bytes that are there. Each raises AssertionError, or whatever the code under test does.
"""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from minewatch.ingest.kernels import walker
from minewatch.ingest.receiver import KEPT, Receiver
from minewatch.ingest.settings import IngestSettings
from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import Message, Metric, encode
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.schema import DataType, Payload
from minewatch_edge.sparkplug.state import HostState, encode_state
from unit.ingest.test_walker import KINDS, known, seeds, walk

BATCH = 512
MS = 1_000_000
T = 1_790_000_000_000
SETTINGS = IngestSettings(
    max_points=2_000, max_gateways=100, max_birth_metrics=300, max_data_metrics=300, max_payload_bytes=20_000,
    reorder_bytes=1_000_000, rebirth_jitter_s=0, max_text_chars=64,
)  # fmt: skip
STATE = "spBv1.0/STATE/minewatch"
_PAGE = 4_096


def resident_bytes() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


class Mutator:
    """Breaks payloads: flipped bits, other bytes, cut, repeated, inserted, lengths that lie."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)

    def __call__(self, raw: bytes) -> bytes:
        """Return a broken copy, now and then one that is whole."""
        rng, data = self.rng, bytearray(raw)
        for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 3, 8))):
            at = int(rng.random() * (len(data) + 1))
            what = int(rng.random() * 7)
            if what < 3 and at < len(data):
                data[at] ^= 1 << int(rng.random() * 8)
            elif what == 3 and at < len(data):
                data[at] = rng.choice((0, 1, 127, 128, 255, 18, 255))
            elif what == 4:
                del data[at : at + 1 + int(rng.random() * 6)]
            elif what == 5:
                data[at:at] = data[at : at + 1 + int(rng.random() * 40)]
            elif what == 6 and rng.random() < 0.3:
                del data[at:]
            else:
                data[at:at] = rng.randbytes(1 + int(rng.random() * 4))
        return bytes(data)

    def topic(self, topic: str) -> str:
        """Return a broken topic."""
        rng, levels = self.rng, topic.split("/")
        at = int(rng.random() * len(levels))
        what = int(rng.random() * 5)
        if what == 0:
            levels[at] = rng.choice(
                ("", "STATE", "NBIRTH", "DDATA", "NDEATH", "+", "#", "x" * 100, "GW-0", "\u0416")
            )
        elif what == 1:
            del levels[at]
        elif what == 2:
            levels.insert(at, levels[at])
        elif what == 3:
            levels[at] = levels[at].swapcase()
        else:
            levels = [chr(32 + int(rng.random() * 300)) for _ in range(int(rng.random() * 7))]
        return "/".join(levels)


def foreign() -> list[tuple[str, bytes]]:
    """Births and data of another maker's node: names, templates, data sets, property sets, bytes."""
    payload = Payload(timestamp=T, seq=1)
    payload.metrics.add(name="t", alias=1, datatype=10, double_value=1.0, timestamp=T)
    payload.metrics.add(name="tpl", datatype=19).template_value.metrics.add(name="in", datatype=10)
    table = payload.metrics.add(name="tab", datatype=16).dataset_value
    table.columns.append("a")
    table.rows.add().elements.add(int_value=1)
    payload.metrics.add(name="raw", datatype=17, bytes_value=b"\x00\xff" * 20)
    nested = payload.metrics.add(name="n", datatype=3, int_value=7)
    nested.properties.keys.append("engUnit")
    nested.properties.values.add(type=20).propertyset_value.keys.append("x")
    bd_seq = Metric("bdSeq", None, DataType.INT64, T, 3)
    named = Message(
        (Metric("t", value=2.5, timestamp_ms=T), Metric("x", value="s"), Metric(alias=1, value=1.0)), T, 2
    )
    return [
        (
            "spBv1.0/mine/NBIRTH/plc",
            encode(Message((bd_seq, Metric("Load", 9, DataType.DOUBLE, T, 1.0)), T, 0)),
        ),
        ("spBv1.0/mine/DBIRTH/plc/pump", payload.SerializeToString()),
        ("spBv1.0/mine/DDATA/plc/pump", encode(named)),
        ("spBv1.0/mine/DDEATH/plc/pump", encode(Message((), T, 3))),
        ("spBv1.0/mine/NDEATH/plc", encode(Message((bd_seq,), T))),
    ]


def sound(rng: Random) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """Return sound births, deaths, commands and STATE, and sound data, of our gateways and a foreign one."""
    rare, data = foreign()[:2] + foreign()[3:], foreign()[2:3]
    for n in range(3):
        points = [PointBirth("dev", f"m{i}", "value", "1", datatype=kind) for i, kind in enumerate(KINDS)]
        session = EdgeSession("mine", f"gw-{n}", points, spool=f"s-{n}")
        will = session.will(T)
        rare += [(a.topic, a.payload) for a in [*session.on_subscribed(T), will] if isinstance(a, Publish)]
        rare += [
            (a.topic, a.payload)
            for a in session.set_node_values(T, spool_rows=n + 5)
            if isinstance(a, Publish)
        ]
        data += [(f"spBv1.0/mine/DDATA/gw-{n}/dev", raw) for raw in seeds(session, rng)]
    rare += [(STATE, encode_state(HostState(False, T))), ("spBv1.0/mine/NCMD/gw-0", b"\xff"), ("", b"")]
    return rare, data


def host(count: int, seed: int) -> dict[str, int]:
    """Feed ``count`` broken messages to a receiver; return what came of them."""
    mutate = Mutator(seed)
    rng = mutate.rng
    rare, data = sound(rng)
    into = Receiver(SETTINGS, Random(seed))
    into.session.will(T)
    into.session.on_subscribed()
    births = [m for m in rare if "BIRTH" in m[0]]
    told = {"messages": 0, "readings": 0, "rejects": 0, "published": 0}
    now_ms = T
    while told["messages"] < count:
        batch: list[tuple[str, bytes]] = list(births) if rng.random() < 0.2 else []
        for _ in range(BATCH):
            draw = rng.random()
            topic, raw = rng.choice(data if draw < 0.85 else rare)
            if 0.84 < draw < 0.86 or draw > 0.985:
                topic = mutate.topic(topic)
            batch.append((topic, mutate(raw) if draw < 0.999 else rng.randbytes(int(rng.random() * 200))))
        now_ms += int(rng.random() * 400) - (3_000_000 if rng.random() < 0.001 else 0)
        into.take(batch, now_ms * MS)
        into.tick(now_ms * MS)
        if rng.random() < 0.01:
            into.lost(now_ms * MS)
        _judge(into, now_ms, told)
        told["messages"] += len(batch)
    return told


def _judge(into: Receiver, now_ms: int, told: dict[str, int]) -> None:
    """Assert what must hold after any input."""
    found = into.collect(now_ms * MS)
    if found is not None:
        assert len(found.rejects) <= KEPT
        assert int(found.deliveries.rows.sum()) == len(found.batch)
        if len(found.batch):
            assert int(found.batch.point.min()) >= 0
            assert int(found.batch.point.max()) < len(into.registry.points)
            assert int(found.batch.ts_ns.min()) >= 0
        told["readings"] += len(found.batch)
        told["rejects"] += len(found.rejects)
    told["published"] += len(into.outbox)
    into.outbox.clear()
    into.reconnect = ""
    assert len(into.session.nodes) <= SETTINGS.max_gateways
    assert len(into.registry.points) <= SETTINGS.max_points
    assert into.session._reorder.size <= SETTINGS.reorder_bytes
    assert into.session._reorder.size == sum(n.held.size for n in into.session.nodes.values())


def edge(count: int, seed: int) -> dict[str, int]:
    """Feed ``count`` broken messages to an edge session; return what it did."""
    mutate = Mutator(seed)
    rng = mutate.rng
    session = EdgeSession("mine", "gw", [PointBirth("d", "m", "value", "1")], primary_host="c", spool="s")
    session.will(T)
    session.on_subscribed(T)
    state, ncmd = "spBv1.0/STATE/c", "spBv1.0/mine/NCMD/gw"
    rebirth = Metric("Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True)
    ack = Metric("minewatch/ack", datatype=DataType.UINT64, value=7), Metric("minewatch/spool", value="s")
    commands = [
        (state, encode_state(HostState(True, T))), (state, encode_state(HostState(False, T + 5))),
        (state, encode_state(HostState(True, T + 9))), (ncmd, encode(Message((rebirth,), T))),
        (ncmd, encode(Message(ack, T))), ("spBv1.0/mine/DCMD/gw/d", encode(Message((rebirth,), T))),
        *foreign(),
    ]  # fmt: skip
    told: dict[str, int] = {}
    for n in range(count):
        topic, raw = rng.choice(commands)
        if rng.random() < 0.05:
            topic = mutate.topic(topic)
        elif rng.random() < 0.3:
            topic = rng.choice((state, ncmd))
        for action in session.receive(topic, mutate(raw), T + n):
            name = type(action).__name__
            told[name] = told.get(name, 0) + 1
        if not n % 1_000:  # a new connection, so that both states of the session are met
            session.will(T + n)
            session.on_subscribed(T + n)
            session.receive(state, encode_state(HostState(True, T + n)), T + n)
    return told


def agreement(count: int, seed: int) -> int:
    """Hold the walker against protobuf on ``count`` broken payloads; return how many the walker took."""
    from minewatch.ingest.columns import Gathered
    from minewatch.ingest.plain import decode_data
    from unit.ingest.test_walker import rows

    session, registry, node = known()
    mutate = Mutator(seed)
    whole, taken = seeds(session, mutate.rng), 0
    for _ in range(0, count, BATCH):
        payloads = [mutate(mutate.rng.choice(whole)) for _ in range(BATCH)]
        walked = walk(registry, payloads)
        for i, raw in enumerate(payloads):
            if walked.status[i] != walker.TAKEN:
                continue
            taken += 1
            gathered = Gathered()
            gathered.add_decoded(decode_data(raw, node, "dev", 0), 0)
            assert rows(walked.piece(i, i + 1)) == rows(gathered.take()[0]), raw.hex()
    return taken


def checked(count: int, seed: int) -> int:
    """Run the walker without its compiler, each load held against the buffer; return how many it took."""
    session, registry, node = known()
    mutate = Mutator(seed)
    whole = seeds(session, mutate.rng)
    bounds = [0, 0]
    plain: dict[str, Any] = {name: getattr(walker, name) for name in ("load8", "load32", "load64")}

    def guard(name: str, width: int) -> Any:
        def load(address: Any) -> Any:
            assert bounds[0] <= int(address) <= bounds[1] - width, f"{name} outside its message"
            return plain[name](address)

        return load

    guarded = {"load8": guard("load8", 1), "load32": guard("load32", 4), "load64": guard("load64", 8)}
    message = walker.walk_message

    def bounded(p: Any, end: Any, *rest: Any) -> Any:
        bounds[:] = int(p), int(end)
        return message(p, end, *rest)

    for name, load in guarded.items():
        setattr(walker, name, load)
    walker.walk_message = bounded
    try:
        with np.errstate(all="ignore"):
            walked = walk(registry, [mutate(mutate.rng.choice(whole)) for _ in range(count)])
    finally:
        walker.walk_message = message
        for name, load in plain.items():
            setattr(walker, name, load)
    with contextlib.suppress(WireError):
        assert node
    return walked.status.count(walker.TAKEN)


__all__ = ["agreement", "checked", "edge", "host", "random", "resident_bytes"]
