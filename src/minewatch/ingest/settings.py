"""How the service reaches the broker, and its patience with gateways."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class IngestSettings(BaseModel):
    """How the service reaches the broker, and its patience with gateways."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brokers: tuple[str, ...] = Field(
        ("mqtt://127.0.0.1:1883",),
        min_length=1,
        description="Brokers as mqtt://host:port or mqtts://host:port; the next one is tried when one fails.",
    )
    username: str = Field("", description="User name at the broker; empty for none.")
    password: SecretStr = Field(SecretStr(""), description="Password at the broker.")
    ca_file: Path | None = Field(None, description="Authorities to trust for mqtts; the system's if not set.")
    cert_file: Path | None = Field(None, description="Own certificate for mqtts, where the broker asks.")
    key_file: Path | None = Field(None, description="Key of the own certificate.")
    protocol: int = Field(4, ge=4, le=5, description="MQTT version: 4 is 3.1.1, 5 is 5 (twice the work).")
    host_id: str = Field(
        "minewatch", pattern=r"^[^+#/]+$", description="Name under which gateways know this host (STATE)."
    )
    keepalive_s: int = Field(
        15, ge=2, le=600, description="The broker gives this host up after 1.5 times as long without a word."
    )
    retry_min_s: float = Field(0.5, gt=0, le=60, description="First wait before connecting anew, in seconds.")
    retry_max_s: float = Field(10.0, gt=0, le=600, description="Longest wait before connecting anew.")
    reorder_s: float = Field(
        1.0, ge=0, le=60, description="How long a message that is ahead waits for those missing before it."
    )
    rebirth_interval_s: float = Field(
        5.0, ge=1, le=600, description="Shortest time between two rebirth requests to one gateway."
    )
    rebirth_jitter_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Rebirth requests are spread over this long, so that not all come at once.",
    )
    acknowledge_interval_s: float = Field(
        0.25, gt=0, le=10, description="Shortest time between two acknowledgements to one gateway."
    )
    max_payload_bytes: int = Field(
        4_194_304, ge=1_024, description="Larger messages are rejected before they are decoded."
    )
    max_gateways: int = Field(10_000, ge=1, description="Gateways beyond this number are rejected.")
    max_points: int = Field(200_000, ge=1, description="Points beyond this number are rejected.")

    @field_validator("brokers")
    @classmethod
    def _check_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            try:
                port = parts.port
            except ValueError:
                port = -1
            if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or port in (-1, 0):
                raise ValueError(f"{url!r} is no broker; write mqtt://host:port or mqtts://host:port")
            if parts.username or parts.password or parts.path not in ("", "/"):
                raise ValueError(f"{parts.hostname}: give user and password as own settings, and no path")
        return urls
