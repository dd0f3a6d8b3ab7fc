"""Fit a model of several sensors to rows that were ordinary.

scikit-learn is imported inside the fits: no service start and no hot path waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from minewatch.contracts import B1, F8, I8
from minewatch.detect.company.model import Array, Model, sealed
from minewatch.detect.company.shrink import precision
from minewatch.detect.kernels.company import LARGEST, standing_rows, walk_forms
from minewatch.detect.kernels.forest import walk_forest
from minewatch.errors import ModelError

LEAST = 30  # rows; a device's own default begins here
SLOWEST = 0.5
MOST_MISSING = 0.5
TYPICAL = 0.99  # of the training rows score below 0.5 by a forest: its largest score is mere chance


@dataclass(frozen=True, slots=True)
class Choice:
    """The parameters of a fit; which data chose each default is said in docs/company.md."""

    window: int = 30  # rows of the causal rolling mean
    slow_share: float = SLOWEST  # sensors whose rolling mean keeps more of the variance are left out
    half: float = 1.3  # score 0.5 at so many times the largest statistic in training
    explained: float = 0.85  # pca: variance that the components explain
    trees: int = 100
    sample: int = 256
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Rows:
    """Training rows of the sensors that are judged."""

    kept: I8
    left_out: Mapping[str, str]
    raw: F8
    centre: F8
    scale: F8
    whole: B1
    window: int
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def z(self) -> F8:
        """Standardised rows without a missing value."""
        found: F8 = (self.raw[self.whole] - self.centre) / self.scale
        return found

    @property
    def standing(self) -> F8:
        """What the kernel says of each row: standardised rolling means."""
        n, k = self.raw.shape
        out = np.empty((n, k))
        standing_rows(self.raw, np.full((self.window, k), np.nan), 0, self.centre, self.scale, out)
        return out


def fit(
    kind: str,
    sensors: Sequence[str],
    rows: F8,
    choice: Choice | None = None,
    *,
    about: Mapping[str, Any] | None = None,
    own: bool = False,
) -> Model:
    """Return a model of the rows (n, sensors); NaN is a missing value.

    ``own`` shrinks the covariance without scikit-learn, for a device that learns by itself in the service.
    Raises ModelError when there is too little to learn from.
    """
    choice = choice or Choice()
    chosen = _choose(sensors, rows, choice)
    if kind == "robust":
        chosen = _robustly(chosen)
    parameters = {"half": choice.half, "slow_share": choice.slow_share, "rows": float(len(rows))}
    if kind == "isolation-forest":
        arrays, found = _forest(chosen, choice)
    elif kind in _FORMS:
        arrays, found = _forms("own" if own else kind, chosen, choice)
    else:
        raise ModelError(f"there is no kind {kind!r}", where="model", mend=f"Known: {', '.join(_FORMS)}.")
    standing = chosen.standing[chosen.window - 1 :]
    with np.errstate(all="ignore"):
        low, high = np.nanmin(standing, axis=0), np.nanmax(standing, axis=0)
    arrays |= {"centre": chosen.centre, "scale": chosen.scale, "low": low, "high": high}
    return sealed(
        Model(
            kind=kind,
            sensors=tuple(sensors),
            kept=chosen.kept,
            window=chosen.window,
            left_out=chosen.left_out,
            parameters=parameters | found,
            arrays=arrays,
            about=dict(about or {}),
        )
    )


def fit_with_library(
    kind: str, sensors: Sequence[str], rows: F8, choice: Choice, about: Mapping[str, Any]
) -> Model:
    """Fit, and note in ``about`` by which version of which library: another one may grow other trees."""
    library = "minewatch" if kind == "robust" else f"scikit-learn {version('scikit-learn')}"
    return fit(kind, sensors, rows, choice, about={**about, "library": library})


def _choose(sensors: Sequence[str], rows: F8, choice: Choice) -> _Rows:
    """Leave out what cannot be judged: missing, constant, or too slow for so few rows."""
    n = len(rows)
    window = choice.window
    if n < max(LEAST, 2 * window):
        raise ModelError(
            f"{n} rows are too few to learn from",
            where="model",
            mend=f"Give at least {max(LEAST, 2 * window)} rows that were ordinary.",
        )
    rows = np.where(np.abs(rows) <= LARGEST, rows, np.nan)
    left_out: dict[str, str] = {}
    slow: dict[int, float] = {}
    for j, name in enumerate(sensors):
        column = rows[:, j]
        there = ~np.isnan(column)
        if there.mean() < 1 - MOST_MISSING:
            left_out[name] = f"measured in {there.mean():.0%} of the rows only"
            continue
        if _still(column[there]):
            left_out[name] = "does not move"
            continue
        slow[j] = _slowness(column, window, float(column[there].std()))
    swift = [j for j, share in slow.items() if share <= choice.slow_share]
    if len(swift) >= min(2, len(slow)):
        left_out |= {
            sensors[j]: f"{share:.0%} of its variance is slower than the window"
            for j, share in slow.items()
            if j not in swift
        }
    else:
        swift = list(slow)  # everything is slow: better judged together than not at all
    whole: B1 = np.logical_not(np.isnan(rows[:, swift]).any(axis=1))
    if whole.sum() < LEAST:
        raise ModelError(
            f"only {int(whole.sum())} rows have every sensor",
            where="model",
            mend=f"Give at least {LEAST}, or leave out the sensor that is mostly missing.",
        )
    still = [j for j in swift if _still(rows[whole, j])]  # it moved only while another was missing
    left_out |= {sensors[j]: "does not move while the others are measured" for j in still}
    kept = np.array([j for j in swift if j not in still], np.int64)
    if not len(kept):
        raise ModelError(
            "no sensor can be judged",
            where="model",
            mend="; ".join(f"{name} {why}" for name, why in left_out.items()) + ".",
        )
    raw = np.ascontiguousarray(rows[:, kept])
    return _Rows(kept, left_out, raw, raw[whole].mean(axis=0), raw[whole].std(axis=0), whole, window)


def _still(column: F8) -> bool:
    return bool(column.std() <= 1e-9 * abs(column.mean()) + 1e-12)


def _slowness(column: F8, window: int, spread: float) -> float:
    """Return which share of a sensor's variance its rolling mean keeps: about 1/window for noise."""
    out = np.empty((len(column), 1))
    ring, one = np.full((window, 1), np.nan), np.ones(1)
    standing_rows(column.reshape(-1, 1), ring, 0, np.array([np.nanmean(column)]), one, out)
    return float(np.nanvar(out[window - 1 :, 0]) / spread**2)


