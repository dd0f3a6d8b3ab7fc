"""How often alerts of gas and air are real, as the service says it, held against simulated days it never saw.

``MINEWATCH_BENCH_SEEDS`` days of each scenario (4) from seed ``MINEWATCH_BENCH_FIRST_SEED`` (229) on, a
reading each 5 s. With a FILE the counts of four seeds from 201 (fit) and from 223 (judge) go there.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from acceptance.playing import minute, play
from minewatch.alerts.chance import FACTS, Chance, Standing
from minewatch.app import models
from minewatch_sim.scenario import At, Scenario
from minewatch_sim.scenario_file import folder, load

SEEDS = int(os.environ.get("MINEWATCH_BENCH_SEEDS", "4"))
FIRST = int(os.environ.get("MINEWATCH_BENCH_FIRST_SEED", "229"))
SCENARIOS = (
    "belt-fire", "blast-against-wind", "calm", "clock-back", "demo", "methane-buildup", "outburst",
    "sensor-dropout", "test-gas", "uplink-lost",
)  # fmt: skip
PARTS = {"fit": 201, "judge": 223}
TESTS = {"test-gas"}  # gas of a bottle is none of the mine
REAL = {"Ramp", "Spike"}  # what a mine does; drop-outs, stuck meters, clocks and uplinks are none
COUNTED = 4
BANDS = ((0.0, 0.5), (0.5, 0.9), (0.9, 1.0))
Counts = Counter[tuple[tuple[bool, ...], bool]]


def begin_of(name: str, scenario: Scenario) -> float:
    """Return the minute from which on an alert of a scenario is real."""
    steps = [] if name in TESTS else scenario.timeline
    real = [step.minute for step in steps if isinstance(step, At) and type(step.action).__name__ in REAL]
    return min(real, default=float("inf"))


def day(file: Path, seed: int) -> Counts:
    """Play one day and count its alerts by their facts, and whether they were real."""
    scenario = load(file)
    begin, standing, found = begin_of(file.stem, scenario), Standing(), Counts()
    for event in play(scenario, seed=seed, period_s=5.0).events:
        facts = standing.take(event.event, event.alert) if event.event.of_alert else None
        if facts is not None:
            found[facts, minute(event.time_ns) >= begin] += 1
    return found


def count(seeds: Iterable[int]) -> Counts:
    """Play the scenarios that have alerts of gas and air on every seed, on all cores."""
    wanted = [(folder() / f"{name}.toml", seed) for seed in seeds for name in SCENARIOS]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return sum(pool.map(day, *zip(*wanted, strict=True)), Counts())


def write(path: Path, parts: dict[str, Counts]) -> None:
    """Write the counts as the fit reads them."""
    with path.open("w", newline="", encoding="utf-8") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(["part", *FACTS, "real", "not_real"])
        for part, found in parts.items():
            for facts in sorted({facts for facts, _ in found}):
                lines.writerow([part, *map(int, facts), found[facts, True], found[facts, False]])


def tell(found: Counts, chance: Chance) -> None:
    """Print the score, that of the share that was real, and what came true of what was said."""
    said = [(chance.of(facts), real, n) for (facts, real), n in found.items()]
    total = sum(n for *_, n in said)
    share = sum(n for _, real, n in said if real) / total
    print(f"accuracy.fusion.alerts {total} alerts")
    print(f"accuracy.fusion.real {100 * share:.1f} %")
    print(f"accuracy.fusion.brier {sum(n * (p - real) ** 2 for p, real, n in said) / total:.4f} 1")
    print(f"accuracy.fusion.brier_base_rate {share * (1 - share):.4f} 1")
    for low, high in BANDS:
        within = [(p, real, n) for p, real, n in said if low <= p < high]
        name, n = f"accuracy.fusion.said_{100 * low:.0f}_{100 * high:.0f}", sum(n for *_, n in within)
        if n:
            print(f"{name}_alerts {n} alerts")
            print(f"{name}_mean {100 * sum(p * m for p, _, m in within) / n:.1f} %")
            print(f"{name}_real {100 * sum(m for _, real, m in within if real) / n:.1f} %")


def main() -> None:
    """Write counts to the file of the call, or print the figures."""
    if len(sys.argv) > 1:
        write(
            Path(sys.argv[1]), {part: count(range(first, first + COUNTED)) for part, first in PARTS.items()}
        )
    else:
        tell(count(range(FIRST, FIRST + SEEDS)), models.chance())


if __name__ == "__main__":
    main()
