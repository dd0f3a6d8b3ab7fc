"""Power cuts: what was durable arrives, no id is given twice, and what is lost is told."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from power.cuts import Cuts, NoCompiler, build
from servers.process import Server
from unit.edge.acking_host import AckingHost

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("CREATE TABLE t (x)")
for sync, value in (("FULL", 1), ("NORMAL", 2)):
    db.execute(f"PRAGMA synchronous = {sync}")
    db.execute("INSERT INTO t VALUES (?)", (value,))
import os
os._exit(0)
"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer that drops unsynced writes."""
    try:
        return build(tmp_path_factory.mktemp("layer"))
    except NoCompiler as why:
        if os.environ.get("CI"):
            pytest.fail(str(why))
        pytest.skip(str(why))


def test_the_layer_drops_what_was_not_synced(layer: Path, tmp_path: Path) -> None:
    """A commit that waited for the disk is in the durable copy, the one after it only in the live file."""
    live, durable = tmp_path / "live", tmp_path / "durable"
    live.mkdir()
    durable.mkdir()
    environment = dict(os.environ, LD_PRELOAD=str(layer), POWER_LIVE=str(live), POWER_DURABLE=str(durable))
    subprocess.run([sys.executable, "-c", WRITER, str(live / "db")], env=environment, check=True)
    found = {
        folder.name: [x for (x,) in sqlite3.connect(folder / "db").execute("SELECT x FROM t")]
        for folder in (live, durable)
    }
    assert found == {"live": [1, 2], "durable": [1]}


@pytest.mark.parametrize(("sync", "rounds"), [("normal", 6), ("full", 3)])
def test_a_power_cut_loses_nothing_that_was_durable(
    layer: Path, mosquitto_server: Server, tmp_path: Path, sync: str, rounds: int
) -> None:
    """The spool opens after each cut; durable rows arrive, ids are unique, other losses are told."""
    cuts = Cuts(layer, tmp_path / "gw", mosquitto_server.port, seed=7, sync=sync)
    cuts.run(rounds)  # nobody listens: what is not on the disk is gone
    with AckingHost(mosquitto_server.port) as host:
        cuts.run(rounds)
        cuts.start()
        assert cuts.end()
    seen = cuts.seen()
    arrived = {(time_ms, value) for _, _, time_ms, value in host.readings}
    assert len({row.row for row in seen}) == len(seen)
    assert max(host.readings.values()) == 1
    missing = [row for row in seen if (row.time_ms, row.value) not in arrived]
    assert [row for row in missing if row.durable] == []
    told = host.gap_ids()
    assert [row for row in missing if row.row not in told] == []
    assert missing or sync == "full", "the layer dropped nothing"
    assert not list((tmp_path / "gw/live").glob("*.corrupt-*"))
    if sync == "full":
        assert missing == []
        assert told == set()
