"""The arrays behind the engine: made, grown, described by points, written to bytes and read back."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import I8, PointInfo
from minewatch.detect import instruments
from minewatch.detect.kernels.forecast import FORECAST
from minewatch.detect.kernels.layout import (
    LAYOUT,
    LIMIT,
    NONE,
    NOVEL_BLOCKS,
    POINT,
    Chart,
    Parameters,
    Rows,
    State,
)
from minewatch.detect.kernels.wear import WEAR
from minewatch.detect.settings import DetectSettings
from minewatch.detect.trials import NOTHING
from minewatch.errors import StoreError

MAGIC = b"minewatch detect\n"
DIGEST_BYTES = 32
HEAD = struct.Struct("<II")  # layout version, length of the description that follows
KEPT = ("track", "shift", "rise", "stel", "twa", "runs", "ambient", "dose", "novel")
DESCRIBING = (
    "default_interval_s", "rate_window_s", "fastest", "noise_floor", "novelty_floor", "novelty_floor_steps",
)  # fmt: skip
CHART = ("mean", "variance", "high", "low", "seen", "lag", "echo")
MEND = "Delete the file: detectors start anew and are judging again after their warm-up."


def empty(capacity: int, sentinels: int = 1) -> State:
    """Return the state of ``capacity`` points that nothing is known of."""
    point = np.zeros(capacity, POINT)
    for row, name in (
        ("track", "last_ns"),
        ("track", "heard_ns"),
        ("track", "anchor_ns"),
        ("shift", "start_ns"),
        ("shift", "end_ns"),
        ("stel", "slot"),
        ("twa", "slot"),
        ("runs", "since_ns"),
        ("runs", "last_ns"),
        ("ambient", "hour"),
        ("dose", "start_ns"),
    ):
        point[row][name] = NONE
    single = np.float32
    return State(
        point=point,
        sentinel=np.full((capacity, sentinels), np.nan),
        chart=Chart(
            mean=np.zeros(capacity),
            variance=np.zeros(capacity),
            high=np.zeros(capacity, single),
            low=np.zeros(capacity, single),
            floor=np.zeros(capacity, single),
            seen=np.zeros(capacity, single),
            lag=np.zeros(capacity, single),
            echo=np.zeros(capacity, single),
        ),
        limit_first=np.zeros(capacity + 1, np.int64),
        limit=np.zeros(0, LIMIT),
        forecast=np.zeros(0, FORECAST),
        forecast_at=np.full(capacity, -1, np.int32),
        wear=np.zeros(0, WEAR),
        wear_at=np.full(capacity, -1, np.int32),
    )


def grow(state: State, used: int, capacity: int, sentinels: int) -> State:
    """Return the state with room for more points or more sentinels; the first ``used`` rows stay."""
    wider = empty(capacity, max(sentinels, state.sentinel.shape[1]))
    wider.point[:used] = state.point[:used]
    wider.sentinel[:used, : state.sentinel.shape[1]] = state.sentinel[:used]
    for name in Chart._fields:
        getattr(wider.chart, name)[:used] = getattr(state.chart, name)[:used]
    wider.limit_first[: used + 1] = state.limit_first[: used + 1]
    wider.limit_first[used + 1 :] = state.limit_first[used]
    wider.forecast_at[:used] = state.forecast_at[:used]
    wider.wear_at[:used] = state.wear_at[:used]
    return wider._replace(limit=state.limit, forecast=state.forecast, wear=state.wear)


def describe(state: State, p: int, info: PointInfo, settings: DetectSettings) -> None:
    """Write what a point's birth says into its row."""
    interval_s = info.interval_s if info.interval_s > 0 else settings.default_interval_s
    window_s = max(settings.rate_window_s, 6 * info.interval_s)
    low = info.low if not math.isnan(info.low) else -math.inf
    high = info.high if not math.isnan(info.high) else math.inf
    row = state.point[p]
    row["low"], row["high"], row["half_step"] = low, high, info.resolution / 2
    row["hold_ns"], row["rate_window_ns"] = round(interval_s * 1e9), round(window_s * 1e9)
    row["fastest"] = instruments.fastest(info, settings.fastest)
    row["wet"], row["kind"] = instruments.wet(info), instruments.kind(info)
    state.sentinel[p] = np.nan
    state.sentinel[p, : len(info.sentinels)] = info.sentinels
    span = high - low
    floor = settings.noise_floor * span if math.isfinite(span) else 0.0
    row["least_range"] = max(
        settings.novelty_floor * span if math.isfinite(span) else 0.0,
        settings.novelty_floor_steps * info.resolution,
    )
    state.chart.floor[p] = min(max(info.resolution, floor), 1e15)
    if row["track"]["heard_ns"] == NONE and info.valid_from_ns > 0:
        row["track"]["heard_ns"] = info.valid_from_ns  # it is expected to speak from there on


def describing(settings: DetectSettings) -> tuple[Any, ...]:
    """Return the settings that the description of a point is made of."""
    return tuple(getattr(settings, name) for name in DESCRIBING)


def forget(state: State, p: int) -> None:
    """Make row p as new; its limits stay."""
    fresh = empty(1)
    state.point[p] = fresh.point[0]
    for name in Chart._fields:
        getattr(state.chart, name)[p] = getattr(fresh.chart, name)[0]


