"""Print how novelty does on NAB, by NAB's own rules: ``NAME VALUE UNIT`` a line.

The detector's own alarms are judged as ``minewatch score`` gives them: one configuration for all 58 files, no
smallest or largest value of a file, no threshold chosen here. That configuration was chosen on all of them,
as every published one was; ``held_out`` is what is left when it is chosen on one half. ``blind`` is a timer
that never reads the data.
"""

from __future__ import annotations

import sys

import numpy as np

from minewatch.detect.score import score_series
from tests.bench.nab import FOLDER, PROFILES, Series, found, load, of_alarms, outside, probation, sweep
from tests.bench.nab_halves import held_out, random_halves

PUBLISHED = {
    "numenta": (70.101, 63.209, 74.320),
    "windowedGaussian": (39.650, 20.868, 47.410),
    "ARTime": (74.854, 65.154, 80.362),
}


def blind(file: Series) -> np.ndarray:
    """Return alarms by the clock: one every half probation."""
    alarm = np.zeros(len(file.values), np.bool_)
    alarm[:: max(1, probation(len(file.values)) // 2)] = True
    return alarm


def main() -> None:
    """Print every figure."""
    if not (FOLDER / "labels").is_dir():
        print(f"accuracy.nab.standard skipped: NAB is not in {FOLDER} (set MINEWATCH_DATA)")
        return
    files = load()
    scorer = np.load(FOLDER / "published_scores.npz")
    worst = 0.0
    for name, published in PUBLISHED.items():
        scores = [scorer[f"{name}/{file.name}"] for file in files]
        ours = [sweep(files, scores, profile)[0] for profile in PROFILES]
        worst = max(worst, *(abs(a - b) for a, b in zip(ours, published, strict=True)))
    print(f"accuracy.nab.scorer_differs {worst:.4f} points")
    scored = [score_series("novelty", file.ts_ns, file.values) for file in files]
    alarms = [alarm for _, alarm in scored]
    for profile in PROFILES:
        print(f"accuracy.nab.{profile.name} {of_alarms(files, alarms, profile):.2f} points")
    best, threshold = sweep(files, [score for score, _ in scored], PROFILES[0])
    print(f"accuracy.nab.swept {best:.2f} points")
    print(f"accuracy.nab.swept_threshold {threshold:.4f} 1")
    print(f"accuracy.nab.found {found(files, alarms)} windows")
    print(f"accuracy.nab.outside {outside(files, alarms)} alarms")
    timer = [blind(file) for file in files]
    print(f"accuracy.nab.blind {of_alarms(files, timer, PROFILES[0]):.2f} points")
    print(f"accuracy.nab.blind_outside {outside(files, timer)} alarms")
    for half in held_out(files):
        print(f"accuracy.nab.held_out.{half.name} {half.there:.2f} points")
        print(f"accuracy.nab.held_out.{half.name}.fit {half.here:.2f} points")
        print(f"accuracy.nab.held_out.{half.name}.outside {half.outside} alarms")
        print(f"{half.name}: {half.setting}", file=sys.stderr)
    mean, spread = random_halves(files)
    print(f"accuracy.nab.random_halves {mean:.2f} points")
    print(f"accuracy.nab.random_halves_spread {spread:.2f} points")


if __name__ == "__main__":
    sys.exit(main())
