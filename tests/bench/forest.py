"""Print what an isolation forest of 100 trees of 256 rows costs a row, beside scikit-learn."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.ensemble import IsolationForest

from minewatch.detect.company.fit import flatten
from minewatch.detect.kernels.forest import walk_forest

FEATURES = 8


def best(run: Callable[[], object], seconds: float = 2.0) -> float:
    """Return the shortest of as many runs as fit into so many seconds; short runs are seldom interrupted."""
    spans: list[float] = []
    while sum(spans) < seconds:
        began = time.perf_counter()
        run()
        spans.append(time.perf_counter() - began)
    return min(spans)


def main() -> None:
    """Print every figure."""
    dice = np.random.default_rng(0)
    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=0)
    forest.fit(dice.normal(0, 1, (10_000, FEATURES)))
    arrays, steps, usual = flatten(forest)
    rows = dice.normal(0, 1.3, (4_000, FEATURES)).astype(np.float32)
    score = np.empty(len(rows))
    names = ("root", "feature", "threshold", "child", "path")
    trees = [arrays[name] for name in names]

    def batch() -> None:
        walk_forest(rows, *trees, steps, usual, score)

    def each() -> None:
        for i in range(1000):
            walk_forest(rows[i : i + 1], *trees, steps, usual, score[i : i + 1])

    batch()
    each()
    whole, single = best(batch) / len(rows), best(each) / 1000
    print(f"detect.forest.row {single * 1e6:.2f} us")
    print(f"detect.forest.batch {whole * 1e6:.2f} us")
    theirs = best(lambda: forest.score_samples(rows)) / len(rows)
    alone = best(lambda: [forest.score_samples(rows[i : i + 1]) for i in range(20)]) / 20
    print(f"detect.forest.ratio_row {alone / single:.0f} x")
    print(f"detect.forest.ratio_batch {theirs / whole:.1f} x")
    print(f"detect.forest.differs {np.abs(score + forest.score_samples(rows)).max():.2e} 1")


if __name__ == "__main__":
    sys.exit(main())