def _robustly(rows: _Rows) -> _Rows:
    """Return the rows with median and scaled median deviation, floored by a tenth of the spread."""
    centre = np.nanmedian(rows.raw, axis=0)
    deviation = 1.4826 * np.nanmedian(np.abs(rows.raw - centre), axis=0)
    scale = np.maximum(deviation, 0.1 * rows.scale)
    return _Rows(rows.kept, rows.left_out, rows.raw, centre, scale, rows.whole, rows.window)


def _identity(rows: _Rows, choice: Choice) -> list[Array]:
    k = len(rows.kept)
    return [np.eye(k) / k]


def _ledoit_wolf(rows: _Rows, choice: Choice) -> list[Array]:
    from sklearn.covariance import LedoitWolf

    found: Array = LedoitWolf().fit(rows.z).precision_
    return [found]


def _components(rows: _Rows, choice: Choice) -> list[Array]:
    """Return the forms of T2 (Hotelling) and Q (squared prediction error; Jackson and Mudholkar 1979)."""
    from sklearn.decomposition import PCA

    k = len(rows.kept)
    found = PCA(n_components=choice.explained if k > 1 else 1, svd_solver="full").fit(rows.z)
    axes, variance = found.components_, found.explained_variance_
    t2 = axes.T @ (axes / variance[:, None])
    if len(variance) == k:
        return [t2]
    return [t2, np.eye(k) - axes.T @ axes]


def _own_ledoit_wolf(rows: _Rows, choice: Choice) -> list[Array]:
    return [precision(rows.z)]


_FORMS = {"own": _own_ledoit_wolf, "robust": _identity, "mahalanobis": _ledoit_wolf, "pca": _components}


