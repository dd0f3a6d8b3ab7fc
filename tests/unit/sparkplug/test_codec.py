"""Payloads: golden bytes, round trips, two's complement, and refusal of what is no payload."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug.codec import Message, Metric, decode, encode, sequence, signed
from minewatch_edge.sparkplug.schema import DataType, Payload
from minewatch_edge.sparkplug.state import HostState, decode_state, encode_state

VECTORS = sorted((Path(__file__).parents[2] / "vectors/sparkplug").glob("*.json"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.stem)
def test_golden(path: Path) -> None:
    """Bytes once sent are read the same for ever, and the same meaning still makes the same bytes."""
    raw, said = path.with_suffix(".bin").read_bytes(), json.loads(path.read_text())
    if "state" in said:
        state = HostState(said["state"]["online"], said["state"]["timestamp"])
        assert decode_state(raw) == state
        assert encode_state(state) == raw
        return
    metrics = tuple(Metric(**m) for m in said["message"].pop("metrics"))
    message = Message(metrics, **said["message"])
    assert decode(raw) == message
    assert decode(encode(message)) == message


def test_vectors_are_complete() -> None:
    """Each kind of message that minewatch sends has a golden file."""
    kinds = {p.stem.split("-")[0] for p in VECTORS}
    assert kinds == {"nbirth", "dbirth", "ndata", "ddata", "ndeath", "ddeath", "ncmd", "state"}


RANGES = {
    DataType.INT8: (-(2**7), 2**7 - 1),
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.INT64: (-(2**63), 2**63 - 1),
    DataType.UINT8: (0, 2**32 - 1),
    DataType.UINT32: (0, 2**32 - 1),
    DataType.UINT64: (0, 2**64 - 1),
}
integers = st.sampled_from(sorted(RANGES)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.integers(*RANGES[kind]))
)
values = st.one_of(
    integers,
    st.tuples(st.just(DataType.DOUBLE), st.floats(allow_nan=False)),
    st.tuples(st.just(DataType.FLOAT), st.floats(allow_nan=False, width=32)),
    st.tuples(st.just(DataType.BOOLEAN), st.booleans()),
    st.tuples(st.just(DataType.STRING), st.text(min_size=0, max_size=20)),
    st.tuples(st.just(DataType.BYTES), st.binary(max_size=20)),
)
texts = st.text(min_size=1, max_size=10)
metrics = st.builds(
    lambda typed, name, alias, ts, old, quality, properties: Metric(
        name, alias, typed[0], ts, typed[1], is_historical=old, quality=quality, properties=properties
    ),
    values,
    texts,
    st.none() | st.integers(0, 2**64 - 1),
    st.none() | st.integers(0, 2**64 - 1),
    st.booleans(),
    st.sampled_from([None, 0, 64, 192, 500]),
    st.dictionaries(
        texts.filter(lambda t: t != "Quality"),
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-(2**63), 2**63 - 1) | texts,
        max_size=4,
    ),
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine it says nothing
@given(st.lists(metrics, max_size=6), st.none() | st.integers(0, 255), st.none() | st.integers(0, 2**64 - 1))
def test_round_trip(found: list[Metric], seq: int | None, stamp: int | None) -> None:
    """Whatever can be said comes back unchanged."""
    message = Message(tuple(found), stamp, seq)
    raw = encode(message)
    assert decode(raw) == message
    assert sequence(raw) == seq


@pytest.mark.parametrize(
    ("kind", "sent", "read"),
    [(DataType.INT8, 0xFFFFFFFF, -1), (DataType.INT16, 0x8000, -32768), (DataType.INT32, 5, 5),
     (DataType.INT64, 2**64 - 2, -2), (DataType.UINT32, 0xFFFFFFFF, 0xFFFFFFFF), (99, 7, 7)],
)  # fmt: skip
def test_signed(kind: int, sent: int, read: int) -> None:
    """Signed numbers travel as two's complement in unsigned fields."""
    assert signed(sent, kind) == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [(DataType.INT8, 128), (DataType.UINT16, -1), (DataType.INT32, float("nan")), (DataType.DOUBLE, "x"),
     (DataType.STRING, 5), (DataType.DATASET, 1)],
)  # fmt: skip
def test_value_that_does_not_fit(kind: DataType, value: object) -> None:
    """A value that its data type cannot hold is refused, never bent."""
    with pytest.raises(WireError):
        encode(Message((Metric("m", datatype=kind, value=value),)))  # type: ignore[arg-type]  # on purpose


def test_null_is_no_zero() -> None:
    """A null metric comes back as null, whatever value stands beside it."""
    payload = Payload()
    metric = payload.metrics.add()
    metric.is_null, metric.double_value = True, 3.0
    found = decode(payload.SerializeToString()).metrics[0]
    assert found.is_null
    assert found.value is None


@given(st.binary(max_size=60))
def test_any_bytes(raw: bytes) -> None:
    """Bytes from outside give a message or a WireError, nothing else."""
    with contextlib.suppress(WireError):
        decode(raw)


@pytest.mark.parametrize(
    "raw", [b"ONLINE", b"[]", b'{"online":1,"timestamp":2}', b'{"online":true}', b"\xff"]
)
def test_state_refused(raw: bytes) -> None:
    """A STATE that is not the JSON of 3.0 is refused."""
    with pytest.raises(WireError):
        decode_state(raw)
