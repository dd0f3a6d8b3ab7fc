"""What instruments can do: how fast they can move, where they saturate, which rest by command.

Engineering defaults from what such instruments commonly are, none read in a standard or a data sheet: all
unverified. ``[detect.fastest]`` overrides the speeds by quantity. Nothing here silences a limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from minewatch.contracts import PointInfo
from minewatch.detect.kernels.layout import HAS_AMBIENT, IS_NOISE, RESTS

# units a second; no gas stands here whose danger is its speed: an outburst may be as fast as it likes
FASTEST: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("temperature", "°C"): 5.0,  # a bare thermocouple in water
        ("bearing_temperature", "°C"): 2.0,  # metal
        ("engine_temperature", "°C"): 2.0,
        ("humidity", "%"): 20.0,  # a capacitive sensor in a draught
        ("barometric_pressure", "hPa"): 10.0,  # a door or a fan that starts
        ("level", "%"): 10.0,  # of a dam or a tank
        ("oxygen", "%"): 5.0,  # an electrochemical cell, T90 of seconds
    }
)
WET: Mapping[str, float] = MappingProxyType(
    {"humidity": 0.995}
)  # share of the range: condensed, not measured
# What meters of one zone measure alike, because they share its air, and the least drift that is worth a look.
# Temperature is none of it: it may be that of water or rock, each with reasons of its own (docs/company.md).
SHARED_AIR: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("methane", "% CH4"): 0.1,
        ("carbon_monoxide", "ppm"): 3.0,
        ("carbon_dioxide", "%"): 0.1,
        ("oxygen", "%"): 0.3,
        ("nitrogen_oxides", "mg/m³"): 1.0,
        ("nitrogen_dioxide", "mg/m³"): 0.5,
        ("sulphur_dioxide", "mg/m³"): 1.0,
        ("hydrogen_sulphide", "ppm"): 1.0,
        ("hydrogen", "%"): 0.1,
        ("air_velocity", "m/s"): 0.3,
        ("barometric_pressure", "hPa"): 1.0,
        ("humidity", "%RH"): 10.0,
        ("dust", "mg/m³"): 1.0,
        ("dust_pm10", "mg/m³"): 0.1,
        ("dust_pm2_5", "mg/m³"): 0.1,
    }
)
AMBIENT = frozenset({"carbon_monoxide", "smoke"})
NOISE = frozenset({"noise", "sound_level"})
RESTING = frozenset({"valve", "switch", "state", "setpoint"})  # set by somebody, at rest by nature


def fastest(info: PointInfo, own: Mapping[str, float]) -> float:
    """Return the most a point can move in a second; infinite where nobody has said."""
    return own.get(info.quantity, FASTEST.get((info.quantity, info.unit), math.inf))


def wet(info: PointInfo) -> float:
    """Return from which value on the point's instrument is saturated; infinite if it never is."""
    span = info.high - info.low
    if info.quantity not in WET or not math.isfinite(span):
        return math.inf
    return info.low + WET[info.quantity] * span


def kind(info: PointInfo) -> int:
    """Return the kinds of a point, added up."""
    return (
        HAS_AMBIENT * (info.quantity in AMBIENT)
        + IS_NOISE * (info.quantity in NOISE)
        + RESTS * (info.quantity in RESTING)
    )
