"""Prometheus counters of this room."""

from __future__ import annotations

from prometheus_client import Counter

MESSAGES = Counter("minewatch_ingest_messages_total", "MQTT messages that came in.")
BYTES = Counter("minewatch_ingest_bytes_total", "Payload bytes that came in.")
READINGS = Counter("minewatch_ingest_readings_total", "Readings that were decoded and handed on.")
NOTES = Counter("minewatch_ingest_notes_total", "Notes of gateways that were handed on.")
FALLBACKS = Counter(
    "minewatch_ingest_fallbacks_total", "DATA messages that the fast decoder gave to protobuf."
)
REJECTED = Counter("minewatch_ingest_rejected_total", "What was not taken, by reason.", ["reason"])
GAPS = Counter("minewatch_ingest_sequence_gaps_total", "Gaps in the sequence of a gateway's messages.")
REPEATED = Counter(
    "minewatch_ingest_repeated_messages_total",
    "Messages with a sequence number that had passed: late or twice.",
)
REBIRTHS = Counter("minewatch_ingest_rebirth_requests_total", "Rebirths asked of gateways.")
CONNECTIONS = Counter("minewatch_ingest_connections_total", "Connections that the broker accepted.")
ACKNOWLEDGEMENTS = Counter("minewatch_ingest_acknowledgements_total", "Acknowledgements sent to gateways.")
