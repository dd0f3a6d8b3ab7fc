"""The edge node against every assertion of Sparkplug 3.0.0 that binds it; see frame.py."""

from collections.abc import Iterator

import pytest

from conformance.sparkplug import checks  # noqa: F401  # each enters its checks
from conformance.sparkplug.edge_run import MUTANT_PATIENCE_S
from conformance.sparkplug.edge_story import Evidence, evidence
from conformance.sparkplug.frame import Mutant, Proof, must_fail, mutations, proofs
from servers import Absent, mosquitto

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def brokers() -> Iterator[tuple[int, int]]:
    """The ports of two real brokers."""
    try:
        with mosquitto.running() as first, mosquitto.running() as second:
            yield first.port, second.port
    except Absent as absent:
        pytest.skip(f"absent part: {absent}")


@pytest.fixture(scope="module")
def seen(brokers: tuple[int, int]) -> Iterator[Evidence]:
    """The evidence that all checks share."""
    with evidence(brokers) as made:
        yield made


@pytest.mark.parametrize("proof", proofs("edge"), ids=lambda proof: proof.id)
def test_assertion(proof: Proof, seen: Evidence) -> None:
    """The agent does what the assertion says."""
    proof.check(seen)


@pytest.mark.parametrize(("proof", "mutant"), mutations("edge"))
def test_mutant(
    proof: Proof, mutant: Mutant, brokers: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check notices when the agent does not."""
    with evidence(brokers, MUTANT_PATIENCE_S) as fresh:
        must_fail(proof, mutant, lambda: fresh, monkeypatch)
