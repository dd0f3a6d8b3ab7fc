"""How often rules about sensors in company raise an alert: on real longwalls, and on simulated days.

Recordings: the windows at 1 Hz, and 4.6 days at 30 s. Simulated: ``MINEWATCH_BENCH_SEEDS`` days (3) of each
shipped scenario; what is raised before anything happens, or where nothing does, is false. No figure chose any
parameter.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from acceptance.playing import START, minute, pipeline, play, shipped_rules
from bench import accuracy_methane
from bench.accuracy_scenarios import begin_of
from minewatch.contracts import OUTSIDE, AlertEvent, EventKind, PointInfo, ReadingBatch
from minewatch_sim.scenario_file import folder, load

SEEDS = int(os.environ.get("MINEWATCH_BENCH_SEEDS", "3"))
DATA = Path(os.environ.get("MINEWATCH_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
SLOW = DATA / "methane_30s" / "methane-train.arff"
COLUMNS = (("MM31", "methane", "% CH4"), ("MM116", "methane", "% CH4"), ("AS038", "air_velocity", "m/s"))
STEP_NS = 30_000_000_000
RULES = ("air-falls-gas-rises", "neighbours-disagree")


def raised(events: list[AlertEvent]) -> list[AlertEvent]:
    """Return what these rules raised."""
    company = {rule.id for rule in shipped_rules().rules if rule.detector_id >= OUTSIDE}
    return [e for e in events if e.event is EventKind.RAISED and e.alert.rule in company]


def slow_longwall() -> tuple[int, float]:
    """Return the alerts of the recording at 30 s, and its days."""
    lines = SLOW.read_text(encoding="utf-8").split("@DATA")[1].split()
    rows = np.array([[float(x) for x in line.split(",")[:3]] for line in lines])
    mine = pipeline()
    ids = mine.register(
        PointInfo(f"pl/{name}/x", "pl", "g", name, "x", quantity, unit, "longwall/face", interval_s=30.0)
        for name, quantity, unit in COLUMNS
    )
    events: list[AlertEvent] = []
    for first in range(0, len(rows), 20):
        part = rows[first : first + 20]
        n = part.size
        ts = START + np.repeat((first + np.arange(len(part))) * STEP_NS, len(ids))
        zeros = np.zeros(n, np.uint8)
        batch = ReadingBatch(np.tile(ids, len(part)), ts, part.reshape(-1), zeros, zeros.astype(np.bool_))
        events += mine.take(batch, int(ts[-1]))
        mine.flush()
    return len(raised(events)), len(rows) * STEP_NS / 86400e9


def simulated(file: Path, seed: int) -> tuple[str, float, list[tuple[float, str, str]]]:
    """Return the scenario, its quiet minutes and what was raised: minute, rule and place."""
    scenario = load(file)
    run = play(scenario, seed=seed, period_s=5.0 if scenario.minutes > 45 else 1.0)
    made = [(minute(e.time_ns), e.alert.rule, e.alert.place) for e in raised(run.events)]
    return file.stem, min(begin_of(scenario), scenario.minutes), made


def main() -> None:
    """Print the figures; what was raised in the simulated mines on stderr."""
    if SLOW.exists():
        told = [e for e in accuracy_methane.events() if e["event"] == "raised" and e["rule"] in RULES]
        print(f"accuracy.company.longwall_1hz_raised {len(told)} alerts")
        number, days = slow_longwall()
        print(f"accuracy.company.longwall_30s_raised {number} alerts")
        print(f"accuracy.company.longwall_30s_days {days:.2f} days")
    wanted = [(file, seed) for file in sorted(folder().glob("*.toml")) for seed in range(1, SEEDS + 1)]
    quiet, false, all_of_them = 0.0, 0, 0
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for name, minutes, made in pool.map(simulated, *zip(*wanted, strict=True)):
            quiet += minutes
            false += sum(at < minutes for at, *_ in made)
            all_of_them += len(made)
            for at, rule, place in made:
                print(f"{name} {at:.1f} {rule} {place}", file=sys.stderr, flush=True)
    print(f"accuracy.company.simulated_raised {all_of_them} alerts")
    print(f"accuracy.company.simulated_quiet_hours {quiet / 60:.1f} h")
    print(f"accuracy.company.simulated_false {false} alerts")


if __name__ == "__main__":
    sys.exit(main())
