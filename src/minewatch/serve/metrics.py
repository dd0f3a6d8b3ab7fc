"""Figures of the serve room; ``docs/metrics.md`` names each of them."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("minewatch_serve_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "minewatch_serve_request_seconds",
    "Time from a request to the start of its answer",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
REFUSED = Counter("minewatch_serve_refused", "Requests refused before any route saw them", ["reason"])
COMMANDS = Counter(
    "minewatch_serve_commands", "Commands of people, by what became of them", ["command", "outcome"]
)

VIEWERS = Gauge("minewatch_serve_viewers", "Push streams open now")
VIEWERS_CAPACITY = Gauge("minewatch_serve_viewers_capacity", "Push streams that may be open")
RING_FRAMES = Gauge("minewatch_serve_ring_frames", "Frames held for slow viewers")
RING_CAPACITY = Gauge("minewatch_serve_ring_capacity", "Frames that may be held for slow viewers")
FRAMES = Counter("minewatch_serve_push_frames", "Frames put on the ring", ["event"])
WAKES = Counter("minewatch_serve_push_wakes", "Times the viewers were woken")
SENT = Counter("minewatch_serve_push_sent_bytes", "Bytes handed to viewers")
LAPPED = Counter("minewatch_serve_push_lapped", "Viewers that the ring moved past")
RESETS = Counter("minewatch_serve_push_resets", "Viewers told to read everything again", ["reason"])
REPLAYED = Counter(
    "minewatch_serve_push_replayed", "Journal rows sent again to returning viewers", ["source"]
)
EVENTS = Counter("minewatch_serve_events", "Journal rows that came, by where from", ["source"])
REPEATS = Counter("minewatch_serve_events_repeated", "Journal rows that came again and were dropped")
DELAY = Histogram(
    "minewatch_serve_push_delay_seconds",
    "Time from the service's decision to the frame on the ring",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 5),
)
FOLLOWING = Gauge("minewatch_serve_core_connected", "1 while the core is being followed")
LOST = Counter("minewatch_serve_core_lost", "Times the core went away")
TEXT_ERRORS = Counter("minewatch_serve_metrics_errors", "Texts of other processes that could not be read")
