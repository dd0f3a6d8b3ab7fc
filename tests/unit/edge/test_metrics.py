"""The agent's own figures: what is served is what the page describes."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from minewatch_edge import metrics
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.metrics_server import MetricsServer
from minewatch_edge.spool import Counters
from minewatch_edge.state import AgentState

ROOT = Path(__file__).resolve().parents[3]
ROW = re.compile(r"^\| `minewatch_edge_(\w+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|$", re.M)
STATE = AgentState(
    0, "mine", "gw", True, True, True, 3, Counters(13, 12, 6, 1, 2, 3, 4), 5, 6, 7, "spool", 1.5,
    problems={"broker": "gone", "fan": "silent"}, devices={"fan": 2.5, 'gas "1"\n': 0.25, "new": None},
    sessions=2, waiting_capacity=100, rejects_waiting=1, rejects_capacity=1000, spool_bytes=4096,
    spool_capacity_bytes=8192, reloads=3, reloads_refused=1, loop_lag_s=0.0125,
    outputs={"siren": {"on": True, "why": "r at p", "obeys": False}},
    alerts=({"rule": "r", "place": "p", "active": True, "acknowledged": False},),
)  # fmt: skip


def samples(text: str) -> dict[str, float]:
    """Return samples by their name with labels."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_table_of_the_page_is_what_is_served() -> None:
    """Each metric stands in docs/edge.md with its kind, labels and text, and nothing else stands there."""
    text = metrics.render(STATE)
    described = {
        name: (kind, {label.strip("` ") for label in labels.split(",")} - {""}, what)
        for name, kind, labels, what in ROW.findall((ROOT / "docs/edge.md").read_text(encoding="utf-8"))
    }
    served = {}
    for name, what in re.findall(r"^# HELP minewatch_edge_(\w+) (.+)$", text, re.M):
        kind = re.findall(rf"^# TYPE minewatch_edge_{name} (\w+)$", text, re.M)
        found = set(
            re.findall(r'(\w+)="', "".join(re.findall(rf"^minewatch_edge_{name}(\{{.*\}})? ", text, re.M)))
        )
        served[name] = (kind[0], found, what)
    assert served == described


def test_every_figure_carries_what_the_state_says() -> None:
    """Losses have their reasons, queues their capacity, and labels are escaped."""
    found = samples(metrics.render(STATE))
    assert found['minewatch_edge_readings_evicted_total{reason="size"}'] == 1
    assert found['minewatch_edge_readings_evicted_total{reason="age"}'] == 2
    assert found['minewatch_edge_readings_dropped_total{reason="memory-full"}'] == 3
    assert found["minewatch_edge_readings_held"] == 13 - 6 - 3 - 3
    assert found["minewatch_edge_waiting_readings_capacity"] == 100
    assert found['minewatch_edge_device_up{device="fan"}'] == 0
    assert found['minewatch_edge_output_on{output="siren"}'] == 1
    assert found['minewatch_edge_output_up{output="siren"}'] == 0
    assert found["minewatch_edge_alerts"] == 1
    assert found['minewatch_edge_device_up{device="gas \\"1\\"\\n"}'] == 1
    assert 'minewatch_edge_device_reading_age_seconds{device="new"}' not in found
    assert found["minewatch_edge_loop_lag_seconds"] == 0.0125


def test_the_server_answers_on_loopback_and_nothing_but_metrics() -> None:
    """GET /metrics gives the text set last, another path 404; a client that says nothing ends nobody."""
    server = MetricsServer("127.0.0.1", 0)
    server.text = metrics.render(STATE)
    try:
        base = f"http://127.0.0.1:{server.port}"
        with socket.create_connection(("127.0.0.1", server.port)) as rude:
            rude.sendall(b"\xff\xfe nonsense\r\n\r\n")
        with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
            assert answer.read().decode() == server.text
            assert answer.headers["Content-Type"] == metrics.CONTENT_TYPE
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{base}/", timeout=10)
        with pytest.raises(EdgeConfigError, match=r"metrics\.port: cannot listen"):
            MetricsServer("127.0.0.1", server.port)
    finally:
        server.close()


def test_a_client_that_never_ends_its_question_holds_up_no_reload() -> None:
    """Closing returns while a client still sends its request, a byte now and then."""
    server = MetricsServer("127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", server.port)) as rude:
        rude.sendall(b"GET /metrics?")
        closing = threading.Thread(target=server.close)
        closing.start()
        with contextlib.suppress(ConnectionError):  # hung up on: closing ends at any moment
            for _ in range(100):
                rude.sendall(b"x")
                closing.join(0.2)
                if not closing.is_alive():
                    break
        closing.join(5)
        ended_first = not closing.is_alive()
    closing.join()
    assert ended_first
