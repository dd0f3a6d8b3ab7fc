"""The arrays behind the engine: made, grown, described by points, written to bytes and read back."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import fields
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
from minewatch.detect.kernels.level import LEVEL
from minewatch.detect.kernels.robust import ROBUST
from minewatch.detect.kernels.wear import WEAR
from minewatch.detect.memory import extended
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
ASKED = ("forecast", "wear", "robust", "level")  # rows of those points alone whose limits ask for them
CHART = ("mean", "variance", "high", "low", "seen", "lag", "echo")
WORDS = tuple(field.name for field in fields(PointInfo))
MEND = "Delete the file: detectors start anew and are judging again after their warm-up."


def empty(sentinels: int = 1) -> State:
    """Return the state of no points, ready to grow."""
    single = np.float32
    return State(
        point=np.zeros(0, POINT),
        sentinel=np.zeros((0, sentinels)),
        chart=Chart(
            mean=np.zeros(0),
            variance=np.zeros(0, single),
            high=np.zeros(0, single),
            low=np.zeros(0, single),
            floor=np.zeros(0, single),
            seen=np.zeros(0, single),
            lag=np.zeros(0, single),
            echo=np.zeros(0, single),
        ),
        limit_first=np.zeros(1, np.int64),
        limit=np.zeros(0, LIMIT),
        forecast=np.zeros(0, FORECAST),
        forecast_at=np.zeros(0, np.int32),
        wear=np.zeros(0, WEAR),
        wear_at=np.zeros(0, np.int32),
        robust=np.zeros(0, ROBUST),
        robust_at=np.zeros(0, np.int32),
        level=np.zeros(0, LEVEL),
        level_at=np.zeros(0, np.int32),
    )


def grow(state: State, points: int, sentinels: int) -> State:
    """Return the state with so many points, the new ones as those that nothing is known of."""
    used, width = state.sentinel.shape
    sentinel = state.sentinel
    if sentinels > width:
        sentinel = np.full((used, sentinels), np.nan)
        sentinel[:, :width] = state.sentinel
    wider = state._replace(
        point=extended(state.point, points),
        sentinel=extended(sentinel, points),
        chart=Chart(*(extended(column, points) for column in state.chart)),
        limit_first=extended(state.limit_first, points + 1),
        **{f"{name}_at": extended(getattr(state, f"{name}_at"), points) for name in ASKED},
    )
    wider.limit_first[used + 1 :] = state.limit_first[used]
    for name in ASKED:
        getattr(wider, f"{name}_at")[used:] = -1
    begin(wider, used, points)
    return wider


def begin(state: State, first: int, end: int) -> None:
    """Make rows from first to before end those of points that nothing is known of."""
    point = state.point[first:end]
    point[:] = np.zeros(1, POINT)
    for row, name in (
        ("track", "last_ns"),
        ("track", "judged_ns"),
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
    for name in Chart._fields:
        getattr(state.chart, name)[first:end] = 0


def describe(state: State, points: I8, infos: Sequence[PointInfo], settings: DetectSettings) -> None:
    """Write what the births of points say into their rows."""
    if not len(points):
        return

    def said(name: str) -> NDArray[np.float64]:
        return np.array([getattr(info, name) for info in infos], np.float64)

    interval_s, resolution = said("interval_s"), said("resolution")
    low, high = said("low"), said("high")
    low[np.isnan(low)], high[np.isnan(high)] = -np.inf, np.inf
    longest = np.where(interval_s > 0, interval_s, settings.default_interval_s)
    window_s = np.maximum(settings.rate_window_s, 6 * interval_s)
    with np.errstate(invalid="ignore"):
        span = high - low
    span[~np.isfinite(span)] = 0.0
    row = state.point
    row["low"][points], row["high"][points], row["half_step"][points] = low, high, resolution / 2
    row["hold_ns"][points] = np.round(longest * 1e9)
    row["rate_window_ns"][points] = np.round(window_s * 1e9)
    row["fastest"][points] = [instruments.fastest(info, settings.fastest) for info in infos]
    row["wet"][points] = [instruments.wet(info) for info in infos]
    row["kind"][points] = [instruments.kind(info) for info in infos]
    row["least_range"][points] = np.maximum(
        settings.novelty_floor * span, settings.novelty_floor_steps * resolution
    )
    state.chart.floor[points] = np.minimum(np.maximum(resolution, settings.noise_floor * span), 1e15)
    width = state.sentinel.shape[1]
    state.sentinel[points] = [(*i.sentinels, *[math.nan] * (width - len(i.sentinels))) for i in infos]
    born = np.array([info.valid_from_ns for info in infos], np.int64)
    heard = row["track"]["heard_ns"]
    new = (heard[points] == NONE) & (born > 0)
    heard[points[new]] = born[new]  # it is expected to speak from there on


def describing(settings: DetectSettings) -> tuple[Any, ...]:
    """Return the settings that the description of a point is made of."""
    return tuple(getattr(settings, name) for name in DESCRIBING)


def forget(state: State, p: int) -> None:
    """Make row p as new; its limits stay."""
    begin(state, p, p + 1)


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


def told(info: PointInfo) -> bytes:
    """Return a point as bytes for a snapshot, what it says in the order of ``WORDS``."""
    return json.dumps([getattr(info, name) for name in WORDS], ensure_ascii=False).encode()


def learned(state: State, used: int, trials: Rows = NOTHING) -> dict[str, NDArray[Any]]:
    """Return what a snapshot holds: everything the first ``used`` points and all limits have become."""
    arrays: dict[str, NDArray[Any]] = {"point": state.point[:used], "limit": state.limit, "trial": trials}
    arrays |= {name: getattr(state, name) for name in ASKED}
    return arrays | {name: getattr(state.chart, name)[:used] for name in CHART}


def encode(state: State, used: int, points: bytes, trials: Rows = NOTHING) -> Iterator[bytes | memoryview]:
    """Yield the first ``used`` points and all limits as bytes that end in their own SHA-256."""
    arrays = learned(state, used, trials)
    shapes = {name: [str(a.dtype.descr), len(a)] for name, a in arrays.items()}
    head = json.dumps({"points_bytes": len(points), "words": WORDS, "arrays": shapes}).encode()
    parts: list[Any] = [MAGIC, HEAD.pack(LAYOUT, len(head)), head, points]
    parts.extend(np.ascontiguousarray(a).view(np.uint8).data for a in arrays.values() if len(a))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
        yield part
    yield digest.digest()


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
        named = (dict(zip(head["words"], row, strict=True)) for row in rows)
        points = tuple(PointInfo(**{**row, "sentinels": tuple(row["sentinels"])}) for row in named)
    except (TypeError, KeyError, ValueError) as error:
        raise StoreError(f"detector snapshot: other words for a point ({error}). {MEND}") from None
    at += head["points_bytes"]
    model = learned(empty(), 0)
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
