"""Where things are kept: telemetry in DuckDB or InfluxDB, records in a relational database."""
