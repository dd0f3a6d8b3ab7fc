"""Find the rule packs that ship with minewatch, and those a site adds."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from minewatch.alerts.settings import AlertSettings
from minewatch.errors import RuleError

PROFILE = "default.toml"


def shipped() -> Path:
    """Return the shipped packs' folder: ``rules/`` of a checkout, ``minewatch/data/rules`` of a wheel."""
    checkout = Path(__file__).resolve().parents[3] / "rules"
    if (checkout / PROFILE).is_file():
        return checkout
    return Path(str(resources.files("minewatch") / "data" / "rules"))


def names(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of the packs in a folder (the shipped ones by default), sorted."""
    folder = folder or shipped()
    return tuple(sorted(path.stem for path in folder.glob("*.toml") if path.name != PROFILE))


def default_names() -> tuple[str, ...]:
    """Return the packs that ``rules/default.toml`` puts in force."""
    path = shipped() / PROFILE
    try:
        active = tomllib.loads(path.read_text(encoding="utf-8"))["profile"]["active"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise RuleError(
            f"the default profile cannot be read ({error})",
            where=str(path),
            mend='It needs a table [profile] with active = ["kz-coal", ...].',
        ) from None
    return tuple(active)


def paths(settings: AlertSettings) -> Sequence[Path]:
    """Return the pack files in force. Raises RuleError for a pack or a folder that does not exist."""
    folder, known = shipped(), names()
    for name in settings.packs:
        if name not in known:
            raise RuleError(
                f"there is no rule pack {name!r}",
                where="key alerts.packs",
                mend=f"Shipped packs: {', '.join(known)}.",
            )
    found = [folder / f"{name}.toml" for name in settings.packs or default_names()]
    for extra in settings.rule_dirs:
        if not extra.is_dir():
            raise RuleError(
                "there is no such folder",
                where=f"key alerts.rule_dirs, {extra}",
                mend="Name a folder that holds *.toml packs.",
            )
        found += sorted(path for path in extra.glob("*.toml") if path.name != PROFILE)
    return tuple(found)