def parameters(settings: DetectSettings) -> Parameters:
    """Return the settings in the units of the kernels."""
    return Parameters(
        stuck_after_s=float(settings.stuck_after_s),
        coverage=float(settings.coverage),
        shift_offset_ns=round(settings.utc_offset_h * 3600e9),
        shift_starts_ns=np.array([round(h * 3600e9) for h in settings.shift_starts_h], np.int64),
        shift_least_s=float(settings.shift_least_s),
        frozen_factor=float(settings.frozen_factor),
        frozen_least_s=float(settings.frozen_least_s),
        frozen_least_readings=float(settings.frozen_least_readings),
        frozen_warm_up=float(settings.frozen_warm_up_rests),
        frozen_fade_s=float(settings.frozen_fade_s),
        frozen_growth=float(settings.frozen_growth),
        saturated_after_s=float(settings.saturated_after_s),
        ambient_memory_h=float(settings.ambient_memory_h),
        ambient_free_h=float(settings.ambient_free_h),
        ambient_rise=float(settings.ambient_rise),
        ambient_least_s=float(settings.ambient_least_s),
        noise_5db_criterion=float(settings.noise_5db_criterion),
        noise_5db_threshold=float(settings.noise_5db_threshold),
        noise_3db_criterion=float(settings.noise_3db_criterion),
        memory=float(settings.memory_readings),
        warm_up=float(settings.warm_up_readings),
        clip=float(settings.clip_sigmas),
        slack=float(settings.cusum_slack),
        cap=float(settings.cusum_cap),
        ewma_half=float(settings.ewma_half_score),
        cusum_half=float(settings.cusum_half_score),
        novel_weight=float(settings.novelty_hour_weight),
        novel_usual_ns=round(settings.novelty_hour_s * 1e9),
        novel_share=float(settings.novelty_hour_share),
        novel_block=max(1, settings.novelty_memory_readings // NOVEL_BLOCKS),
        novel_block_ns=round(settings.novelty_memory_s * 1e9 / NOVEL_BLOCKS),
        novel_warm=int(settings.novelty_warm_up_readings),
        novel_warm_ns=round(settings.novelty_warm_up_s * 1e9),
        novel_threshold=float(settings.novelty_threshold),
        novel_again=float(settings.novelty_again),
        novel_gate=int(settings.novelty_gate_readings),
        novel_gate_ns=round(settings.novelty_gate_s * 1e9),
    )


def roster(points: Sequence[PointInfo]) -> bytes:
    """Return the points as bytes for a snapshot."""
    return json.dumps([asdict(p) for p in points], ensure_ascii=False).encode()


def learned(state: State, used: int, trials: Rows = NOTHING) -> dict[str, NDArray[Any]]:
    """Return what a snapshot holds: everything the first ``used`` points and all limits have become."""
    arrays: dict[str, NDArray[Any]] = {"point": state.point[:used], "limit": state.limit, "trial": trials}
    arrays |= {"forecast": state.forecast, "wear": state.wear}
    return arrays | {name: getattr(state.chart, name)[:used] for name in CHART}


def encode(state: State, used: int, points: bytes, trials: Rows = NOTHING) -> bytes:
    """Write the first ``used`` points and all limits as bytes that end in their own SHA-256."""
    arrays = learned(state, used, trials)
    shapes = {name: [str(a.dtype.descr), len(a)] for name, a in arrays.items()}
    head = json.dumps({"points_bytes": len(points), "arrays": shapes}).encode()
    parts: list[Any] = [MAGIC, HEAD.pack(LAYOUT, len(head)), head, points]
    parts.extend(np.ascontiguousarray(a).view(np.uint8).data for a in arrays.values() if len(a))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return b"".join([*parts, digest.digest()])


def decode(data: bytes) -> tuple[tuple[PointInfo, ...], dict[str, NDArray[Any]]]:
    """Read a snapshot into points and arrays. Raises StoreError saying what is wrong with it and the mend."""
    start = len(MAGIC) + HEAD.size
    if len(data) < start + DIGEST_BYTES or not data.startswith(MAGIC):
        raise StoreError(f"detector snapshot: this is none, or cut off ({len(data)} bytes). {MEND}")
    version, head_bytes = HEAD.unpack_from(data, len(MAGIC))
    if version != LAYOUT:
        raise StoreError(f"detector snapshot: layout {version}, this minewatch writes {LAYOUT}. {MEND}")
    body = memoryview(data)[:-DIGEST_BYTES]
    if hashlib.sha256(body).digest() != data[-DIGEST_BYTES:]:
        raise StoreError(f"detector snapshot: cut off or damaged (its SHA-256 does not fit). {MEND}")
    head = json.loads(bytes(body[start : start + head_bytes]))
    at = start + head_bytes
    rows = json.loads(bytes(body[at : at + head["points_bytes"]]))
    try:
        points = tuple(PointInfo(**{**row, "sentinels": tuple(row["sentinels"])}) for row in rows)
    except (TypeError, KeyError) as error:
        raise StoreError(f"detector snapshot: other words for a point ({error}). {MEND}") from None
    at += head["points_bytes"]
    model = learned(empty(0), 0)
    arrays: dict[str, NDArray[Any]] = {}
    for name, (kind, length) in head["arrays"].items():
        if name not in model or kind != str(model[name].dtype.descr):
            raise StoreError(f"detector snapshot: {name} is laid out otherwise here. {MEND}")
        size = model[name].dtype.itemsize * length
        arrays[name] = np.frombuffer(body[at : at + size], model[name].dtype)
        at += size
    return points, arrays


def take_over(state: State, arrays: dict[str, NDArray[Any]], old: I8, new: I8) -> None:
    """Copy what snapshot rows ``old`` have learned to rows ``new``; what births say is left alone."""
    for name in KEPT:
        state.point[name][new] = arrays["point"][name][old]
    for name in CHART:
        getattr(state.chart, name)[new] = arrays[name][old]
