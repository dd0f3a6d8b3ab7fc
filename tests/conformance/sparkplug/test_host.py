"""The host against every assertion of Sparkplug 3.0.0 that binds it; see frame.py."""

import pytest

from conformance.sparkplug import checks  # noqa: F401  # each enters its checks
from conformance.sparkplug.frame import Mutant, Proof, missing, must_fail, mutations, proofs
from conformance.sparkplug.host_story import HostEvidence


@pytest.mark.parametrize("proof", proofs("host"), ids=lambda proof: proof.id)
def test_assertion(proof: Proof) -> None:
    """The service does what the assertion says."""
    proof.check(HostEvidence())


@pytest.mark.parametrize(("proof", "mutant"), mutations("host"))
def test_mutant(proof: Proof, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check notices when the service does not."""
    must_fail(proof, mutant, HostEvidence, monkeypatch)


def test_none_is_open() -> None:
    """Each assertion that binds a host has a check or a reason."""
    assert missing("host") == []
