"""The map of a recording: which column is which point, and how its times are to be read."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from minewatch.contracts import PointInfo
from minewatch.errors import MapError

FILE = "{file}"  # in a place, a site or a device: the name of the file without its endings


class FileMap(BaseModel):
    """The table ``[file]``: how the lines and the times of the file are written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time: str | tuple[str, ...] = Field(description="the column of the time, or several, joined by one space")
    format: str = Field(
        default="iso",
        description="iso, unix_s, unix_ms, seconds (since start) or a pattern such as %d.%m.%Y %H:%M",
    )
    zone: str = Field(default="", description="IANA zone of local times, e.g. Europe/Warsaw")
    start: str = Field(
        default="", description="with format = seconds: the time of second 0, ISO 8601 with offset"
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="what separates the fields")
    missing: tuple[str, ...] = Field(default=("",), description="texts that mean: no reading")
    skip_footer: int = Field(default=0, ge=0, le=10_000, description="rows at the end that are not data")
    gateway: str = Field(
        default="recording", min_length=1, description="the gateway the points are filed under"
    )

    @model_validator(mode="after")
    def _times_are_explicit(self) -> FileMap:
        if not self.time:
            raise ValueError("time names no column")
        if self.zone:
            _zone(self.zone)
        if self.format == "seconds":
            if not self.start:
                raise ValueError('format = "seconds" needs start, e.g. "2024-01-01T00:00:00+00:00"')
            if datetime.fromisoformat(self.start).tzinfo is None:
                raise ValueError(f"start {self.start!r} has no offset; write e.g. 2024-01-01T00:00:00+00:00")
        elif self.start:
            raise ValueError('start is only read with format = "seconds"')
        known = self.format in ("iso", "unix_s", "unix_ms", "seconds")
        if not known and "%" not in self.format:
            raise ValueError(
                f"format {self.format!r} is neither iso, unix_s, unix_ms, seconds nor a % pattern"
            )
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the time, at least one."""
        return (self.time,) if isinstance(self.time, str) else self.time

    def start_ns(self) -> int:
        """Return the time of second 0 in ns."""
        delta = datetime.fromisoformat(self.start) - datetime(1970, 1, 1, tzinfo=UTC)
        return (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1_000


Number = Annotated[float, Field(allow_inf_nan=False)]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"zone {name!r} is not an IANA time zone such as Europe/Warsaw") from None


class PointMap(BaseModel):
    """One table ``[[point]]``: a column and the point it stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(description="the column, as the header of the file writes it")
    place: str = Field(
        min_length=1, description="site/device/metric, or site/device; {file} is the file's name"
    )
    quantity: str = Field(min_length=1, description="what is measured, e.g. methane")
    unit: str = Field(min_length=1, description="the unit after scale and offset, e.g. % CH4")
    zone: str = Field(default="", description="the zone of the mine; the site when not given")
    range: tuple[Number, Number] | None = Field(
        default=None, description="[low, high] of the instrument, in unit"
    )
    sentinel: tuple[Number, ...] = Field(default=(), description="recorded values that are no measurement")
    scale: Number = Field(default=1.0, description="reading = recorded * scale + offset")
    offset: Number = Field(default=0.0, description="see scale")
    interval_s: float = Field(
        default=0.0, ge=0, description="longest normal time between two readings; 0 unknown"
    )
    resolution: float = Field(default=0.0, ge=0, description="smallest step of the instrument, in unit")
    optional: bool = Field(default=False, description="a file may lack this column")

    @model_validator(mode="after")
    def _is_sound(self) -> PointMap:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range {list(self.range)} is empty; write [low, high]")
        if self.scale == 0:
            raise ValueError("scale is 0: every reading would be the same")
        parts = self.place.split("/")
        if len(parts) < 2 or not all(parts):
            raise ValueError(f"place {self.place!r} is not site/device or site/device/metric")
        return self

    def info(self, gateway: str, file: str) -> PointInfo:
        """Return the point this column is in the file of that name."""
        place = self.place.replace(FILE, file)
        site, *middle, last = place.split("/")
        # site/device: the instrument measures one thing, named by its quantity
        device, metric = ("/".join(middle), last) if middle else (last, self.quantity)
        low, high = self.range or (float("-inf"), float("inf"))
        return PointInfo(
            place=place,
            site=site,
            gateway=gateway,
            device=device,
            metric=metric,
            quantity=self.quantity,
            unit=self.unit,
            zone=self.zone or site,
            low=low,
            high=high,
            sentinels=tuple(value * self.scale + self.offset for value in self.sentinel),
            interval_s=self.interval_s,
            resolution=self.resolution,
        )


