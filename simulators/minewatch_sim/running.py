"""Run real agents, one thread a gateway, until the end; then let their spools run empty."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from minewatch.errors import ConfigError
from minewatch_edge import state as states
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.drivers.driver import Driver
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.runtime import AgentSummary, run_agent

DRAIN_S = 50.0  # how long the end waits for the last acknowledgement
_LOOK_S = 0.1
_SCHEMES = ("mqtt", "tcp")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the broker is."""

    host: str
    port: int


def broker_at(url: str) -> Place:
    """Read mqtt://host:port; raises ConfigError."""
    parts = urlsplit(url)
    try:
        port = parts.port or 1883
    except ValueError:
        port = 0
    if parts.scheme not in _SCHEMES or not parts.hostname or not port:
        raise ConfigError(f"{url!r} is no broker", where="--broker", mend="Write mqtt://127.0.0.1:1883.")
    return Place(parts.hostname, port)


def edge_config(site: str, gateway: str, broker: Place, data: Path) -> EdgeConfig:
    """Return the configuration of one simulated gateway; its spool lies in the data folder."""
    return EdgeConfig(
        site=site,
        gateway=gateway,
        broker=BrokerConfig(host=broker.host, port=broker.port),
        spool=SpoolConfig(path=data / f"{site}.{gateway}.spool"),
        log_level="warning",
        folder=data,
    )


class Agents:
    """Agents that run in threads of this process."""

    def __init__(self, configs: Sequence[EdgeConfig], drivers: Sequence[Driver]) -> None:
        self._configs = configs
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        self._summaries: dict[str, AgentSummary] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(config, driver), name=f"{config.site}/{config.gateway}")
            for config, driver in zip(configs, drivers, strict=True)
        ]

    def start(self) -> None:
        """Start every agent."""
        for config in self._configs:
            states.state_path(config.spool.path).unlink(missing_ok=True)  # an earlier run's state is not ours
        for thread in self._threads:
            thread.start()

    @property
    def failed(self) -> BaseException | None:
        """Return why the first agent that failed did."""
        return self._failed[0] if self._failed else None

    def drain(self, within_s: float = DRAIN_S) -> bool:
        """Wait until nothing is held any more; False when the time is over first."""
        ended = time.monotonic() + within_s
        fresh = {config.spool.path: self._stamp(config) for config in self._configs}
        while not self._failed and time.monotonic() < ended:
            if all(self._empty(config, fresh[config.spool.path]) for config in self._configs):
                return True
            self._stop.wait(_LOOK_S)
        return False

    def stop(self) -> Mapping[str, AgentSummary]:
        """End the agents in order and return what each did, by site/gateway."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        return dict(sorted(self._summaries.items()))

    def _run(self, config: EdgeConfig, driver: Driver) -> None:
        try:
            summary = run_agent(config, [driver], self._stop)
        except Exception as error:  # noqa: BLE001 - the main thread raises it
            self._failed.append(error)
        else:
            self._summaries[f"{config.site}/{config.gateway}"] = summary

    def _empty(self, config: EdgeConfig, before: str) -> bool:
        """Return whether the agent said, since sampling ended, that it holds nothing."""
        state = self._state(config)
        return state.get("time", before) != before and not state["held_rows"] and not state["waiting"]

    def _stamp(self, config: EdgeConfig) -> str:
        return str(self._state(config).get("time", ""))

    @staticmethod
    def _state(config: EdgeConfig) -> dict[str, Any]:
        with suppress(EdgeConfigError):
            return states.read(states.state_path(config.spool.path))
        return {}


def summary(found: Mapping[str, AgentSummary]) -> dict[str, Any]:
    """Return what the agents did as counted by themselves; ``held`` readings nobody acknowledged yet."""
    by_gateway = {
        name: {
            "sent": one.counters.sampled + one.waiting,
            "acknowledged": one.counters.acked,
            "held": one.counters.held + one.waiting,
            "dropped": one.counters.dropped + one.counters.evicted,
        }
        for name, one in found.items()
    }
    totals = {
        key: sum(one[key] for one in by_gateway.values())
        for key in ("sent", "acknowledged", "held", "dropped")
    }
    return {**totals, "gateways": by_gateway}
