"""What one metric costs on the wire: our encoder and decoder beside protobuf's own, and its bytes.

protobuf's own is the bare library: fields set and serialised, or parsed and read into lists, without names,
sequence numbers, checks or quality. Nanoseconds a metric, the best of several rounds taken in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from minewatch.ingest.receiver import Receiver
from minewatch.ingest.settings import IngestSettings
from minewatch_edge.sparkplug.schema import Payload
from tests.bench.wire import T, births, gateway

ROUNDS = 7
METRICS = (1, 10, 100)


def best(*calls: Callable[[], int]) -> list[float]:
    """Return the least nanoseconds a metric of each call; a call returns how many metrics it handled."""
    found = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for at, call in enumerate(calls):
            began = time.perf_counter_ns()
            done = call()
            found[at] = min(found[at], (time.perf_counter_ns() - began) / done)
    return found


def bare(metrics: int, seq: int) -> bytes:
    """Encode as protobuf alone does."""
    payload = Payload(timestamp=T, seq=seq)
    add = payload.metrics.add
    for m in range(metrics):
        metric = add()
        metric.alias = m + 6
        metric.timestamp = T
        metric.double_value = m + 0.25
    raw: bytes = payload.SerializeToString()
    return raw


def bare_read(raw: bytes) -> int:
    """Decode as protobuf alone does."""
    metrics = Payload.FromString(raw).metrics
    rows = [(m.alias, m.timestamp, m.double_value) for m in metrics]
    return len(rows)


def encoded(metrics: int) -> None:
    """Print what encoding costs."""
    session = gateway(metrics)
    births(session)
    readings = [(m, T, m + 0.25, 192) for m in range(metrics)]
    messages = 20_000 // metrics

    def ours() -> int:
        for i in range(messages):
            session.data("device", readings, i + 1, T)
        return messages * metrics

    def theirs() -> int:
        for i in range(messages):
            bare(metrics, i & 255)
        return messages * metrics

    mine, own = best(ours, theirs)
    print(f"edge.wire.encode_{metrics} {mine:.0f} ns/metric")
    print(f"edge.wire.encode_{metrics}_protobuf {own:.0f} ns/metric")


def decoded(metrics: int) -> None:
    """Print what decoding costs, and the bytes."""
    session = gateway(metrics)
    into = Receiver(IngestSettings(), Random(1))
    into.take([(b.topic, b.payload) for b in births(session)], T)
    readings = [(m, T, m + 0.25, 192) for m in range(metrics)]
    messages = max(256, 20_000 // metrics // 256 * 256)  # whole turns of the sequence: they may come again
    sent = [session.data("device", readings, i + 1, T) for i in range(messages)]
    arriving = [(p.topic, p.payload) for p in sent]

    def ours() -> int:
        into.take(arriving, T)
        found = into.collect(T)
        return len(found.batch) if found else 0

    def theirs() -> int:
        return sum(bare_read(payload) for _, payload in arriving)

    mine, own = best(ours, theirs)
    print(f"edge.wire.decode_{metrics} {mine:.0f} ns/metric")
    print(f"edge.wire.decode_{metrics}_protobuf {own:.0f} ns/metric")
    print(f"edge.wire.bytes_{metrics} {len(sent[-1].payload) / metrics:.1f} B/metric", flush=True)


def main() -> None:
    for metrics in METRICS:
        encoded(metrics)
        decoded(metrics)


if __name__ == "__main__":
    main()
