"""What can be set about the telemetry store, and what each setting means."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class DuckdbSettings(BaseModel):
    """The embedded store: one file, written by one process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path = Field(
        default=Path("telemetry.duckdb"), description="The database file; its folder is made if missing."
    )
    threads: int = Field(default=2, ge=1, le=64, description="Threads a query may use at most.")
    memory_mb: int = Field(default=512, ge=64, description="Memory the database may use at most, in MiB.")


class InfluxSettings(BaseModel):
    """An InfluxDB server (1.8, 2 or 3) that answers /api/v2/write and InfluxQL on /query."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        default="http://127.0.0.1:8086",
        pattern=r"^https?://[^\s/@]+$",
        description="Scheme, host and port of the server, without a path and without a password.",
    )
    database: str = Field(
        default="minewatch",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Database (InfluxDB 1 and 3) or bucket (InfluxDB 2); made if missing.",
    )
    organisation: str = Field(default="-", description="Organisation of the bucket; InfluxDB 2 only.")
    token: SecretStr | None = Field(default=None, description="Token of InfluxDB 2 and 3.")
    user: str = Field(default="", description="User of InfluxDB 1, when it asks for one.")
    password: SecretStr | None = Field(default=None, description="Password of that user.")
    timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=300,
        description="Seconds to wait for an answer before the server is away.",
    )


class TelemetrySettings(BaseModel):
    """Where readings and scores are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["duckdb", "influxdb"] = Field(
        default="duckdb", description="The embedded store (duckdb) or a server (influxdb)."
    )
    duckdb: DuckdbSettings = Field(default=DuckdbSettings(), description="Settings of the embedded store.")
    influxdb: InfluxSettings = Field(default=InfluxSettings(), description="Settings of the InfluxDB server.")
