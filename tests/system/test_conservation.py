"""Faults at random moments on every broker and store: what the devices wrote is stored, once, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers import Absent
from system.conserving import BROKERS, STORES, conserving

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

ROUNDS = 14  # each kind of fault at least once; `make bench ONLY=conservation` runs more


@pytest.mark.parametrize("telemetry", STORES)
@pytest.mark.parametrize("broker", BROKERS)
def test_every_reading_is_stored_once(broker: str, telemetry: str, tmp_path: Path) -> None:
    """Agent, broker, ingest, core, store and links are killed or go dead: sent equals stored, in order."""
    seed = 7 + list(BROKERS).index(broker) * 2 + STORES.index(telemetry)
    try:
        with conserving(tmp_path, broker, telemetry, seed, print) as running:
            outcome = running.run(ROUNDS)
    except Absent as absent:
        pytest.skip(f"absent part: {absent}")
    assert outcome.whole, outcome
    assert outcome.sent > 0
