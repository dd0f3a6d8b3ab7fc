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
    rebirths_per_s: int = Field(
        20,
        ge=1,
        le=1_000,
        description="Rebirth requests sent within a second at most, to all gateways together.",
    )
    reorder_messages: int = Field(
        128, ge=1, le=255, description="Messages of one gateway that wait for missing ones at most."
    )
    reorder_bytes: int = Field(
        67_108_864,
        ge=1_024,
        description="Bytes of all gateways that wait for missing messages at most; of one an eighth.",
    )
    acknowledge_interval_s: float = Field(
        0.25, gt=0, le=10, description="Shortest time between two acknowledgements to one gateway."
    )
    max_payload_bytes: int = Field(
        4_194_304, ge=1_024, description="Larger messages are rejected before they are decoded."
    )
    max_birth_metrics: int = Field(
        20_000, ge=1, description="A birth with more metrics is rejected before it is decoded."
    )
    max_data_metrics: int = Field(
        20_000, ge=1, description="A data message with more metrics is rejected before it is decoded."
    )
    max_nesting: int = Field(
        12, ge=2, le=60, description="A payload nested deeper (templates, property sets) is rejected."
    )
    max_text_chars: int = Field(
        512, ge=16, le=65_535, description="Longer names and texts in births are rejected or left out."
    )
    max_backlog_bytes: int = Field(
        67_108_864,
        ge=65_536,
        description="Payload bytes that wait for the core at most; beyond it the broker is held back.",
    )
    max_gateway_backlog_bytes: int = Field(
        8_388_608,
        ge=16_384,
        description="Of these, bytes of one gateway at most: a flood beyond it is shed while others send.",
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
