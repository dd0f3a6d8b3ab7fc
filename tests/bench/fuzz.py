"""Ten million broken messages at both ends of the wire: how many a second, crashes, and memory."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fuzz import fuzzing

HOST, EDGE, AGREED = 8_000_000, 2_000_000, 500_000
PIECE = 200_000


def main() -> None:
    crashes = 0
    fuzzing.host(50_000, 1)
    fuzzing.edge(1_000, 1)
    before, most = fuzzing.resident_bytes(), 0
    for name, run, count in (("host", fuzzing.host, HOST), ("edge", fuzzing.edge, EDGE)):
        began = time.perf_counter()
        for seed in range(count // PIECE):
            try:
                run(PIECE, 1_000 + seed)
            except Exception as error:  # noqa: BLE001  # a crash is what is counted
                crashes += 1
                print(f"{name} seed {1_000 + seed}: {error!r}", file=sys.stderr)
            most = max(most, fuzzing.resident_bytes() - before)
        print(f"fuzz.{name} {count} messages", flush=True)
        print(f"fuzz.{name}_rate {count / (time.perf_counter() - began):.0f} messages/s", flush=True)
    print(f"fuzz.agreed {fuzzing.agreement(AGREED, 7)} payloads")
    print(f"fuzz.crashes {crashes} crashes")
    print(f"fuzz.growth {most / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
