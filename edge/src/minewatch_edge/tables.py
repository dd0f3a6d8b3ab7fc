"""A table of a TOML file read with care: a wrong key or value is answered with file, key and mend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from minewatch_edge.errors import EdgeConfigError


class Table:
    """One table of a file; ``where`` names it for people, as ``edge.toml: device[0].point[2]``."""

    def __init__(self, values: Mapping[str, Any], file: str, path: str = "") -> None:
        self.values = values
        self.file = file
        self.path = path

    def where(self, key: str = "") -> str:
        """Return file and full key."""
        full = ".".join(part for part in (self.path, key) if part)
        return f"{self.file}: {full}" if full else self.file

    def error(self, key: str, what: str, mend: str) -> EdgeConfigError:
        """Return the error for a key."""
        return EdgeConfigError(what, where=self.where(key), mend=mend)

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Raise EdgeConfigError for a key that nobody reads."""
        for key in self.values:
            if key not in known:
                raise self.error(key, "unknown key", f"Known here: {', '.join(known)}")

    def text(self, key: str, default: str | None = None, *, choices: Sequence[str] = ()) -> str:
        """Return a text; without a default it must be there and not be empty."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"{value!r} is no text", 'Write it in quotes, as in "name"')
        if default is None and not value:
            raise self.error(key, "it is empty", "Give it a name")
        if choices and value not in choices:
            raise self.error(key, f"{value!r} is not known", f"Use one of: {', '.join(choices)}")
        return value

    def number(
        self, key: str, default: float | None = None, *, least: float = -math.inf, most: float = math.inf
    ) -> float:
        """Return a number between ``least`` and ``most``."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise self.error(key, f"{value!r} is no number", "Write a number without quotes")
        if not least <= value <= most:
            raise self.error(key, f"{value!r} is out of range", f"Use {least:g} to {most:g}")
        return float(value)

    def whole(self, key: str, default: int | None = None, *, least: int, most: int) -> int:
        """Return a whole number."""
        value = self.number(key, default, least=least, most=most)
        if value != int(value):
            raise self.error(key, f"{value!r} is no whole number", f"Use {least} to {most}")
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"{value!r} is neither true nor false", "Write true or false")
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers; nothing when the key is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or any(
            isinstance(v, bool) or not isinstance(v, (int, float)) for v in value
        ):
            raise self.error(key, f"{value!r} is no list of numbers", "Write it as [-1, 9999]")
        return tuple(float(v) for v in value)

    def texts(self, key: str, default: Sequence[str]) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.values.get(key, list(default))
        if not isinstance(value, list) or any(not isinstance(v, str) for v in value):
            raise self.error(key, f"{value!r} is no list of texts", 'Write it as ["", "NaN"]')
        return tuple(value)

    def table(self, key: str) -> Table:
        """Return a table inside; an empty one when the key is not there."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"{value!r} is no table", f"Write [{key}] on a line of its own")
        return Table(value, self.file, ".".join(p for p in (self.path, key) if p))

    def tables(self, key: str) -> list[Table]:
        """Return the tables of an array, at least one."""
        value = self.values.get(key, [])
        full = ".".join(p for p in (self.path, key) if p)
        if not isinstance(value, list) or not value or any(not isinstance(v, dict) for v in value):
            raise self.error(key, "there is none", f"Add at least one [[{self._header(key)}]] table")
        return [Table(v, self.file, f"{full}[{i}]") for i, v in enumerate(value)]

    def _header(self, key: str) -> str:
        """Return the name of an array's tables as the file writes it: without numbers."""
        return ".".join([*(part.split("[")[0] for part in self.path.split(".") if part), key])

    def _get(self, key: str, default: object) -> object:
        if key in self.values:
            return self.values[key]
        if default is None:
            raise self.error(key, "it is missing", f"Add {key} = ... to this table")
        return default
