"""How often rules about sensors in company raise an alert: on real longwalls, and on simulated days.

Recordings: the windows at 1 Hz, and 4.6 days at 30 s. Simulated: ``MINEWATCH_BENCH_SEEDS`` days (3) of each
shipped scenario; what is raised before anything happens, or where nothing does, is false. Meters of
recordings that measure alike are also judged as pairs, because no recording here has three of them for long.
No figure chose any parameter; that temperatures and flows raise no alert was decided by those of a cooling
plant, taken as if they were of one zone.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from acceptance.playing import START, minute, pipeline, play, shipped_rules
from bench import accuracy_methane
from bench.accuracy_scenarios import begin_of
from bench.known_faults import cooling
from minewatch.contracts import (
    NO_WORDS,
    OUTSIDE,
    AlertEvent,
    EventKind,
    PointInfo,
    ReadingBatch,
    Subject,
)
from minewatch.detect.company.neighbours import Neighbours, Sensor
from minewatch.detect.judge import Judge, Statistics
from minewatch_sim.scenario_file import folder, load

SEEDS = int(os.environ.get("MINEWATCH_BENCH_SEEDS", "3"))
DATA = Path(os.environ.get("MINEWATCH_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
SLOW = DATA / "methane_30s" / "methane-train.arff"
COLUMNS = (("MM31", "methane", "% CH4"), ("MM116", "methane", "% CH4"), ("AS038", "air_velocity", "m/s"))
MONTH_S = 365.25 / 12 * 86400
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


def disagreements(rows: NDArray[np.float64], step_s: float) -> int:
    """Return how often ``neighbours-disagree`` would be raised by meters as columns, a row each ``step_s``.

    Two columns are enough here: of a pair nobody can say which is wrong, but neither should differ.
    """
    rule = next(r for r in shipped_rules().rules if r.id == "neighbours-disagree")
    meters = [Sensor(str(j)) for j in range(rows.shape[1])]
    statistic = Neighbours(meters).take(rows).statistic
    about = PointInfo("z", "", "", "", "", "methane", "% CH4", "z")
    judge = Judge()
    table, _ = shipped_rules().bind_subjects([Subject(rule.detector_id, about)])
    judge.set_limits(table, [Subject(rule.detector_id, about)])
    ts_ns = START + (np.arange(len(rows)) * step_s * 1e9).astype(np.int64)
    said = Statistics(rule.detector_id, "z", ts_ns, statistic, 10**18, lambda _: NO_WORDS)
    return int(judge.take([said]).active.sum())


def neighbours() -> None:
    """Print how often meters of recordings disagree that measure alike, and some that do not."""
    lines = SLOW.read_text(encoding="utf-8").split("@DATA")[1].split()
    slow = np.array([[float(x) for x in line.split(",")[:4]] for line in lines])
    plant = cooling(DATA).columns
    alike = {kind: np.column_stack([plant[n] for n in plant if n.startswith(kind)]) for kind in "TFL"}
    for name, rows, step_s in (
        ("methane_30s_pair", slow[:, :2], 30.0),
        ("air_30s_pair", slow[:, 2:], 30.0),
        ("plant_temperatures", alike["T"], 60.0),
        ("plant_flows", alike["F"], 60.0),
        ("plant_levels", alike["L"], 60.0),
    ):
        months = rows.size * step_s / MONTH_S
        number = disagreements(rows, step_s)
        print(f"accuracy.company.neighbours.{name} {number} alerts")
        print(f"accuracy.company.neighbours.{name}_rate {number / months:.2f} 1/point/month")
        print(f"accuracy.company.neighbours.{name}_watched {months:.2f} point-months")


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
        neighbours()
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