def _forms(kind: str, rows: _Rows, choice: Choice) -> tuple[dict[str, Array], dict[str, float]]:
    matrices = _FORMS[kind](rows, choice)
    k = len(rows.kept)
    largest = []
    fill = matrices[0] + 1e-9 * np.eye(k)
    for form in matrices:
        statistic, nothing = np.empty(len(rows.raw)), np.empty((len(rows.raw), k))
        walk_forms(
            rows.raw, np.full((rows.window, k), np.nan), 0, rows.centre, rows.scale, fill,
            np.ascontiguousarray(form[None]), np.ones(1), statistic, nothing, nothing.copy(),
        )  # fmt: skip
        largest.append(float(np.nanmax(statistic[rows.window - 1 :])))
    top = choice.half * np.maximum(largest, 1e-12)
    forms = np.ascontiguousarray(np.stack(matrices))
    if len(matrices) == 2:  # both together are positive definite (combined index, Yue and Qin 2001)
        fill = np.einsum("fij,f->ij", forms, 1 / top**2)
    return {"forms": forms, "fill": np.ascontiguousarray(fill), "top": top}, {}


def _forest(rows: _Rows, choice: Choice) -> tuple[dict[str, Array], dict[str, float]]:
    from sklearn.ensemble import IsolationForest

    standing = rows.standing[rows.window - 1 :]
    given = np.where(np.isnan(standing), 0.0, standing).astype(np.float32)
    forest = IsolationForest(
        n_estimators=choice.trees, max_samples=min(choice.sample, len(given)), random_state=choice.seed
    ).fit(given)
    arrays, steps, usual = flatten(forest)
    score = np.empty(len(given))
    walk_forest(given, arrays["root"], arrays["feature"], arrays["threshold"], arrays["child"],
                arrays["path"], steps, usual, score)  # fmt: skip
    arrays["top"] = np.array([np.quantile(score, TYPICAL)])
    return arrays, {"steps": float(steps), "usual": usual, "seed": float(choice.seed)}


def flatten(forest: Any) -> tuple[dict[str, Array], int, float]:
    """Return a fitted scikit-learn IsolationForest as flat arrays, the steps of a walk, the usual length."""
    parts: dict[str, list[Array]] = {name: [] for name in ("feature", "threshold", "child", "path")}
    root, at, steps = [], 0, 0
    for estimator, features in zip(forest.estimators_, forest.estimators_features_, strict=True):
        tree = estimator.tree_
        place, depth = _places(tree.children_left, tree.children_right)
        steps = max(steps, int(depth.max()))
        n = len(place)
        leaf = tree.children_left < 0
        feature, child = np.zeros(n, np.int32), np.empty(n, np.int32)
        threshold, path = np.full(n, np.inf, np.float32), np.zeros(n)
        feature[place[~leaf]] = np.asarray(features)[tree.feature[~leaf]]
        threshold[place[~leaf]] = _down(tree.threshold[~leaf])
        child[place[~leaf]] = place[tree.children_left[~leaf]]
        child[place[leaf]] = place[leaf]
        path[place] = depth + 1.0 + path_length(tree.n_node_samples) - 1.0
        for name, part in (("feature", feature), ("threshold", threshold), ("path", path)):
            parts[name].append(part)
        parts["child"].append(child + at)
        root.append(at)
        at += n
    arrays: dict[str, Array] = {name: np.concatenate(found) for name, found in parts.items()}
    arrays["root"] = np.array(root, np.int32)
    arrays["child"] = arrays["child"].astype(np.int32)
    return arrays, steps, float(path_length(np.array([forest.max_samples_]))[0])


def _places(left: I8, right: I8) -> tuple[I8, I8]:
    """Return each node's new place, children side by side, and its depth."""
    place, depth = np.zeros(len(left), np.int64), np.zeros(len(left), np.int64)
    following, queue = 1, [0]
    for node in queue:
        if left[node] < 0:
            continue
        for child in (int(left[node]), int(right[node])):
            place[child], depth[child] = following, depth[node] + 1
            following += 1
            queue.append(child)
    return place, depth


def _down(threshold: F8) -> Array:
    """Round to 4-byte floats, never up: x <= threshold is then decided as in 8 bytes."""
    near: Array = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def path_length(rows: Array) -> F8:
    """Return the mean path of an unsuccessful search among so many rows (Liu, Ting and Zhou 2008, eq. 1)."""
    n = np.asarray(rows, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        many = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, many))
