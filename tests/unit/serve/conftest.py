from collections.abc import Iterator, MutableMapping, MutableSequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from minewatch.contracts import ReadingBatch, Rejected
from unit.serve.stage import GATEWAY, LIMIT, NOW, S, Stage, alert, point


@pytest.fixture
def anyio_backend() -> str:
    """Run coroutines on asyncio only."""
    return "asyncio"


@pytest.fixture(autouse=True)
def logged() -> Iterator[MutableSequence[MutableMapping[str, Any]]]:
    """Keep what is logged."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def stage() -> Stage:
    """A mine with two points, one limit, one gateway, three alerts, one message that was not taken."""
    made = Stage()
    made.records.save_points(
        {
            0: point("CH4"),
            1: point("CO", quantity="carbon_monoxide", unit="ppm", zone="belt-3", low=float("-inf")),
        }
    )
    made.core.known_limits = {0: [LIMIT]}
    made.core.gateways = (GATEWAY,)
    made.core.batch = ReadingBatch.of(
        [0, 1, 0, 0], [NOW - 10 * S, NOW - 9 * S, NOW - 5 * S, NOW - S], [0.5, 7.0, float("nan"), 1.31]
    )
    made.journal(
        alert("a1"), alert("a2", zone="belt-3", priority=3, raised_ns=NOW - 60 * S), alert("a3", priority=2)
    )
    made.records.reject([Rejected(NOW, "spBv1.0/karaganda/DDATA/gw-longwall/MM261", "payload", "cut\x00off")])
    return made
