"""Open the telemetry store that the settings name."""

from __future__ import annotations

from minewatch.contracts import TelemetryStore
from minewatch.store.telemetry_settings import TelemetrySettings


def open_telemetry(settings: TelemetrySettings) -> TelemetryStore:
    """Return the store, ready to write.

    The embedded store raises StoreError when its file cannot be used. A server is asked by the first call
    only, so that the service starts while it is away.
    """
    if settings.kind == "influxdb":
        # Imported here: the client takes 0.3 s, which no other command shall pay.
        from minewatch.store.influx import InfluxTelemetry

        return InfluxTelemetry(settings.influxdb)
    from minewatch.store.duckdb import DuckdbTelemetry

    return DuckdbTelemetry(settings.duckdb)
