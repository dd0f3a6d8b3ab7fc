"""Random kills and dead links by the hundred, on every broker and store: sent, stored, lost, twice.

``MINEWATCH_CONSERVATION_ROUNDS`` (default 240) are shared among the four systems, ``MINEWATCH_SEED`` begins
them; what happened in which order goes to stderr.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from servers import Absent
from system.conserving import BROKERS, STORES, Outcome, conserving

ROUNDS = int(os.environ.get("MINEWATCH_CONSERVATION_ROUNDS", "240"))
SEED = int(os.environ.get("MINEWATCH_SEED", "1"))


def tell(name: str, found: Outcome) -> None:
    """Print what was found of one system."""
    print(f"conservation.{name}.rounds {found.rounds.total()} rounds")
    print(f"conservation.{name}.sent {found.sent} readings")
    print(f"conservation.{name}.stored {found.stored} readings")
    for what in ("lost", "twice", "foreign", "disordered", "raised_twice"):
        print(f"conservation.{name}.{what} {getattr(found, what)} readings", flush=True)


def main() -> int:
    total, whole = 0, True
    for number, (broker, store) in enumerate((b, s) for b in BROKERS for s in STORES):
        name = f"{broker}.{store}"
        with tempfile.TemporaryDirectory(prefix="minewatch-conservation-") as made:
            try:
                with conserving(
                    Path(made), broker, store, SEED + number, lambda what: print(what, file=sys.stderr)
                ) as running:
                    found = running.run(ROUNDS // 4)
            except Absent as absent:
                print(f"conservation.{name} skipped: {absent}", flush=True)
                continue
        tell(name, found)
        total += found.rounds.total()
        whole = whole and found.whole
    print(f"conservation.rounds {total} rounds", flush=True)
    return int(not whole)


if __name__ == "__main__":
    sys.exit(main())