class _Tables(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: FileMap
    point: tuple[PointMap, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class RecordingMap:
    """A map that has been read and found sound; ``path`` is named by errors."""

    path: Path
    file: FileMap
    points: tuple[PointMap, ...]

    @property
    def zone(self) -> tzinfo:
        """Return the zone of the file's local times, UTC when the map names none."""
        return ZoneInfo(self.file.zone) if self.file.zone else UTC

    def error(self, what: str, *, where: str, mend: str) -> MapError:
        """Return an error that names this map."""
        return MapError(what, where=f"{self.path}: {where}", mend=mend)


def load_map(path: Path) -> RecordingMap:
    """Read and check a map.

    Raises MapError, which names file, key or line, and what to write instead.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MapError(
            "there is no such file", where=str(path), mend="Give the map with --map FILE."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise MapError(
            f"cannot be read ({error})", where=str(path), mend="It must be a text file, UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise MapError(f"is not TOML: {error}", where=str(path), mend="Mend that line.") from None
    try:
        read = _Tables.model_validate(tables)
    except ValidationError as error:
        what, key, mend = explain(error, _Tables)
        raise MapError(what, where=f"{path}: {key}", mend=mend) from None
    loaded = RecordingMap(path, read.file, read.point)
    _refuse_doubles(loaded)
    return loaded


def _refuse_doubles(loaded: RecordingMap) -> None:
    for name in ("column", "place"):
        seen: dict[str, int] = {}
        for i, point in enumerate(loaded.points):
            value = getattr(point, name)
            if value in seen:
                raise loaded.error(
                    f"{name} {value!r} stands already in point[{seen[value]}]",
                    where=f"point[{i}].{name}",
                    mend=f"Give each point a {name} of its own.",
                )
            seen[value] = i


def explain(error: ValidationError, model: type[BaseModel]) -> tuple[str, str, str]:
    """Return (what, key, mend) of the first thing wrong: one line a person can act on."""
    first = error.errors(include_url=False)[0]
    keys = [part for part in first["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    key = _dotted(keys)
    kind, value = first["type"], first.get("input")
    if kind == "extra_forbidden":
        return "is not a key that is known here", key, f"Known keys: {', '.join(_known(model, keys[:-1]))}."
    if kind == "missing":
        return "is missing", key, f"Add it: {_description(model, keys)}." if keys else "Add it."
    if kind == "value_error":
        return str(first["ctx"]["error"]), key, "Mend it there."
    shown = repr(value) if not isinstance(value, (dict, list)) or len(repr(value)) < 60 else "the value"
    return f"{shown} does not do: {first['msg'][0].lower()}{first['msg'][1:]}", key, "Mend it there."


def _dotted(keys: Sequence[int | str]) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text or "file"


def _model_at(model: type[BaseModel], keys: Sequence[int | str]) -> type[BaseModel] | None:
    found: Any = model
    for key in keys:
        if isinstance(key, int):
            continue
        if not (isinstance(found, type) and issubclass(found, BaseModel)) or key not in found.model_fields:
            return None
        annotation = found.model_fields[key].annotation
        inner = [
            a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)
        ]
        found = inner[0] if inner else annotation
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _known(model: type[BaseModel], keys: Sequence[int | str]) -> Sequence[str]:
    at = _model_at(model, keys)
    return sorted(at.model_fields) if at is not None else ()


def _description(model: type[BaseModel], keys: Sequence[int | str]) -> str:
    at = _model_at(model, keys[:-1])
    field = at.model_fields.get(str(keys[-1])) if at is not None else None
    return (field.description if field is not None else None) or f"the table {_dotted(keys)}"
