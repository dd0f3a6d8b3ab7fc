"""What the service stands on fails: broker, store, disk. It says so, keeps every reading, goes on."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from minewatch.contracts import EventKind
from servers import Server, free_port, influxd
from system.demo_runs import minewatch
from system.running import System, system, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

HOLDER = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_a_broker_that_comes_later(mosquitto_server: Server, tmp_path: Path) -> None:
    """Without a broker the pages answer and name it; when it comes, readings arrive by themselves."""
    mosquitto_server.kill()
    running = System(tmp_path, mosquitto_server)
    try:
        running.start_service(wait=False)
        running.start_agent()
        wait_for("the broker is missed", lambda: "broker" in running.problems(), 120)
        assert str(mosquitto_server.port) in running.problems()["broker"]
        assert running.get("/healthz")[0] == 200
        mosquitto_server.start()
        wait_for("the service is ready", running.ready, 90)
        wait_for("the incident is raised", lambda: raised(running), 90)
    finally:
        running.stop()


def test_a_store_in_use_by_another_process(mosquitto_server: Server, tmp_path: Path) -> None:
    """The pages name the process that holds the file; when it lets go, the service starts by itself."""
    running = System(tmp_path, mosquitto_server)
    (tmp_path / "data").mkdir()
    file = tmp_path / "data/telemetry.duckdb"
    try:
        with held(file) as pid:
            running.start_service(wait=False)
            wait_for("the store is missed", lambda: "store" in running.problems(), 120)
            assert f"{file}: in use by pid {pid}" in running.problems()["store"]
            assert "core" in running.problems()
            assert running.get("/api/v1/alerts") == (200, {"items": [], "next": None})
        wait_for("the service is ready", running.ready, 90)
    finally:
        running.stop()
    said = (tmp_path / "minewatch.log").read_text()
    assert said.count("in use by pid") == 1  # once on loss
    assert said.count("goes on again") == 1  # once on recovery


def test_a_full_disk_loses_nothing(mosquitto_server: Server, tmp_path: Path) -> None:
    """While the store cannot grow readings are kept and not acknowledged; then all are stored, once."""
    with system(tmp_path, mosquitto_server) as running:
        wait_for("readings are acknowledged", lambda: running.held()["acked"] > 0, 90)
        core, serve = running.part_pid("core"), running.part_pid("serve")
        no_room(core, (tmp_path / "data/telemetry.duckdb.wal").stat().st_size)
        wait_for("the full disk is told", lambda: "store" in running.problems(), 90)
        assert "the disk is full. Free some space" in running.problems()["store"]
        before = running.held()
        wait_for("more is sampled", lambda: running.held()["sampled"] > before["sampled"] + 500)
        assert running.held()["acked"] == before["acked"]
        no_room(core, resource.RLIM_INFINITY)
        reload(running)
        wait_for("the service is ready", running.ready, 90)
        wait_for("the meter's incident is raised", lambda: running.get("/api/v1/alerts")[1]["items"], 90)
        running.drain_agent()
        sent = running.held()["sampled"]
        assert (running.part_pid("core"), running.part_pid("serve")) == (
            core,
            serve,
        )  # nothing had to be started anew
        running.stop()
        counts = running.counts()
        assert (counts.stored, counts.distinct) == (sent, sent)
        assert [event.row for event in running.journal()] == list(range(1, len(running.journal()) + 1))
        assert any(event.event is EventKind.RAISED for event in running.journal())
        changes = [event for event in running.journal() if event.event is EventKind.CHANGED]
        assert [(event.actor, event.comment) for event in changes] == [("engineer", "quiet meters")]


@pytest.mark.usefixtures("influxd_server")  # skips where there is none; this test starts its own
def test_an_influxdb_that_comes_later_and_goes_again(mosquitto_server: Server, tmp_path: Path) -> None:
    """Without its InfluxDB the service names it; it starts when it comes, and loses nothing when it goes."""
    port = free_port()
    kind = f'[telemetry]\nkind = "influxdb"\n[telemetry.influxdb]\nurl = "http://127.0.0.1:{port}"\n'
    running = System(tmp_path, mosquitto_server, more=kind)
    try:
        running.start_service(wait=False)
        wait_for("the server is missed", lambda: "store" in running.problems(), 120)
        assert running.problems()["store"].startswith(f"http://127.0.0.1:{port}: InfluxDB does not answer.")
        with influxd.running(port=port) as server:
            wait_for("the service is ready", running.ready, 90)
            running.start_agent()
            wait_for("readings are acknowledged", lambda: running.held()["acked"] > 0, 90)
            server.kill()
            wait_for("its loss is told", lambda: "store" in running.problems(), 90)
            server.start()
            wait_for("the service is ready", running.ready, 90)
            running.drain_agent()
            sent = running.held()["sampled"]
            running.stop()
            assert running.counts().stored == sent
    finally:
        running.stop()


def reload(running: System) -> None:
    """Add a change of settings to the file and have it read again; one that is wrong is refused before."""
    assert running.service is not None
    good = running.config.read_text()
    log = running.folder / "minewatch.log"
    for name, told in (("cusum_slak", "is not taken"), ("cusum_slack", "was read again")):
        running.config.write_text(
            f'{good}[[detect.changes]]\nvalid_from = 2026-03-01T00:00:00Z\nby = "engineer"\n'
            f'reason = "quiet meters"\nset = {{ {name} = 1.0 }}\n'
        )
        for pid in (running.part_pid("core"), running.part_pid("ingest"), running.part_pid("serve")):
            os.kill(pid, signal.SIGHUP)  # as of a terminal that is closed: only the supervisor heeds it
        running.service.send_signal(signal.SIGHUP)
        wait_for(told, lambda words=told: words in log.read_text())  # type: ignore[misc]  # a default


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that is not ours ends the start in one line that names it and the mend."""
    (tmp_path / "file").write_text("")
    config = tmp_path / "minewatch.toml"
    config.write_text(f'data = "{tmp_path}/file/data"\n[serve]\nport = 0\n')
    done = minewatch("serve", "--config", str(config))
    assert done.returncode == 2
    assert done.stderr.startswith(f"minewatch: data folder {tmp_path}/file/data: cannot be written")
    assert done.stderr.count("\n") == 1


@contextmanager
def held(file: Path) -> Iterator[int]:
    """Let another process hold a DuckDB file; yield its id."""
    duckdb.connect(str(file)).close()
    command = [sys.executable, "-c", HOLDER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder.pid
        finally:
            holder.communicate("")


def no_room(pid: int, size: int) -> None:
    """Let no file of a process grow beyond a size, as a full disk would; RLIM_INFINITY frees it again."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def raised(running: System) -> list[object]:
    """Return the open alerts of the methane limit."""
    status, body = running.get("/api/v1/alerts?rule=methane-trip")
    return list(body["items"]) if status == 200 else []
