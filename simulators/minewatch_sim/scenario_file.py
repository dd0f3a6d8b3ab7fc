"""Scenarios in TOML, read strictly: a mistake names the file, the key and the mend."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from minewatch.contracts import Text
from minewatch.errors import ConfigError
from minewatch_sim.mines import CAUSES, GATEWAYS, PLACES, SITES
from minewatch_sim.scenario import (
    ACTIONS,
    Action,
    Active,
    At,
    Between,
    ClockSkew,
    Cover,
    Dropout,
    Expect,
    MustNot,
    Poison,
    Scenario,
    Step,
    Stuck,
    UplinkLost,
)

_TOP = ("title", "minutes", "seed", "sites", "repeat_min", "at", "expect", "must_not")
_WINDOW = ("rule", "place", "from_min", "to_min")


def folder() -> Path:
    """Return the folder of the scenarios that come with minewatch."""
    here = Path(__file__).parent
    shipped = here / "data/scenarios"
    return shipped if shipped.is_dir() else here.parent / "scenarios"


def find(name: str) -> Path:
    """Return the file of a scenario named by a path, or by the name of one that comes with minewatch."""
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        return path
    known = sorted(file.stem for file in folder().glob("*.toml"))
    if name in known:
        return folder() / f"{name}.toml"
    raise ConfigError(
        f"there is no scenario {name!r}",
        where="SCENARIO",
        mend=f"Give a file, or one of: {', '.join(known)}.",
    )


def load(path: Path) -> Scenario:
    """Read and check a scenario; raises ConfigError."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=str(path), mend="Name a scenario that is there."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", where=str(path), mend="Mend that line.") from error
    return _Reader(path).scenario(tables)


class _Reader:
    """Reads the tables of one file; every error says where."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def scenario(self, tables: Mapping[str, Any]) -> Scenario:
        self._known(tables, _TOP, "")
        minutes = self._number(tables, "minutes", "", least=0.0)
        steps: list[Step] = []
        steps += [self._at(t, f"at[{i}]", minutes) for i, t in self._tables(tables, "at")]
        steps += [Expect(*self._alert(t, f"expect[{i}]", minutes)) for i, t in self._tables(tables, "expect")]
        steps += [
            MustNot(*self._alert(t, f"must_not[{i}]", minutes)) for i, t in self._tables(tables, "must_not")
        ]
        sites = tables.get("sites", list(SITES))
        if not isinstance(sites, list) or not sites or not set(sites) <= set(SITES):
            raise self._error("sites", f"{sites!r} is no list of sites", f"Known: {', '.join(SITES)}.")
        return Scenario(
            name=self._path.stem,
            title=self._title(tables),
            timeline=tuple(steps),
            minutes=minutes,
            seed=int(self._number(tables, "seed", "", least=0, default=1)),
            sites=tuple(site for site in SITES if site in sites),
            repeat_min=self._number(tables, "repeat_min", "", least=0, default=0.0),
            file=str(self._path),
        )

    def _title(self, tables: Mapping[str, Any]) -> Text:
        title = tables.get("title")
        wanted = {"kk", "ru", "en"}
        if (
            not isinstance(title, dict)
            or set(title) != wanted
            or not all(isinstance(t, str) for t in title.values())
        ):
            raise self._error(
                "title", "is not the name in three languages", 'Write title = { kk = "", ru = "", en = "" }.'
            )
        return Text(**title)

    def _at(self, table: Mapping[str, Any], key: str, minutes: float) -> At:
        name = table.get("do")
        if name not in ACTIONS:
            raise self._error(f"{key}.do", f"{name!r} is no action", f"Known: {', '.join(ACTIONS)}.")
        kind = ACTIONS[name]
        names = {f.name: f for f in fields(kind)}
        self._known(table, ("minute", "do", *names), key)
        values: dict[str, Any] = {"target": self._target(table, key, kind)}
        for field_name, spec in names.items():
            if field_name == "target":
                continue
            if field_name == "bad":
                values["bad"] = table.get("bad", False) is True
                continue
            timed = field_name.endswith("_min") and field_name != "per_min"
            default = None if spec.default is MISSING else spec.default
            values[field_name] = self._number(
                table, field_name, key, least=0.0 if timed else None, default=default
            )
        return At(self._number(table, "minute", key, least=0, most=minutes), kind(**values))

    def _target(self, table: Mapping[str, Any], key: str, kind: type[Action]) -> str:
        target = table.get("target")
        if not isinstance(target, str):
            raise self._error(
                f"{key}.target", f"{target!r} names nothing", "Write a point, a cause or a gateway."
            )
        if kind in (ClockSkew, UplinkLost):
            known: Iterable[str] = GATEWAYS
        elif kind in (Stuck, Dropout, Cover, Poison) or "/" in target:
            known = PLACES
        else:
            known = CAUSES
        if not any(fnmatchcase(name, target) for name in known):
            near = difflib.get_close_matches(target, list(known), 4, 0.3) or sorted(known)[:8]
            raise self._error(f"{key}.target", f"there is no {target!r}", f"Near it: {', '.join(near)}.")
        return target

    def _alert(self, table: Mapping[str, Any], key: str, minutes: float) -> tuple[Between, Active]:
        self._known(table, _WINDOW, key)
        rule, place = table.get("rule"), table.get("place", "*")
        if not isinstance(rule, str) or not rule:
            raise self._error(f"{key}.rule", f"{rule!r} is no rule", "Write the id of a rule, or a glob.")
        if not isinstance(place, str):
            raise self._error(
                f"{key}.place", f"{place!r} is no place", "Write site/device/metric, or a glob."
            )
        start = self._number(table, "from_min", key, least=0, most=minutes, default=0.0)
        end = self._number(table, "to_min", key, least=start, most=minutes, default=minutes)
        return Between(start, end), Active(rule, place)

    def _tables(self, tables: Mapping[str, Any], key: str) -> Sequence[tuple[int, Mapping[str, Any]]]:
        found = tables.get(key, [])
        if not isinstance(found, list) or not all(isinstance(t, dict) for t in found):
            raise self._error(key, "is not a list of tables", f"Write [[{key}]] before each.")
        return list(enumerate(found))

    def _known(self, table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
        for key in table:
            if key not in known:
                at = f"{where}.{key}" if where else key
                raise self._error(at, "is not a key that is known here", f"Known keys: {', '.join(known)}.")

    def _number(
        self,
        table: Mapping[str, Any],
        key: str,
        where: str,
        *,
        least: float | None = None,
        most: float | None = None,
        default: float | None = None,
    ) -> float:
        at = f"{where}.{key}" if where else key
        value = table.get(key, default)
        if value is None:
            raise self._error(at, "is missing", "Write a number.")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            raise self._error(at, f"{value!r} is no number", "Write a number without quotes.")
        if (least is not None and value < least) or (most is not None and value > most):
            low = "-inf" if least is None else f"{least:g}"
            high = "inf" if most is None else f"{most:g}"
            raise self._error(at, f"{value!r} is out of range", f"Use {low} to {high}.")
        return float(value)

    def _error(self, key: str, what: str, mend: str) -> ConfigError:
        return ConfigError(what, where=f"{self._path}: {key}", mend=mend)
