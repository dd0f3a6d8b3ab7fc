"""A fitted model and its file: JSON with numbers in the open, and a SHA-256 over all of it. No pickle.

Arrays of up to ``PLAIN`` numbers are written as lists (Python writes a float so that it reads back the same),
longer ones as base64 of little-endian bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import I8
from minewatch.errors import ModelError

FORMAT = "minewatch model 1"
PLAIN = 4096
KINDS = ("robust", "mahalanobis", "pca", "isolation-forest")
LOGISTIC = "logistic"  # of facts about an alert, not of sensors: see minewatch.alerts.chance
MEND = "Take the file from where it was published, or fit the model anew (minewatch models fit)."
Array = NDArray[Any]
_SHARED = {"centre": "<f8", "scale": "<f8", "low": "<f8", "high": "<f8", "top": "<f8"}
_FORMS = {"fill": "<f8", "forms": "<f8"}
_LOGISTIC = {"weights": "<f8"}
_FOREST = {"root": "<i4", "feature": "<i4", "threshold": "<f4", "child": "<i4", "path": "<f8"}
_ARRAYS = {LOGISTIC: _LOGISTIC, "isolation-forest": _SHARED | _FOREST}  # of other kinds: shared and forms


@dataclass(frozen=True, slots=True)
class Model:
    """What was learned of several sensors; nothing in it changes after the fit.

    ``kept`` are the indices of ``sensors`` that are judged, ``left_out`` the others with the reason.
    ``arrays``, in the order of ``kept``: ``centre`` and ``scale`` in the units of the sensors; ``low`` and
    ``high``, the range of the standardised rolling means in training; ``top``, the statistic at which the
    score is 0.5; the rest is the kind's own. ``about`` says from which data, when and why.
    """

    kind: str
    sensors: tuple[str, ...]
    kept: I8
    window: int
    left_out: Mapping[str, str]
    parameters: Mapping[str, float]
    arrays: Mapping[str, Array]
    about: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sensors that are judged."""
        return tuple(self.sensors[k] for k in self.kept.tolist())


def sealed(model: Model) -> Model:
    """Return the model with the digest over everything it holds."""
    return replace(model, digest=_digest(_document(model)))


def to_text(model: Model) -> str:
    """Return a sealed model as JSON."""
    return json.dumps(_document(model) | {"digest": model.digest}, indent=1, ensure_ascii=False) + "\n"


def write(model: Model, path: Path) -> Model:
    """Write a model to a file that says its own digest; return it with the digest."""
    model = sealed(model)
    path.write_text(to_text(model), encoding="utf-8")
    return model


def read(path: Path, expected: str = "") -> Model:
    """Read a model. Raises ModelError for a file altered, damaged or of another version.

    ``expected`` is the digest that a card or a setting promises; the file's own must be it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise ModelError(f"cannot be read ({why})", where=str(path), mend=MEND) from None
    return from_text(text, str(path), expected)


def from_text(text: str, where: str, expected: str = "") -> Model:
    """Read a model from JSON that came from ``where``. Raises ModelError as ``read`` does."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"is cut off or no JSON ({error})", where=where, mend=MEND) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise ModelError(
            f"is of the format {found!r}, this minewatch reads {FORMAT!r}", where=where, mend=MEND
        )
    said = document.pop("digest", "")
    found = _digest(document)
    for promised, whose in ((said, "its own"), (expected or said, "the promised")):
        if promised != found:
            raise ModelError(
                f"was altered: {whose} digest is {promised or 'absent'}, its contents give {found}",
                where=where,
                mend=MEND,
            )
    try:
        model = _model(document, found)
        _check(model)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise ModelError(f"lacks something or holds it otherwise ({error})", where=where, mend=MEND) from None
    return model


def _document(model: Model) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": model.kind,
        "about": dict(model.about),
        "sensors": list(model.sensors),
        "kept": model.kept.tolist(),
        "left_out": dict(model.left_out),
        "window": model.window,
        "parameters": dict(model.parameters),
        "arrays": {name: _plain(array) for name, array in sorted(model.arrays.items())},
    }


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _plain(array: Array) -> dict[str, Any]:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    head: dict[str, Any] = {"dtype": little.dtype.str, "shape": list(array.shape)}
    if array.size <= PLAIN:
        return head | {"values": array.reshape(-1).tolist()}
    return head | {"base64": base64.b64encode(little.tobytes()).decode()}


