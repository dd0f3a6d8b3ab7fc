"""How many readings pass between two false alarms of a change detector, and the threshold for so many.

For independent normal noise, which is also what the CUSUM of correlated readings sees once it has taken off
what the reading before foretold. Formulas, not promises: real noise has longer tails, and a delay of the
rule makes false alarms rarer.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from minewatch.errors import ConfigError

# threshold at 10^2, 10^3, ... values between false alarms, by simulation (tests/bench/run_length.py)
ROBUST_Z = (2.852, 3.827, 4.761, 5.696, 6.655, 7.655)  # readings, of 60 that are remembered
LEVEL_SHIFT = (0.67, 1.225, 1.652, 2.053)  # blocks, of 24 in each window
OVERSHOOT = 1.166  # sigmas that a sum of normal steps jumps over its bar (Siegmund 1985, after Chernoff)
MOST = 1e15  # readings: a thousand per second for thirty thousand years


def ewma(threshold: float, slack: float = 0.0) -> float:
    """Return the mean readings until |z| reaches a threshold: 1 / P(|Z| >= threshold), whatever the slack.

    A rule that asks for one side alone has twice as many.
    """
    return 1.0 / max(math.erfc(threshold / math.sqrt(2.0)), 1.0 / MOST)


def cusum(threshold: float, slack: float = 0.5) -> float:
    """Return the mean readings until either side of the CUSUM reaches a threshold (Siegmund 1985)."""
    bar = threshold + OVERSHOOT
    reach = min(2.0 * slack * bar, math.log(MOST))
    one_side = bar * bar if reach < 1e-4 else (math.expm1(reach) - reach) / (2.0 * slack * slack)
    return one_side / 2.0


def _listed(table: Sequence[float], value: float) -> float:
    """Return what lies between two rows of a table of thresholds, the logarithm along a line."""
    k = min(max(bisect(table, value) - 1, 0), len(table) - 2)
    return float(10.0 ** (2 + k + (value - table[k]) / (table[k + 1] - table[k])))


def robust_z(threshold: float, slack: float = 0.0) -> float:
    """Return the mean readings until the robust z of 60 readings reaches a threshold, on either side."""
    return _listed(ROBUST_Z, threshold)


def level_shift(threshold: float, slack: float = 0.0) -> float:
    """Return the mean blocks until the level shift reaches a threshold, on either side."""
    return _listed(LEVEL_SHIFT, threshold)


BETWEEN: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {"ewma": ewma, "cusum": cusum, "robust-z": robust_z, "level-shift": level_shift}
)
MOST_LISTED: Mapping[str, float] = MappingProxyType(
    {name: 10.0 ** (1 + len(table)) for name, table in (("robust-z", ROBUST_Z), ("level-shift", LEVEL_SHIFT))}
)


def threshold(name: str, readings: float, slack: float = 0.5) -> float:
    """Return the threshold of a change detector with so many readings between false alarms.

    For ``level-shift`` blocks, not readings. Raises ConfigError for another detector, or for readings that no
    threshold gives.
    """
    if name not in BETWEEN:
        raise ConfigError(
            f"{name} has no formula for its false alarms",
            where="between_alarms",
            mend=f"Give a threshold; those with a formula: {', '.join(BETWEEN)}.",
        )
    between = BETWEEN[name]
    most = MOST_LISTED.get(name, 1e12)
    unit = "blocks" if name == "level-shift" else "readings"
    if not 100.0 <= readings <= most:
        raise ConfigError(
            f"{readings:g} does not fit", where="between_alarms", mend=f"Give {unit}, from 100 to {most:g}."
        )
    low, high = 0.0, 1.0
    while between(high, slack) < readings:
        high *= 2.0
        if high > 1e7:
            raise ConfigError(
                f"no threshold gives {readings:g} readings",
                where="between_alarms",
                mend="Ask for fewer, or raise the slack.",
            )
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if between(middle, slack) < readings else (low, middle)
    return high
