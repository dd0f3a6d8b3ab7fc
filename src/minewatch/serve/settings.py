"""What the serve process can be told."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, ConfigDict, Field, field_validator

from minewatch.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Say whether a host name or address can only be reached from this machine.

    Only the name ``localhost`` counts (RFC 6761, 6.3); any other name may resolve to anything.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ServeSettings(BaseModel):
    """Settings of HTTP, push and pages (section ``[serve]``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1", description="Address to listen on; loopback only until there are accounts."
    )
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 takes any free one.")
    ring_frames: int = Field(4_000, ge=16, description="Frames kept for slow viewers of the push stream.")
    ring_bytes: int = Field(32_000_000, ge=65_536, description="Bytes of frames kept for slow viewers.")
    journal_rows: int = Field(
        10_000, ge=1, description="Latest journal rows kept in memory for returning viewers."
    )
    replay_rows: int = Field(
        20_000, ge=0, description="Most missed journal rows a returning viewer is sent; beyond it, a reset."
    )
    max_viewers: int = Field(1_000, ge=1, description="Push streams served at the same time.")
    reading_frame_s: float = Field(
        0.25, ge=0.05, le=10, description="Shortest time between two reading frames, in seconds."
    )
    beat_s: float = Field(
        1.0, ge=0.1, le=10, description="Time between two pings to the viewers, in seconds."
    )
    max_body_bytes: int = Field(65_536, ge=1_024, description="Largest request body that is read, in bytes.")

    @field_validator("host")
    @classmethod
    def _only_this_machine(cls, host: str) -> str:
        if not is_loopback(host):
            raise ConfigError(
                f"{host!r} is not a loopback address, and there are no accounts yet: "
                "anyone who reaches this port could acknowledge alerts",
                where="serve.host",
                mend='Write host = "127.0.0.1" (or "::1") and reach it from elsewhere through an SSH tunnel '
                "or a proxy that asks who is calling",
            )
        return host
