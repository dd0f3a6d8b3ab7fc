import re
from pathlib import Path

import pytest
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from minewatch.errors import StoreError
from minewatch.serve import exposition, metrics
from unit.serve.stage import Stage

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/vectors/http/metrics.txt"
CORE_TEXT = """# HELP minewatch_elsewhere_readings_total Readings looked at.
# TYPE minewatch_elsewhere_readings_total counter
minewatch_elsewhere_readings_total{late="no"} 12.0
minewatch_elsewhere_messages_total{process="ingest"} 3.0
# HELP minewatch_serve_events_total Journal rows.
# TYPE minewatch_serve_events_total counter
minewatch_serve_events_total{source="core"} 5.0
# HELP process_cpu_seconds_total Not ours.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.0
"""


def own_names() -> set[str]:
    """Return the names of the figures of this room, as Prometheus shows them."""
    names = set()
    for collector in vars(metrics).values():
        for family in collector.collect() if isinstance(collector, MetricWrapperBase) else ():
            names.add(family.name + ("_total" if family.type == "counter" else ""))
    return names


async def test_alive_says_only_that_it_answers(stage: Stage) -> None:
    """A live process is alive, whatever the others do."""
    stage.core.away = True
    async with stage.client() as client:
        assert (await client.get("/healthz")).json()["status"] == "ok"


async def test_ready_when_every_part_works(stage: Stage) -> None:
    """200 means that readings become alerts that people see."""
    async with stage.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["telemetry"]) == (200, True, "duckdb")


async def test_not_ready_names_each_part(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 says which parts fail and why, those of this process too."""

    def broken(**_: object) -> object:
        raise StoreError("disk is full")

    stage.core.problems["broker"] = "refused the connection"
    monkeypatch.setattr(stage.records, "events", broken)
    async with stage.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert answer.json()["problems"] == {"broker": "refused the connection", "records": "disk is full"}


async def test_version(stage: Stage) -> None:
    """The running version is told."""
    async with stage.client() as client:
        body = (await client.get("/version")).json()
    assert body["api"] == "v1"
    assert re.match(r"\d+\.\d+", body["version"])


async def test_figures_of_all_processes_are_one_text(stage: Stage) -> None:
    """Each name has one head, each sample says whose it is, and only figures of ours are shown."""
    stage.core.metrics = CORE_TEXT
    async with stage.client() as client:
        await client.get("/api/v1/alerts")
        text = (await client.get("/metrics")).text
    assert 'minewatch_elsewhere_readings_total{late="no",process="core"} 12.0' in text
    assert 'minewatch_elsewhere_messages_total{process="ingest"} 3.0' in text
    assert 'minewatch_serve_events_total{process="core",source="core"} 5.0' in text
    route = 'minewatch_serve_requests_total{method="GET",process="serve",route="/api/v1/alerts",status="200"}'
    assert route in text
    heads = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(heads) == len(set(heads))
    assert all(name.startswith("minewatch_") and not name.endswith("_created") for name in heads)
    assert list(text_string_to_metric_families(text))


async def test_broken_figures_of_the_core_do_not_hide_our_own(stage: Stage) -> None:
    """A text that cannot be read is counted and logged; the rest is shown."""
    before = metrics.TEXT_ERRORS._value.get()
    stage.core.metrics = "minewatch_x{ 1"
    async with stage.client() as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert "minewatch_serve_requests_total" in answer.text
    assert metrics.TEXT_ERRORS._value.get() == before + 1


def test_the_label_of_the_caller_cannot_make_new_series() -> None:
    """A sample keeps the process it names; only without one it gets the default."""
    families = exposition.Families()
    counter = Counter("minewatch_test", "A test", ["process"], registry=None)
    counter.labels("ingest").inc()
    families.add(counter.collect(), "core")
    [family] = families.collect()
    assert [sample.labels for sample in family.samples] == [{"process": "ingest"}]


def test_names_of_figures_are_promises() -> None:
    """The names of this room's figures are those of the golden file."""
    assert sorted(own_names()) == GOLDEN.read_text().split()
