"""The compiled walker takes nothing that protobuf would not take, and takes it with the same values."""

import random
import struct

import numba
import numpy as np
import pytest

from minewatch.contracts import Quality, ReadingBatch
from minewatch.ingest.columns import Gathered, Walked, Walker
from minewatch.ingest.kernels.walker import TAKEN
from minewatch.ingest.plain import decode_data
from minewatch.ingest.registry import Node, Registry
from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import Message, Metric, decode, encode
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.schema import DataType

KINDS = [
    DataType.DOUBLE, DataType.FLOAT, DataType.BOOLEAN, DataType.INT8, DataType.INT16, DataType.INT32,
    DataType.INT64, DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64,
]  # fmt: skip
ROUNDS = 600 if numba.config.DISABLE_JIT else 24_000  # plain Python takes its time


def known(extension: bool = True) -> tuple[EdgeSession, Registry, Node]:
    """A gateway with a point of each data type, born at a registry."""
    points = [PointBirth("dev", f"m{i}", "value", "1", datatype=kind) for i, kind in enumerate(KINDS)]
    session = EdgeSession("mine", "gw", points, spool="s" if extension else "")
    session.will(0)
    registry = Registry(1000)
    node = registry.node("mine", "gw")
    first, second = session.on_subscribed(1)
    registry.node_birth(node, decode(first.payload))  # type: ignore[union-attr]  # both are Publish
    registry.device_birth(node, "dev", decode(second.payload))  # type: ignore[union-attr]
    registry.refresh([node])
    return session, registry, node


def walk(registry: Registry, payloads: list[bytes]) -> Walked:
    """Let the walker decode payloads of the one node."""
    return Walker(registry).walk(payloads, np.zeros(len(payloads), np.int64))


def rows(batch: ReadingBatch) -> list[tuple[int, int, bytes, int, bool]]:
    """Rows that can be compared, NaN by its bits."""
    bits = [struct.pack("<d", v) if v == v else b"nan" for v in batch.value.tolist()]
    return list(zip(batch.point.tolist(), batch.ts_ns.tolist(), bits, batch.quality.tolist(),
                    batch.historical.tolist(), strict=True))  # fmt: skip


