"""What local safety costs a reading: 20 rules over 500 points, each watched by the rules of its quantity."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

from minewatch_edge.clocks import Moment
from minewatch_edge.rows import Columns
from minewatch_edge.safety import rule_file
from minewatch_edge.safety.safety import Safety
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import GOOD

POINTS = 500
RULES = 20
SECONDS = 200
ROUNDS = 5
S = 1_000_000_000
T0 = 1_700_000_000 * S
QUANTITIES = ("methane", "carbon_monoxide", "fan_pressure", "air_velocity")  # 5 rules each, at 125 points
DETECTORS = ("value", "value", "rate-of-rise", "range", "sentinel")
HEAD = '[pack]\njurisdiction = "site"\neffective_from = 2025-01-01\n'
RULE = """
[[rule]]
id = "{name}"
quantity = "{quantity}"
unit = "1"
detector = "{detector}"
comparison = ">="
threshold = {threshold}
deadband = 0.1
on_delay_s = 2
off_delay_s = 5
priority = 2
page = false
citation = "a bench"
status = "unverified"
[rule.message]
kk = "x"
ru = "x"
en = "x"
"""


def safety(folder: Path) -> Safety:
    """Make 20 rules over 500 points."""
    rules = [
        RULE.format(
            name=f"r-{i}", quantity=QUANTITIES[i % 4], detector=DETECTORS[i // 4],
            threshold=50.0 + i if DETECTORS[i // 4] in ("value", "rate-of-rise") else 1.0,
        )
        for i in range(RULES)
    ]  # fmt: skip
    (folder / "rules.toml").write_text(HEAD + "".join(rules))
    points = [
        PointBirth(
            f"d-{i // 50}", f"m{i}", QUANTITIES[i % 4], "1", "face", 0.0, 100.0, 1.0, sentinels=(-1.0,)
        )
        for i in range(POINTS)
    ]
    made = Safety("mine", "gw", rule_file.load([folder / "rules.toml"]), points, state=folder / "state.json")
    made.start(Moment(T0, 0))
    assert len(made.limits) == POINTS * RULES // 4
    return made


def main() -> None:
    """Print the cost of quiet readings, and of ones of which a tenth crosses a limit and comes back."""
    logging.disable(logging.WARNING)  # thousands of alerts, each said once
    for name, high in (("quiet", 40.0), ("crossing", 90.0)):
        best = float("inf")
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as folder:
                made = safety(Path(folder))
                columns = [
                    Columns(
                        list(range(POINTS)),
                        [T0 // 1_000_000 + k * 1_000] * POINTS,
                        [high if i % 10 == 0 and k % 40 >= 20 else 20.0 + (i + k) % 7 for i in range(POINTS)],
                        [GOOD] * POINTS,
                    )
                    for k in range(SECONDS)
                ]
                spent = 0
                for k, some in enumerate(columns):
                    began = time.process_time_ns()
                    made.observe("d", some)
                    spent += time.process_time_ns() - began
                    made.step(Moment(T0 + k * S, k * S), lambda _event: None)
                    made.noted()
                best = min(best, spent / (POINTS * SECONDS) / 1e3)
        print(f"edge.safety.{name} {best:.2f} us/reading", flush=True)
    print(f"edge.safety.limits {POINTS * RULES // 4} limits", flush=True)


if __name__ == "__main__":
    main()
