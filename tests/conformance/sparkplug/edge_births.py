"""What the edge node's births must be."""

from __future__ import annotations

from conformance.sparkplug import edge_mutants as mutant
from conformance.sparkplug.edge_story import Evidence
from conformance.sparkplug.frame import proves


@proves(
    "edge",
    "topics-nbirth-mqtt", "payloads-nbirth-qos", "message-flow-edge-node-birth-publish-nbirth-qos",
    mutants=mutant.flags("NBIRTH", qos=1),
)  # fmt: skip
def nbirth_qos(seen: Evidence) -> None:
    """NBIRTH goes out with QoS 0."""
    found = seen.story.edge.of("NBIRTH")
    assert found
    assert all(s.publish.qos == 0 for s in found)


@proves(
    "edge",
    "payloads-nbirth-retain", "message-flow-edge-node-birth-publish-nbirth-retained",
    mutants=mutant.flags("NBIRTH", retain=True),
)  # fmt: skip
def nbirth_retain(seen: Evidence) -> None:
    """NBIRTH is not retained."""
    assert not any(s.publish.retain for s in seen.story.edge.of("NBIRTH"))