def mutate(rng: random.Random, raw: bytes) -> bytes:
    """Change, cut, repeat or insert a few bytes."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        what = rng.choice((0, 1, 1, 1, 1, 2, 3, 4, 5))
        if what == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif what == 1 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            del data[at : at + rng.randrange(1, 6)]
        elif what == 3:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 4)))
        elif what == 4:
            data[at:at] = data[at : at + rng.randrange(1, 24)]
        else:
            del data[at:]
    return bytes(data)


def seeds(session: EdgeSession, rng: random.Random) -> list[bytes]:
    """Payloads of every form that an edge may send."""
    made = []
    for i in range(60):
        readings = [
            (
                k,
                1_790_000_000_000 + rng.randrange(-9, 9),
                _value(rng, kind),
                rng.choice((192, 192, 192, 64, 0)),
            )
            for k, kind in enumerate(KINDS)
            if rng.random() < 0.7
        ]
        made.append(
            session.data("dev", readings, i, 1_790_000_000_001, historical=i % 3 == 0, clock=i % 4).payload
        )
    for alias in range(20):
        metric = Metric(
            alias=alias, value=rng.choice((1.5, 7, True, "x", None)), timestamp_ms=rng.choice((None, 5))
        )
        made.append(encode(Message((metric, metric), rng.choice((None, 9)), 3)))
    made.append(encode(Message((Metric("named", value=1.0),), 1, 3)))
    made.append(encode(Message((Metric(alias=8, value=1.0, properties={"a": 1}),), 1, 3)))
    made.append(encode(Message((), 1, 3)))
    return made


def _value(rng: random.Random, kind: DataType) -> float | int | bool | None:
    if rng.random() < 0.1:
        return None
    if kind in (DataType.DOUBLE, DataType.FLOAT):
        return rng.choice((0.0, -1.5, float("nan"), float("inf"), 1e30))
    if kind == DataType.BOOLEAN:
        return rng.random() < 0.5
    return rng.choice((0, 1, 100)) if kind >= DataType.UINT8 else rng.choice((0, -1, -128, 127))


def test_differential_fuzz() -> None:
    """Of mutated payloads, what the walker takes protobuf takes too, with equal rows; none crashes it."""
    session, registry, node = known()
    rng = random.Random(20_261_122)
    sound = seeds(session, rng)
    payloads = [mutate(rng, rng.choice(sound)) for _ in range(ROUNDS)] + sound
    walked = walk(registry, payloads)
    taken = 0
    for i, raw in enumerate(payloads):
        if walked.status[i] != TAKEN:
            assert walked.rows[i] == 0
            continue
        taken += 1
        decoded = decode_data(raw, node, "dev", 0)  # a WireError here is a failure: it must not be taken
        gathered = Gathered()
        gathered.add_decoded(decoded, 0)
        assert rows(walked.piece(i, i + 1)) == rows(gathered.take()[0]), raw.hex()
        assert decoded.rejects == []
        assert (walked.seq[i], walked.stamp_ms[i], walked.msg_id[i]) == (
            decoded.seq, decoded.stamp_ms, decoded.msg_id,
        ), raw.hex()  # fmt: skip
    assert taken > ROUNDS / 10


def test_what_is_sound_takes_the_fast_way() -> None:
    """Whatever our own gateways send, also bad and historical readings, the walker takes by itself."""
    session, registry, _ = known()
    sound = seeds(session, random.Random(1))[:60]
    assert walk(registry, sound).status == [TAKEN] * 60


def test_random_bytes_are_safe() -> None:
    """Bytes that are no payload at all are given back, wherever they end."""
    _, registry, _ = known()
    rng = random.Random(5)
    payloads = [rng.randbytes(rng.randrange(40)) for _ in range(5_000)] + [
        b"",
        b"\x12",
        b"\x12\xff",
        b"\x12\xff\x7f",
    ]
    walked = walk(registry, payloads)
    assert len(walked.status) == len(payloads)


@pytest.mark.parametrize("cut", range(1, 40))
def test_cut_short(cut: int) -> None:
    """A payload cut at any byte gives no half reading."""
    session, registry, node = known()
    whole = session.data("dev", [(0, 5, 1.5, 64)], 1, 6).payload
    raw = whole[:cut]
    if cut >= len(whole):
        return
    walked = walk(registry, [raw, whole])
    if walked.status[0] == TAKEN:
        decode_data(raw, node, "dev", 0)
    assert walked.status[1] == TAKEN
    assert walked.rows[1] == 1


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (192, Quality.GOOD),
        (64, Quality.UNCERTAIN),
        (0, Quality.BAD),
        (500, Quality.UNCERTAIN),
        (128, Quality.BAD),
    ],
)
def test_quality(code: int, quality: Quality) -> None:
    """A Quality property becomes the quality of the reading, on both ways."""
    session, registry, node = known()
    raw = session.data("dev", [(0, 5, 1.5, code)], 1, 6).payload
    assert walk(registry, [raw]).piece(0, 1).quality.tolist() == [quality]
    assert decode_data(raw, node, "dev", 0).quality == [quality]


def test_null_and_nan() -> None:
    """A null is no signal, a NaN is no number; both come through as NaN with their quality."""
    session, registry, _ = known()
    raw = session.data("dev", [(0, 5, None, 0), (1, 5, float("nan"), 192)], 1, 6).payload
    batch = walk(registry, [raw]).piece(0, 1)
    assert np.isnan(batch.value).all()
    assert batch.quality.tolist() == [Quality.BAD_NO_SIGNAL, Quality.BAD_NOT_A_NUMBER]


def test_any_bytes_through_protobuf() -> None:
    """The slow way gives rows or a WireError for any bytes."""
    session, _, node = known()
    rng = random.Random(7)
    sound = seeds(session, rng)
    refused = 0
    for _ in range(3_000):
        try:
            decoded = decode_data(mutate(rng, rng.choice(sound)), node, "dev", 5)
        except WireError:
            refused += 1
            continue
        assert len(decoded.point) == len(decoded.ts_ns) == len(decoded.value) == len(decoded.quality)
    assert 0 < refused < 3_000


@pytest.mark.parametrize("extension", [True, False])
def test_the_clock_of_a_message_counts_for_all_its_readings(extension: bool) -> None:
    """Holdover makes good readings good of a kind of their own, an unknown clock makes them uncertain.

    What was uncertain or bad already stays so; both ways of decoding say the same.
    """
    session, registry, node = known(extension=extension)
    found = []
    for clock in range(4):
        readings = [(k, 5, 1.0, quality) for k, quality in ((8, 192), (9, 64), (8, 0))]
        raw = session.data("dev", readings, 1 if extension else None, 9, clock=clock).payload
        walked = walk(registry, [raw])
        assert walked.status == [TAKEN]
        quality = walked.piece(0, 1).quality.tolist()
        assert quality == decode_data(raw, node, "dev", 0).quality
        found.append(quality)
    assert found == [[0, 64, 128], [1, 64, 128], [67, 64, 128], [67, 64, 128]]
