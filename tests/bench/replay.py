"""How fast a recording goes through parsing, engine, alerts and store."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS, COLUMNS = 40_000, 28

MAP = """\
[file]
time = "time"
format = "unix_s"
zone = "UTC"
"""


def write(folder: Path) -> tuple[Path, Path]:
    """Write a recording of 28 methane meters at 1 Hz, and its map."""
    names = [f"MM{i}" for i in range(COLUMNS)]
    recording, chart = folder / "load.csv", folder / "load.toml"
    with recording.open("w") as out:
        out.write("time," + ",".join(names) + "\n")
        for row in range(ROWS):
            values = (f"{0.3 + 0.05 * math.sin(row / 97 + i):.3f}" for i in range(COLUMNS))
            out.write(f"{1_400_000_000 + row}," + ",".join(values) + "\n")
    points = "".join(
        f'[[point]]\ncolumn = "{n}"\nplace = "longwall/{n}"\nquantity = "methane"\nunit = "% CH4"\n'
        f'range = [0, 40]\nzone = "longwall"\n'
        for n in names
    )
    chart.write_text(MAP + points)
    return recording, chart


def main() -> None:
    """Replay it three times and print the best."""
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as made:
        recording, chart = write(Path(made))
        best = 0.0
        for _ in range(3):
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "minewatch", "replay", str(recording)),
                    *("--map", str(chart), "--json"),
                ],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])["summary"]
            best = max(best, found["readings"]["sent"] / found["seconds"])
        print(f"replay.readings {best:.0f} readings/s")
        print(f"replay.lost {found['readings']['lost']} readings")


if __name__ == "__main__":
    main()
