"""Print how many times faster than river a reading is judged, both timed in this process, one thread.

river's GaussianScorer against the change chart, its HalfSpaceTrees against tiers 1 to 5 of the engine: each
scores a reading and then learns it. Best of several runs, because the machine may be busy with others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from river.anomaly import GaussianScorer, HalfSpaceTrees

from tests.bench.detect import TIERS, best, chart_ns, grouped

RUNS = 5


def gaussian_ns(values: list[float]) -> float:
    """Return ns a reading of river's GaussianScorer."""
    scorer = GaussianScorer()

    def run() -> None:
        for x in values:
            scorer.score_one(None, x)
            scorer.learn_one(None, x)

    return best(run, RUNS, time.thread_time) / len(values) * 1e9


def trees_ns(values: list[float]) -> float:
    """Return ns a reading of river's HalfSpaceTrees, as it comes: 10 trees of height 8, one feature."""
    trees = HalfSpaceTrees(seed=1)
    rows = [{"x": x} for x in values]

    def run() -> None:
        for row in rows:
            trees.score_one(row)
            trees.learn_one(row)

    return best(run, RUNS, time.thread_time) / len(rows) * 1e9


def several(figure: Callable[[], float]) -> list[float]:
    """Return the figure taken anew several times."""
    return [figure() for _ in range(RUNS)]


def main() -> None:
    """Print every figure."""
    values = np.random.default_rng(1).normal(0.6, 0.05, 20_000).tolist()
    gaussian, trees = gaussian_ns(values), trees_ns(values[:5_000])
    chart = min(several(lambda: chart_ns(100_000)))
    tiers = 1e9 / max(several(lambda: grouped(1000, 200, TIERS)))
    print(f"detect.river.gaussian_scorer {gaussian:.0f} ns/reading")
    print(f"detect.river.change {chart:.2f} ns/reading")
    print(f"detect.river.change_ratio {gaussian / chart:.0f} x")
    print(f"detect.river.half_space_trees {trees:.0f} ns/reading")
    print(f"detect.river.tiers {tiers:.0f} ns/reading")
    print(f"detect.river.tiers_ratio {trees / tiers:.0f} x")


if __name__ == "__main__":
    sys.exit(main())
