"""Read rule packs (TOML, the same files as the service) as far as a gateway needs them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.safety.rule import EVERY, JUDGED, WHY_NOT, Rule
from minewatch_edge.tables import Table

COMPARISONS = (">", ">=", "<", "<=")
_COUNTS = ("count", "decision", "uncertainty", "confidence")  # what only the service weighs
_RULE_KEYS = (
    "id", "quantity", "unit", "detector", "comparison", "threshold", "deadband", "on_delay_s", "off_delay_s",
    "intervals", "priority", "page", "jurisdiction", "citation", "status", "evidence", "effective_from",
    "match", "message", "except_quantities", *_COUNTS,
)  # fmt: skip
_MATCH_KEYS = ("zone", "place", "site", "metric")
_LANGUAGES = ("kk", "ru", "en")


def load(paths: Iterable[Path]) -> tuple[Rule, ...]:
    """Read packs, or all packs of a folder but ``default.toml``; raises EdgeConfigError at the first slip."""
    found: dict[str, Rule] = {}
    for path in _files(paths):
        for rule, table in _read(path):
            if rule.id in found:
                raise table.error("id", f"the rule id {rule.id!r} is used twice", "Rename one of them")
            found[rule.id] = rule
    return tuple(found.values())


def _files(paths: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        inside = (
            sorted(p for p in path.glob("*.toml") if p.name != "default.toml") if path.is_dir() else [path]
        )
        if not inside:
            raise EdgeConfigError(
                "the folder holds no rule pack", where=str(path), mend="Put *.toml packs into it"
            )
        files += inside
    return files


def _read(path: Path) -> list[tuple[Rule, Table]]:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EdgeConfigError(
            f"cannot be read: {error.strerror}", where=str(path), mend="Name a rule pack that is there"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EdgeConfigError(f"is no TOML: {error}", where=str(path), mend="Mend that line") from error
    top = Table(tree, str(path))
    top.refuse_unknown(("pack", "rule"))
    pack = top.table("pack").values
    inherited = {key: pack[key] for key in ("jurisdiction", "effective_from") if key in pack}
    tables = [Table({**inherited, **t.values}, t.file, _name(t)) for t in top.tables("rule")]
    return [(_rule(table), table) for table in tables]


def _name(table: Table) -> str:
    return f"{table.path} ({table.values['id']})" if "id" in table.values else table.path


def _rule(table: Table) -> Rule:
    table.refuse_unknown(_RULE_KEYS)
    page = table.values.get("page")
    if not isinstance(page, bool):
        raise table.error("page", f"{page!r} is not true or false", "Say whether a person is called")
    return Rule(
        id=table.text("id").strip(),
        quantity=table.text("quantity").strip(),
        unit=_unit(table),
        detector=table.text("detector", choices=(*JUDGED, *WHY_NOT)),
        comparison=table.text("comparison", choices=COMPARISONS),
        threshold=table.number("threshold", least=-1e300, most=1e300),
        deadband=table.number("deadband", 0.0, least=0, most=1e300),
        on_delay_s=table.number("on_delay_s", 0.0, least=0, most=1e9),
        off_delay_s=table.number("off_delay_s", 0.0, least=0, most=1e9),
        priority=table.whole("priority", least=1, most=4),
        page=page,
        match=_match(table.table("match")),
        about=_about(table),
        intervals=table.number("intervals", 0.0, least=0),
        except_quantities=_texts(table, "except_quantities"),
        counts=any(key in table.values for key in _COUNTS),
    )


def _unit(table: Table) -> str:
    unit = table.text("unit").strip()
    if (table.text("quantity").strip() == EVERY) != (unit == EVERY):
        raise table.error("unit", f"{unit!r} does not go with the quantity", 'Write "*" for both or none')
    return unit


def _match(table: Table) -> Mapping[str, tuple[str, ...]]:
    table.refuse_unknown(_MATCH_KEYS)
    return {key: _texts(table, key) for key in _MATCH_KEYS if key in table.values}


def _texts(table: Table, key: str) -> tuple[str, ...]:
    value = table.values.get(key, ())
    several = (value,) if isinstance(value, str) else value
    if not isinstance(several, (list, tuple)) or not all(isinstance(t, str) and t for t in several):
        raise table.error(key, f"{value!r} is no list of texts", 'Write a list such as ["longwall*/face"]')
    if key in table.values and not several:
        raise table.error(key, "is an empty list", "Leave the key out, or name something")
    return tuple(several)


def _about(table: Table) -> dict[str, Any]:
    """Return what only people read; it goes with an alert: the service can tell it without the rule."""
    message = table.table("message")
    return {
        "message": {language: message.text(language).strip() for language in _LANGUAGES},
        "citation": table.text("citation").strip(),
        "verified": table.text("status", choices=("verified", "unverified")) == "verified",
    }
