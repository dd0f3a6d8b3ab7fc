"""Stop a small mine in which everything happens after any step, many times over: does the journal differ?

``MINEWATCH_CUTS`` says how many times; each of 40 mines is cut at other steps, with snapshots of other ages.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from acceptance.cutting import LENGTH, play, story, told

SEEDS = 40


def main() -> None:
    """Print how many cuts were tried, and how many left another journal."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    tried = int(os.environ.get("MINEWATCH_CUTS", "400"))
    differ = rows = 0
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            whole = told(play(story(seed), Path(folder), cut=LENGTH, saved=LENGTH))
            rows += len(whole)
            for k in range(seed, tried, SEEDS):
                cut = 1 + k * 37 % (LENGTH - 1)
                cut_short = told(play(story(seed), Path(folder), cut=cut, saved=max(0, cut - 1 - k % 60)))
                differ += cut_short != whole
    print(f"detect.cuts.tried {tried} cuts")
    print(f"detect.cuts.events {rows} events")
    print(f"detect.cuts.differ {differ} cuts")


if __name__ == "__main__":
    main()