def _array(said: Mapping[str, Any], kind: str) -> Array:
    if said["dtype"] != kind:
        raise ValueError(f"{said['dtype']} where {kind} is meant")
    if "values" in said:
        flat: Array = np.array(said["values"], kind)
    else:
        flat = np.frombuffer(base64.b64decode(said["base64"], validate=True), kind)
    return flat.reshape(said["shape"]).astype(np.dtype(kind).newbyteorder("="))


def _model(document: Mapping[str, Any], digest: str) -> Model:
    kinds = _ARRAYS.get(document["kind"], _SHARED | _FORMS)
    if set(kinds) != set(document["arrays"]):
        raise ValueError(f"arrays {sorted(document['arrays'])} where {sorted(kinds)} are meant")
    return Model(
        kind=str(document["kind"]),
        sensors=tuple(map(str, document["sensors"])),
        kept=np.array(document["kept"], np.int64),
        window=int(document["window"]),
        left_out=dict(document["left_out"]),
        parameters=dict(document["parameters"]),
        arrays={name: _array(document["arrays"][name], kind) for name, kind in kinds.items()},
        about=dict(document["about"]),
        digest=digest,
    )


def _check(model: Model) -> None:
    """Raise ValueError for anything that a kernel could stumble over."""
    n, arrays = len(model.kept), model.arrays
    if model.kind == LOGISTIC:
        weights = arrays["weights"]
        if (
            weights.shape != (len(model.sensors),)
            or not np.isfinite([*weights, model.parameters["bias"]]).all()
        ):
            raise ValueError("impossible weights")
        return
    wrong = {
        f"kind {model.kind!r}": model.kind not in KINDS,
        "no sensor": n == 0,
        "kept": bool(n) and not (model.kept.min() >= 0 and model.kept.max() < len(model.sensors)),
        "window": not 1 <= model.window <= 100_000,
        "scale": not (arrays["scale"] > 0).all(),
        "top": not (arrays["top"].ndim == 1 and len(arrays["top"]) and (arrays["top"] > 0).all()),
    }
    for name in ("centre", "scale", "low", "high"):
        wrong[name] = wrong.get(name, False) or arrays[name].shape != (n,)
    if model.kind == "isolation-forest":
        wrong |= _wrong_forest(model, n)
    else:
        wrong["forms"] = arrays["forms"].shape != (len(arrays["top"]), n, n)
        wrong["fill"] = arrays["fill"].shape != (n, n) or not (np.diag(arrays["fill"]) > 0).all()
    for name, array in arrays.items():
        infinite = name == "threshold"  # a leaf's is
        wrong[name] = wrong.get(name, False) or bool(
            np.isnan(array).any() or (not infinite and not np.isfinite(array).all())
        )
    for name, bad in wrong.items():
        if bad:
            raise ValueError(f"impossible {name}")


def _wrong_forest(model: Model, features: int) -> dict[str, bool]:
    arrays, nodes = model.arrays, len(model.arrays["child"])
    child, feature, root = arrays["child"], arrays["feature"], arrays["root"]
    same = all(arrays[name].shape == (nodes,) for name in ("feature", "threshold", "path"))
    leaf = child == np.arange(nodes)
    steps, usual = model.parameters.get("steps", -1), model.parameters.get("usual", 0)
    return {
        "top": arrays["top"].shape != (1,),
        "tree": not same or nodes == 0 or len(root) == 0,
        "root": len(root) > 0 and not (root.min() >= 0 and root.max() < nodes),
        "child": nodes > 0 and not (child.min() >= 0 and (child + ~leaf).max() < nodes),
        "feature": nodes > 0 and not (feature.min() >= 0 and feature.max() < features),
        "steps": not 0 <= steps <= 64 or steps != int(steps),
        "usual": not (usual > 0 and math.isfinite(usual)),
        "leaf": same and not np.isposinf(arrays["threshold"][leaf]).all(),
    }
