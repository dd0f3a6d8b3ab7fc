"""Many power cuts of a running agent, in front of a host that acknowledges and of the whole service."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from minewatch.config import load
from minewatch.store.telemetry import open_telemetry
from power.cuts import Cuts, NoCompiler, Seen, build
from servers import mosquitto
from system.running import System
from unit.edge.acking_host import AckingHost

ROUNDS = int(os.environ.get("MINEWATCH_POWERCUT_ROUNDS", "40"))
SPAN = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) - (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")


def tell(name: str, seen: list[Seen], missing: list[Seen], unexplained: int, twice: int) -> None:
    print(f"powercut.{name}.rows {len(seen)} rows")
    print(f"powercut.{name}.lost_told {len(missing)} rows")
    print(f"powercut.{name}.lost_durable {sum(row.durable for row in missing)} rows")
    print(f"powercut.{name}.lost_untold {unexplained} rows")
    print(f"powercut.{name}.twice {twice} readings")
    print(f"powercut.{name}.ids_twice {len(seen) - len({row.row for row in seen})} rows", flush=True)


def before_host(layer: Path, folder: Path, sync: str) -> None:
    with mosquitto.running() as broker:
        cuts = Cuts(layer, folder, broker.port, seed=11, sync=sync)
        cuts.run(ROUNDS // 2)  # nobody listens: what is not on the disk is gone
        with AckingHost(broker.port) as host:
            cuts.run(ROUNDS - ROUNDS // 2)
            cuts.start()
            if not cuts.end(120):
                raise SystemExit("the spool was not emptied")
        arrived = {(time_ms, value) for _, _, time_ms, value in host.readings}
        missing = [row for row in cuts.seen() if (row.time_ms, row.value) not in arrived]
        untold = sum(row.row not in host.gap_ids() for row in missing)
        tell(f"host_{sync}", cuts.seen(), missing, untold, sum(n - 1 for n in host.readings.values()))


def before_service(layer: Path, folder: Path) -> None:
    """With DuckDB; the journal must tell of the time of each row that is lost."""
    (folder / "service").mkdir(parents=True)
    with mosquitto.running() as broker:
        service = System(folder / "service", broker)
        cuts = Cuts(layer, folder / "gw", broker.port, seed=13)
        cuts.run(ROUNDS // 4)
        service.start_service()
        cuts.run(ROUNDS // 4)
        cuts.start()
        if not cuts.end(120):
            raise SystemExit("the spool was not emptied")
        service.stop()
        store = open_telemetry(load(service.config).telemetry_settings)
        counts, batch = store.counts(), store.readings(0, 0, 1 << 62, 10_000_000)
        store.close()
        arrived = set(zip((batch.ts_ns // 1_000_000).tolist(), batch.value.tolist(), strict=True))
        missing = [row for row in cuts.seen() if (row.time_ms, row.value) not in arrived]
        spans = [
            tuple(datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp() for t in found.groups())
            for event in service.journal()
            if event.alert.rule == "readings-lost" and (found := SPAN.search(event.alert.why.en))
        ]
        untold = sum(not any(a <= r.time_ms / 1e3 <= b + 1 for a, b in spans) for r in missing)
        tell("service", cuts.seen(), missing, untold, counts.stored - counts.distinct)


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        try:
            layer = build(folder)
        except NoCompiler as why:
            print(f"powercut.host skipped: {why}")
            return
        print(f"powercut.rounds {ROUNDS * 2 + ROUNDS // 4 * 2} cuts", flush=True)
        for sync in ("normal", "full"):
            before_host(layer, folder / sync, sync)
        before_service(layer, folder / "service")


if __name__ == "__main__":
    main()
