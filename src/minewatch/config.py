"""Read minewatch.toml and give each room its own settings.

A mistake is found before anything touches the network, and its message names file, key, value and mend.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from minewatch.alerts.settings import AlertSettings
from minewatch.detect.company.settings import CompanySettings
from minewatch.detect.settings import DetectSettings
from minewatch.errors import ConfigError
from minewatch.ingest.settings import IngestSettings
from minewatch.serve.settings import ServeSettings
from minewatch.store.record_settings import RecordSettings
from minewatch.store.telemetry_settings import TelemetrySettings


class CoreSettings(BaseModel):
    """How the core process paces itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flush_interval_s: float = Field(
        0.25, gt=0, le=5, description="How often readings go to the store and are acknowledged, in seconds."
    )
    snapshot_interval_s: float = Field(
        10.0, gt=0, le=600, description="How often detector state is written to disk, in seconds."
    )
    buffer_rows: int = Field(
        2_000_000,
        ge=10_000,
        description="Readings held while the store refuses; beyond it ingest is held back, none is dropped.",
    )


class Config(BaseModel):
    """The whole service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(Path("var"), description="The folder for everything minewatch keeps on disk.")
    core: CoreSettings = CoreSettings()
    ingest: IngestSettings = IngestSettings()
    detect: DetectSettings = DetectSettings()
    company: CompanySettings = CompanySettings()
    alerts: AlertSettings = AlertSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    records: RecordSettings = RecordSettings()
    serve: ServeSettings = ServeSettings()

    @property
    def telemetry_settings(self) -> TelemetrySettings:
        """The telemetry settings, with the embedded store's file in the data folder unless it is absolute."""
        embedded = self.telemetry.duckdb
        placed = embedded.model_copy(update={"file": self.data / embedded.file})
        return self.telemetry.model_copy(update={"duckdb": placed})

    @property
    def run(self) -> Path:
        """The folder of sockets and process files."""
        return self.data / "run"

    @property
    def socket(self) -> Path:
        """The core's local socket."""
        return self.run / "core.sock"


def load(path: Path) -> Config:
    """Read a configuration file. Raises ConfigError naming file, key, value and mend."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot be read ({error.strerror})", where=str(path), mend="Give the path of a minewatch.toml."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not UTF-8 text (byte {error.start})", where=str(path), mend="Save the file as UTF-8."
        ) from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"is not TOML: {error}", where=str(path), mend="Mend that line; strings need quotes."
        ) from None
    return build(tree, where=str(path))


def build(tree: dict[str, Any], *, where: str) -> Config:
    """Return the configuration a tree of keys describes. Raises ConfigError for the first wrong key."""
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise _explain(error, where) from None


def _explain(error: ValidationError, where: str) -> ConfigError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    place = f"{where}, key {key}" if key else where
    if first["type"] == "extra_forbidden":
        known = sorted(_fields_at(first["loc"][:-1]))
        near = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
        mend = f"Did you mean {near[0]}?" if near else f"Known keys here: {', '.join(known)}."
        return ConfigError("there is no such key", where=place, mend=mend)
    value = "a secret" if "password" in key or "token" in key else repr(first["input"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return ConfigError(f"{value} does not fit", where=place, mend=f"{message[:1].upper()}{message[1:]}.")


def _fields_at(path: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in path:
        kind = model.model_fields[str(part)].annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)
