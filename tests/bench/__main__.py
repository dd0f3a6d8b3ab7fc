"""Print each figure with its bar and write build/bench.json; with a prefix only figures whose name begins so.

A bench is a module of this folder that prints ``NAME VALUE UNIT`` lines, or ``NAME skipped: why``. Each runs
in a process of its own, so that one's compiled code and memory are not another's.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Bench:
    """A module and the prefix of the figures it prints."""

    prefix: str
    module: str


BENCHES = (
    Bench("start", "start"),
    Bench("wire", "wire"),
    Bench("edge.modbus", "edge_modbus"),
    Bench("edge.start", "edge_start"),
    Bench("edge.sampling", "edge_sampling"),
    Bench("edge.safety", "edge_safety"),
    Bench("edge.spool", "spool"),
    Bench("powercut", "powercut"),
    Bench("detect", "detect"),
    Bench("detect.cuts", "cuts"),
    Bench("detect.scale", "scale"),
    Bench("detect.river", "river_ratio"),
    Bench("detect.forest", "forest"),
    Bench("detect.novelty", "novelty"),
    Bench("accuracy.change", "accuracy_change"),
    Bench("accuracy.skab", "skab"),
    Bench("accuracy.company", "accuracy_company"),
    Bench("accuracy.nab", "accuracy_nab"),
    Bench("accuracy.forecast", "accuracy_forecast"),
    Bench("accuracy.bearings", "accuracy_bearings"),
    Bench("accuracy.quality", "accuracy_quality"),
    Bench("accuracy.faults", "accuracy_faults"),
    Bench("accuracy.trust", "accuracy_trust"),
    Bench("detect.quality", "quality_limits"),
    Bench("store", "store"),
    Bench("replay", "replay"),
    Bench("push", "push"),
    Bench("service", "service"),
    Bench("edge.agent", "edge_agent"),
    Bench("edge.wire", "edge_wire"),
    Bench("conservation", "conservation"),
    Bench("fuzz", "fuzz"),
    Bench("accuracy.methane", "accuracy_methane"),
    Bench("accuracy.scenarios", "accuracy_scenarios"),
    Bench("accuracy.fusion", "accuracy_fusion"),
)

# name: (smallest or largest allowed, bar); figures without a bar are told without a verdict
BARS: dict[str, tuple[str, float]] = {
    "fuzz.host": (">=", 8_000_000),
    "fuzz.edge": (">=", 2_000_000),
    "fuzz.crashes": ("<=", 0),
    "fuzz.growth": ("<=", 128),
    "accuracy.methane.tests_tagged": (">=", 15),
    "accuracy.methane.tests_paged": ("<=", 0),
    "accuracy.methane.airflow_paged": ("<=", 10),
    "accuracy.scenarios.paged_in_time": (">=", 100),
    "accuracy.scenarios.false_pages": ("<=", 1),
    "accuracy.scenarios.tests_untagged": ("<=", 0),
    "accuracy.scenarios.tests_paged": ("<=", 0),
    "start.help": ("<=", 0.3),
    "start.first": ("<=", 40.0),
    "start.warm": ("<=", 8.0),
    "edge.start.published": ("<=", 1.0),
    "edge.start.rss": ("<=", 60.0),
    "edge.start.zipapp_published": ("<=", 1.0),
    "edge.start.zipapp_rss": ("<=", 60.0),
    "edge.start.zipapp_size": ("<=", 1_000),
    "service.readings_100": (">=", 80_000),
    "service.lost_100": ("<=", 0),
    "service.duplicate_100": ("<=", 0),
    "service.readings_1": (">=", 8_000),
    "service.lost_1": ("<=", 0),
    "service.duplicate_1": ("<=", 0),
    "service.latency_p99": ("<=", 250),
    "replay.readings": (">=", 300_000),
    "store.duckdb.write_20000": (">=", 500_000),
    "store.duckdb.row_20000": ("<=", 8.0),
    "store.duckdb.buckets": ("<=", 50.0),
    **{
        f"powercut.{host}.{what}": ("<=", 0)
        for host in ("host_normal", "host_full", "service")
        for what in ("lost_durable", "lost_untold", "twice", "ids_twice")
    },
    "powercut.host_full.lost_told": ("<=", 0),
    "edge.spool.append_normal": (">=", 1_000),
    "edge.spool.append_full": (">=", 200),
    "edge.spool.drain_normal": (">=", 4_000),
    "edge.sampling.every": ("<=", 2_000),
    "edge.sampling.deadband": ("<=", 2_000),
    "edge.safety.quiet": ("<=", 5.0),
    "edge.safety.crossing": ("<=", 5.0),
    "edge.modbus.requests": ("<=", 8),
    "edge.modbus.readings": (">=", 10_000),
    "detect.quality": ("<=", 30.0),
    "detect.limits": ("<=", 120.0),
    "detect.change.10000": ("<=", 4.0),
    "detect.change.100000": ("<=", 4.0),
    "detect.change.1000000": ("<=", 4.0),
    "detect.scale.state.water": ("<=", 6_000),
    "detect.scale.state.gas": ("<=", 6_000),
    "detect.scale.state.machine": ("<=", 6_000),
    "detect.scale.state.machine_foreseen": ("<=", 6_000),
    "detect.scale.snapshot.100000.pause": ("<=", 100),
    "detect.scale.ten_times.100000": ("<=", 11.0),
    "detect.scale.ten_times.1000000": ("<=", 11.0),
    "detect.scale.memory.1000000": ("<=", 8.0),
    "detect.scale.one_at_1000_times": ("<=", 1.1),
    "detect.scale.birth_of_1000.to_1000000": ("<=", 250),
    "detect.scale.birth_of_1000.service": ("<=", 250),
    "detect.cuts.differ": ("<=", 0),
    "detect.tiers.1000x200": (">=", 1.5),
    "detect.river.change_ratio": (">=", 500),
    "detect.river.tiers_ratio": (">=", 30),
    "detect.forest.row": ("<=", 5.0),
    "detect.forest.batch": ("<=", 1.7),
    "detect.forest.differs": ("<=", 1e-12),
    "detect.novelty.1": ("<=", 400.0),
    "detect.novelty.1000": ("<=", 400.0),
    "detect.novelty.10000": ("<=", 400.0),
    "detect.novelty.100000": ("<=", 400.0),
    "detect.novelty.state_all": ("<=", 6_000),
    **{
        f"accuracy.change.{name}.{between}.tie_{tie}.measured_to_stated": (">=", 0.5)
        for name in ("ewma", "cusum")
        for between in (1000, 10000, 100000)
        for tie in ("0", "0.5", "0.9")
    },
    "accuracy.nab.scorer_differs": ("<=", 0.001),
    "accuracy.nab.standard": (">=", 75.0),
    "accuracy.nab.low_fp": (">=", 66.0),
    "accuracy.nab.low_fn": (">=", 80.5),
    "accuracy.nab.held_out.a_to_b": (">=", 72.0),
    "accuracy.nab.held_out.b_to_a": (">=", 72.0),
    "accuracy.skab.f1": (">=", 0.84),
    "accuracy.skab.far": ("<=", 15.0),
    "accuracy.skab.mar": ("<=", 19.0),
    "accuracy.bearings.least_first_before_end": (">=", 1.0),
    "accuracy.bearings.good_first": ("<=", 0),
    "accuracy.forecast.methane_max_180.to_best": ("<=", 0.9999),
    "accuracy.forecast.methane_max_180.coverage_off": ("<=", 2.0),
    **{
        f"accuracy.quality.{name}.{half}.{what}": ("<=", bar)
        for name in ("mine_cooling", "mine_dust")
        for half in ("chosen", "judged")
        for what, bar in (("missed", 0), ("false_mean", 1.0), ("false_worst", 1.0))
    },
    "edge.agent.cpu": ("<=", 60.0),
    "edge.agent.memory": ("<=", 60.0),
    "edge.agent.readings": (">=", 9_900),
    "edge.agent.drain": (">=", 20.0),
    "edge.agent.drain_live_p99": ("<=", 1_000),
    "edge.agent.drain_lost": ("<=", 0),
    "conservation.rounds": (">=", 200),
    **{
        f"conservation.{broker}.{store}.{what}": ("<=", 0)
        for broker in ("mosquitto", "iotcore")
        for store in ("duckdb", "influxdb")
        for what in ("lost", "twice", "foreign", "disordered", "raised_twice")
    },
}
LINE = re.compile(
    r"^(?P<name>[a-z]+\.[\w.-]+) (?:(?P<value>-?[\d.eE+-]+) (?P<unit>\S+)|(?P<skip>skipped: .+))$"
)


@dataclass(frozen=True)
class Figure:
    """One measured figure; ``passed`` is None where there is no bar or it was skipped."""

    name: str
    value: float | None
    unit: str
    bar: str
    passed: bool | None
    how: str

    def line(self) -> str:
        """Return the figure as a line."""
        if self.value is None:
            return f"{self.name} {self.unit}"
        verdict = {None: "-", True: "pass", False: "MISS"}[self.passed]
        return f"{self.name} {self.value:g} {self.unit} {self.bar or '-'} {verdict}"


def judge(found: re.Match[str], how: str) -> Figure:
    """Return a printed line with its bar."""
    name = found["name"]
    if found["skip"]:
        return Figure(name, None, found["skip"], "", None, how)
    value = float(found["value"])
    if name not in BARS:
        return Figure(name, value, found["unit"], "", None, how)
    sign, bar = BARS[name]
    passed = value >= bar if sign == ">=" else value <= bar
    return Figure(name, value, found["unit"], f"{sign}{bar:g}", passed, how)


def run(bench: Bench) -> list[Figure]:
    """Run a module; a bench that fails is a figure that missed."""
    how = f"python -m tests.bench.{bench.module}"
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{bench.module}"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    figures = [judge(found, how) for line in done.stdout.splitlines() if (found := LINE.match(line.strip()))]
    if done.returncode or not figures:
        figures.append(Figure(f"{bench.prefix}.failed", float(done.returncode), "exit", "==0", False, how))
    return figures


def main() -> int:
    """Run the benches asked for; exit code 1 when a bar is missed."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    figures: list[Figure] = []
    asked = [bench for bench in BENCHES if bench.prefix.startswith(only)]
    for bench in asked or [bench for bench in BENCHES if only.startswith(bench.prefix)]:
        for figure in run(bench):
            figures.append(figure)
            print(figure.line(), flush=True)
    out = ROOT / "build" / "bench.json"
    out.parent.mkdir(exist_ok=True)
    rows = [
        {("pass" if key == "passed" else key): value for key, value in asdict(f).items()} for f in figures
    ]
    out.write_text(json.dumps(rows, indent=1))
    return int(any(figure.passed is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
