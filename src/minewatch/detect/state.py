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

from minewatch.contracts import PointInfo
from minewatch.detect.kernels.layout import (
    CHANGE,
    LAYOUT,
    LIMIT,
    NONE,
    RATE_KEPT,
    RISE,
    SETUP,
    SHIFT,
    STEL_BUCKETS,
    TRACK,
    TWA_BUCKETS,
    WINDOW,
    Parameters,
    State,
)
from minewatch.detect.settings import DetectSettings
from minewatch.errors import StoreError

MAGIC = b"minewatch detect\n"
DIGEST_BYTES = 32
HEAD = struct.Struct("<II")  # layout version, length of the description that follows
PER_POINT = tuple(name for name in State._fields if name not in ("limit_first", "limit"))
CONFIGURED = ("setup", "sentinel")  # described by the point, never carried over from a snapshot
MEND = "Delete the file: detectors start anew and are judging again after their warm-up."


def empty(capacity: int, sentinels: int = 1) -> State:
    """Return the state of ``capacity`` points that nothing is known of."""
    track = np.zeros(capacity, TRACK)
    track["last_ns"] = track["heard_ns"] = track["anchor_ns"] = NONE
    stel = np.zeros(capacity, WINDOW)
    twa = np.zeros(capacity, WINDOW)
    stel["slot"] = twa["slot"] = NONE
    shift = np.zeros(capacity, SHIFT)
    shift["start_ns"] = shift["end_ns"] = NONE
    return State(
        setup=np.zeros(capacity, SETUP),
        sentinel=np.full((capacity, sentinels), np.nan),
        track=track,
        stel=stel,
        stel_ring=np.zeros((capacity, STEL_BUCKETS + 1, 2)),
        twa=twa,
        twa_ring=np.zeros((capacity, TWA_BUCKETS + 1, 2)),
        shift=shift,
        rise=np.zeros(capacity, RISE),
        rise_ns=np.zeros((capacity, RATE_KEPT), np.int64),
        rise_value=np.zeros((capacity, RATE_KEPT)),
        change=np.zeros(capacity, CHANGE),
        limit_first=np.zeros(capacity + 1, np.int64),
        limit=np.zeros(0, LIMIT),
    )


def grow(state: State, used: int, capacity: int, sentinels: int) -> State:
    """Return the state with room for more points or more sentinels; the first ``used`` rows stay."""
    wider = empty(capacity, max(sentinels, state.sentinel.shape[1]))
    for name in PER_POINT:
        old, new = getattr(state, name), getattr(wider, name)
        if name == "sentinel":
            new[:used, : old.shape[1]] = old[:used]
        else:
            new[:used] = old[:used]
    wider.limit_first[: used + 1] = state.limit_first[: used + 1]
    wider.limit_first[used + 1 :] = state.limit_first[used]
    return wider._replace(limit=state.limit)


def describe(state: State, p: int, info: PointInfo, settings: DetectSettings) -> None:
    """Write what a point's birth says into its row."""
    interval_s = info.interval_s if info.interval_s > 0 else settings.default_interval_s
    window_s = max(settings.rate_window_s, 6 * info.interval_s)
    low = info.low if not math.isnan(info.low) else -math.inf
    high = info.high if not math.isnan(info.high) else math.inf
    state.setup[p] = (low, high, info.resolution / 2, round(interval_s * 1e9), round(window_s * 1e9))
    state.sentinel[p] = np.nan
    state.sentinel[p, : len(info.sentinels)] = info.sentinels
    span = high - low
    floor = settings.noise_floor * span if math.isfinite(span) else 0.0
    state.change[p]["floor"] = min(max(info.resolution, floor), 1e30)
    if state.track[p]["heard_ns"] == NONE and info.valid_from_ns > 0:
        state.track[p]["heard_ns"] = info.valid_from_ns  # it is expected to speak from there on


def forget(state: State, p: int) -> None:
    """Make row p as new; its limits stay."""
    fresh = empty(1, state.sentinel.shape[1])
    for name in PER_POINT:
        getattr(state, name)[p] = getattr(fresh, name)[0]


def parameters(settings: DetectSettings) -> Parameters:
    """Return the settings in the units of the kernels."""
    return Parameters(
        stuck_after_s=float(settings.stuck_after_s),
        coverage=float(settings.coverage),
        shift_offset_ns=round(settings.utc_offset_h * 3600e9),
        shift_starts_ns=np.array([round(h * 3600e9) for h in settings.shift_starts_h], np.int64),
        shift_least_s=float(settings.shift_least_s),
        memory=int(settings.memory_readings),
        warm_up=int(settings.warm_up_readings),
        clip=float(settings.clip_sigmas),
        slack=float(settings.cusum_slack),
        cap=float(settings.cusum_cap),
        ewma_half=float(settings.ewma_half_score),
        cusum_half=float(settings.cusum_half_score),
    )


def roster(points: Sequence[PointInfo]) -> bytes:
    """Return the points as bytes for a snapshot."""
    return json.dumps([asdict(p) for p in points], ensure_ascii=False).encode()


def encode(state: State, used: int, points: bytes) -> bytes:
    """Write the first ``used`` points and all limits as bytes that end in their own SHA-256."""
    arrays = {name: np.ascontiguousarray(getattr(state, name)[:used]) for name in PER_POINT}
    arrays["limit"] = state.limit
    shapes = {name: [_type_of(a), list(a.shape)] for name, a in arrays.items()}
    head = json.dumps({"points_bytes": len(points), "arrays": shapes}).encode()
    body = b"".join(
        [MAGIC, HEAD.pack(LAYOUT, len(head)), head, points, *(a.tobytes() for a in arrays.values())]
    )
    return body + hashlib.sha256(body).digest()


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
        raise StoreError(
            f"detector snapshot: points are described otherwise here ({error}). {MEND}"
        ) from None
    at += head["points_bytes"]
    model = empty(0)
    arrays: dict[str, NDArray[Any]] = {}
    for name, (kind, shape) in head["arrays"].items():
        dtype = getattr(model, name).dtype
        if kind != _type_of(getattr(model, name)):
            raise StoreError(f"detector snapshot: {name} is laid out otherwise here. {MEND}")
        size = dtype.itemsize * math.prod(shape)
        arrays[name] = np.frombuffer(body[at : at + size], dtype).reshape(shape)
        at += size
    return points, arrays


def _type_of(array: NDArray[Any]) -> str:
    return str(array.dtype.descr)
