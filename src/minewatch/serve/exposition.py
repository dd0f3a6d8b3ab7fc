"""The figures of all processes as one Prometheus text: each name once, the label ``process`` tells whose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from minewatch.serve import metrics

log = structlog.get_logger(__name__)
MEDIA = "text/plain; version=0.0.4; charset=utf-8"
OURS = "minewatch_"


class Families(Collector):
    """Metric families from several processes, samples of the same name under one head."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}

    def add(self, families: Iterable[Metric], process: str) -> None:
        """Take the families of ours; a sample without the label ``process`` gets this one."""
        for family in families:
            if not family.name.startswith(OURS) or family.name.endswith("_created"):
                continue
            head = Metric(family.name, family.documentation, family.type)
            kept = self._families.setdefault(family.name, head)
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    labels = {**sample.labels, "process": sample.labels.get("process", process)}
                    kept.samples.append(sample._replace(labels=labels))

    def collect(self) -> Iterator[Metric]:
        """Yield the families by name."""
        for name in sorted(self._families):
            yield self._families[name]


def text(others: str) -> bytes:
    """Return the figures of this process and of the others, whose Prometheus text is given."""
    families = Families()
    families.add(REGISTRY.collect(), "serve")
    try:
        families.add(list(text_string_to_metric_families(others)), "core")
    except (ValueError, KeyError, IndexError) as error:
        metrics.TEXT_ERRORS.inc()
        log.warning("figures of the core cannot be read", error=str(error))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(families)
    return generate_latest(registry)
