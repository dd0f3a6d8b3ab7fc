"""`minewatch models`: fit a model of `models/` from its data, and check it against its card.

A model is a folder: ``fit.py`` (DATA, ``fit`` and ``figures``), ``card.toml`` (which file is in force, its
digest, the data, the figures it must show, its limits), and a ``model-N.json`` for each fit there ever was.
"""

from __future__ import annotations

import hashlib
import math
import os
import runpy
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from minewatch.alerts.chance import Chance
from minewatch.detect.company.model import Model, read, write
from minewatch.errors import ModelError

CARD, SCRIPT = "card.toml", "fit.py"
ROUNDING = 1e-9  # of an array's largest number; two kinds of processor differed by 4e-12


def shipped() -> Path:
    """Return the models' folder: ``models/`` of a checkout, ``minewatch/data/models`` of a wheel."""
    checkout = Path(__file__).resolve().parents[3] / "models"
    return checkout if checkout.is_dir() else Path(str(resources.files("minewatch") / "data" / "models"))


def names(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of the models there are."""
    return tuple(sorted(path.parent.name for path in (folder or shipped()).glob(f"*/{CARD}")))


def open_model(name: str, folder: Path | None = None) -> tuple[Model, dict[str, Any]]:
    """Return the model in force and its card. Raises ModelError when its digest is not that of the card."""
    home = _home(name, folder)
    card = _card(home)
    return read(home / str(card["file"]), str(card["digest"])), card


def chance() -> Chance:
    """Return how often alerts of gas and air are real. Raises ModelError when the model was altered."""
    model, _ = open_model("incident-chance")
    return Chance(tuple(model.arrays["weights"].tolist()), model.parameters["bias"])


def fit_model(name: str, reason: str, data: Path | None, folder: Path | None = None) -> dict[str, Any]:
    """Fit a model anew into the next ``model-N.json``; the card decides which one is in force."""
    home = _home(name, folder)
    if not reason.strip():
        raise ModelError("a fit needs a reason", where="--reason", mend='Say why: --reason "new pump".')
    script = _script(home)
    file = _data(script, home, data)
    if file is None:
        raise ModelError(
            f"its data {script['DATA']} are not here", where=name, mend="Name their folder with --data."
        )
    model: Model = script["fit"](file, reason.strip())
    target = home / f"model-{_latest(home) + 1}.json"
    model = write(model, target)
    return {
        "model": name,
        "file": str(target),
        "digest": model.digest,
        "figures": script["figures"](model, file),
        "next": f"compare the figures, then name file and digest in {home / CARD}",
    }


def check_model(name: str, data: Path | None, folder: Path | None = None) -> dict[str, Any]:
    """Check a model against its card: digest, data, a fit anew, figures; ``faults`` says what fails."""
    home = _home(name, folder)
    model, card = open_model(name, folder)
    found: dict[str, Any] = {
        "model": name, "kind": model.kind, "file": str(card["file"]), "digest": model.digest,
        "sensors": len(model.kept), "left_out": dict(model.left_out), "faults": [],
    }  # fmt: skip
    script = _script(home)
    file = _data(script, home, data)
    if file is None:
        return found | {"data": f"absent: {script['DATA']} (--data, MINEWATCH_DATA); figures not checked"}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != card["data"]["sha256"]:
        found["faults"].append(f"the data are others than the card's: {digest}")
        return found | {"data": "altered"}
    found["data"] = "as on the card"
    again: Model = script["fit"](file, str(model.about.get("reason", "")))
    if not _alike(again, model) and again.about.get("library") == model.about.get("library"):
        found["faults"].append(f"a fit of the same data gives another model: {again.digest}")
    found["figures"] = script["figures"](model, file)
    for key, promised in card["figures"].items():
        value = found["figures"].get(key, math.nan)
        if not abs(value - promised) <= card["tolerance"]:
            found["faults"].append(f"{key} is {value:.4g}, the card says {promised:.4g}")
    return found


def _alike(one: Model, other: Model) -> bool:
    """Return whether two fits say the same but for the rounding of another processor."""
    if one.digest == other.digest:
        return True
    shapes = [
        (m.kind, m.sensors, m.kept.tolist(), m.window, m.left_out, {k: a.shape for k, a in m.arrays.items()})
        for m in (one, other)
    ]
    if shapes[0] != shapes[1] or one.parameters.keys() != other.parameters.keys():
        return False
    pairs = [(np.asarray(value), np.asarray(other.parameters[key])) for key, value in one.parameters.items()]
    pairs += [(array, other.arrays[key]) for key, array in one.arrays.items()]
    return all(
        np.allclose(a, b, rtol=0.0, atol=ROUNDING * float(np.max(np.abs(b), initial=0.0)), equal_nan=True)
        for a, b in pairs
    )


def _home(name: str, folder: Path | None) -> Path:
    folder = folder or shipped()
    if name not in names(folder):
        raise ModelError(
            f"there is no model {name!r}",
            where=str(folder),
            mend=f"Known: {', '.join(names(folder)) or 'none'}.",
        )
    return folder / name


def _card(home: Path) -> dict[str, Any]:
    try:
        card = tomllib.loads((home / CARD).read_text(encoding="utf-8"))
        _ = card["file"], card["digest"], card["data"]["sha256"], card["figures"], card["tolerance"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ModelError(
            f"cannot be used ({error})",
            where=str(home / CARD),
            mend="It needs file, digest, tolerance, [data] with sha256 and [figures].",
        ) from None
    return card


def _script(home: Path) -> dict[str, Any]:
    script = runpy.run_path(str(home / SCRIPT))
    if not {"DATA", "fit", "figures"} <= set(script):
        raise ModelError("lacks DATA, fit or figures", where=str(home / SCRIPT), mend="See docs/company.md.")
    return script


def _data(script: dict[str, Any], home: Path, data: Path | None) -> Path | None:
    own = home / str(script["DATA"])  # small ones of our own stand beside the model
    if own.is_file():
        return own
    checkout = Path(__file__).resolve().parents[3]
    folder = data or Path(os.environ.get("MINEWATCH_DATA", checkout.parent / "shared/data"))
    file = folder / str(script["DATA"])
    return file if file.is_file() else None


def _latest(home: Path) -> int:
    numbers = [path.stem.partition("-")[2] for path in home.glob("model-*.json")]
    return max((int(n) for n in numbers if n.isdecimal()), default=0)
