"""The demo from outside: its summary is true, it shares nothing by mistake, and it ends completely."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from servers import Server
from system.demo_runs import ask, demo, minewatch
from system.running import running_of, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_every_reading_is_kept_and_somebody_is_called(tmp_path: Path) -> None:
    """The summary: all that the gateways sent is stored once; nobody else gets its port or its folder."""
    with demo(tmp_path, "--minutes", "0.5", "--data", str(tmp_path / "kept")) as running:
        port = urlsplit(running.wait_until_up()).port
        taken = minewatch("demo", "--minutes", "0.05", "--port", str(port))
        assert (taken.returncode, taken.stdout) == (2, "")
        assert taken.stderr == f"minewatch: serve.port: port {port} is in use. choose --port\n"
        shared = minewatch("demo", "--minutes", "0.05", "--port", "0", "--data", str(tmp_path / "kept"))
        assert (shared.returncode, shared.stdout) == (2, "")
        assert shared.stderr.count("\n") == 1
        assert f"data folder {tmp_path}/kept: is in use by another minewatch" in shared.stderr
        assert "--data" in shared.stderr
        code, summary = running.end()
    assert code == 0
    readings = summary["readings"]
    assert readings["sent"] > 500
    assert readings == {
        "sent": readings["sent"], "stored": readings["sent"], "lost": 0, "duplicate": 0, "rejected": 0
    }  # fmt: skip
    assert summary["alerts"]["paged"] >= 1
    assert summary["push_latency_ms"]["p50"] is not None
    assert summary["points"] > 50


def test_ctrl_c_ends_in_order(tmp_path: Path) -> None:
    """One Ctrl-C: the mine stops, what it sent is stored, the summary is printed; nothing stays behind."""
    with demo(tmp_path) as running:
        running.wait_for_readings()
        others = running.family()
        running.press_ctrl_c()
        code, summary = running.end()
        assert code == 130
        assert summary["readings"]["sent"] > 0
        assert (summary["readings"]["lost"], summary["readings"]["duplicate"]) == (0, 0)
        assert "Traceback" not in running.said.read_text()
        # Python's tracker of semaphores ends a moment after the process that it tracks for
        wait_for("nothing of it runs", lambda: running_of(others) == set(), 5)
        assert list(running.temporary.iterdir()) == []


def test_two_ctrl_c_end_at_once(tmp_path: Path) -> None:
    """The second Ctrl-C does not wait for anything, and leaves neither a process nor a temporary folder."""
    with demo(tmp_path) as running:
        running.wait_for_readings()
        others = running.family()
        assert len(others) >= 5  # broker, core, serve, ingest, mine
        running.press_ctrl_c()
        wait_for("it has begun to end", lambda: "ending" in running.said.read_text())
        running.press_ctrl_c()
        assert running.process.wait(8) == 130
        assert running.results.read_text() == ""
        wait_for("nothing of it runs", lambda: running_of(others) == set(), 5)
        assert list(running.temporary.iterdir()) == []


@pytest.mark.parametrize("moment", ["its first process runs", "its mine has just begun"])
def test_ctrl_c_while_it_starts(tmp_path: Path, moment: str) -> None:
    """Somebody who thinks better of it gets the prompt back, without a traceback."""
    with demo(tmp_path) as running:
        wait_for(moment, lambda: running.family() if "first" in moment else running.address)
        running.press_ctrl_c()
        assert running.process.wait(30) == 130
        assert "Traceback" not in running.said.read_text()
        assert list(running.temporary.iterdir()) == []


def test_kill_9_of_the_demo_leaves_no_orphans(tmp_path: Path) -> None:
    """The processes of the service, the broker and the mine end by themselves when their parent is gone."""
    with demo(tmp_path, "--data", str(tmp_path / "kept")) as running:
        running.wait_until_up()
        others = running.family()
        assert len(others) >= 5
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait(5)
        wait_for("nothing of it runs", lambda: running_of(others) == set(), 30)
    again = minewatch(
        "demo", "--minutes", "0.05", "--port", "0", "--data", str(tmp_path / "kept"), patience_s=150
    )
    assert again.returncode == 0, again.stderr


def test_readings_are_in_influxdb(influxd_server: Server, tmp_path: Path) -> None:
    """With an InfluxDB server: nothing is lost, and anybody's InfluxQL finds it by the public names."""
    url = f"http://127.0.0.1:{influxd_server.port}"
    arguments = ("--telemetry", "influxdb", "--influx-url", url)
    with demo(tmp_path, "--minutes", "0.5", *arguments) as running:
        code, summary = running.end(200)
    assert code == 0
    assert summary["telemetry"] == "influxdb"
    assert summary["readings"]["stored"] == summary["readings"]["sent"] > 0
    methane = series(
        url,
        'SELECT "value", "quality", "historical" FROM "reading" '
        'WHERE "site" = \'karaganda-demo\' AND "unit" = \'% CH4\' GROUP BY "zone", "device", "metric"',
    )
    assert "longwall-7/face" in {one["tags"]["zone"] for one in methane}
    assert {"device", "metric", "zone"} == set(methane[0]["tags"])
    assert methane[0]["columns"] == ["time", "value", "quality", "historical"]
    _, value, quality, historical = methane[0]["values"][0]
    assert isinstance(value, int | float)  # JSON writes 1.0 as 1
    assert (type(quality), type(historical)) == (int, bool)
    tags = {row[0] for row in series(url, 'SHOW TAG KEYS FROM "reading"')[0]["values"]}
    assert tags == {"site", "zone", "device", "metric", "unit"}
    raised = series(
        url, 'SELECT "alert", "value", "limit", "why" FROM "alert_event" WHERE "event" = \'raised\''
    )
    assert 0 < summary["alerts"]["raised"] == len(raised[0]["values"])


def series(url: str, query: str) -> list[dict[str, Any]]:
    """Ask the server without anything of ours: an outsider's look at what was written."""
    answer = ask(f"{url}/query?db=minewatch&epoch=ns&q={quote(query)}")
    return list(answer["results"][0].get("series", []))
