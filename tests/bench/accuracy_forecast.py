"""Print how well the forecast does on recordings, beside persistence and a linear regression.

Its parameters were chosen on the first two thirds of methane_30s, the first half of mine_dust and the first
12,000 minutes of mine_cooling, all of them together; what is printed as ``methane`` is the last third.
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
from pathlib import Path

import numpy as np

from minewatch.detect.forecast import Forecast, forecast_series

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MINEWATCH_DATA", ROOT.parent / "shared" / "data"))
COVERAGE = 0.9
NAMES = ("MM31", "MM116", "AS038", "PG072", "PD", "BA13", "DMM116", "MM116_pred")
COOLING = ("T_Env", "T_PT", "T_UG", "T_outSD", "L_SD", "L_CD", "F_UG")


def methane() -> dict[str, np.ndarray]:
    """Return the columns of methane_30s."""
    text = (DATA / "methane_30s" / "methane-train.arff").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if line.strip() and line[0] not in "%@"]
    return dict(zip(NAMES, np.array(rows, float).T, strict=True))


def dust() -> dict[str, np.ndarray]:
    """Return the columns of mine_dust, NaN where nothing was measured."""
    path = next((DATA / "mine_dust").glob("*.csv"))
    with path.open(newline="", encoding="utf-8-sig") as lines:
        header, *rows = csv.reader(lines)
    table = np.array([[np.nan if v in ("NA", "") else float(v) for v in row[3:]] for row in rows[:8640]])
    return {name.split()[-2]: table[:, k] for k, name in enumerate(header[3:])}


def cooling() -> dict[str, np.ndarray]:
    """Return some columns of mine_cooling."""
    with gzip.open(DATA / "mine_cooling" / "mine_cooling_1min.csv.gz", "rt", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    return {name: np.array([float(row[header.index(name)]) for row in rows]) for name in COOLING}


def outcomes(values: np.ndarray, ahead: int, target: str) -> np.ndarray:
    """Return what came true of each row: the value ``ahead`` rows later, or the largest until then."""
    true = np.full(len(values), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(values[1:], ahead)
    true[: len(windows)] = windows.max(1) if target == "max" else windows[:, -1]
    return true


def told(values: np.ndarray, step_s: float, ahead: int, target: str, helpers: np.ndarray) -> Forecast:
    """Run the forecast over a series of equal steps."""
    ts = (np.arange(len(values)) * step_s * 1e9).astype(np.int64)
    settings = {"horizon_s": ahead * step_s, "target": target, "coverage": COVERAGE}
    return forecast_series(ts, values, helpers, settings)


def rmse(said: np.ndarray, true: np.ndarray, rows: slice) -> float:
    """Return the root mean square error over the rows that have an outcome."""
    return float(np.sqrt(np.nanmean((said[rows] - true[rows]) ** 2)))


def held(found: Forecast, true: np.ndarray, rows: slice) -> float:
    """Return the share of outcomes inside the interval, in percent."""
    known = np.isfinite(true[rows])
    inside = (true[rows] >= found.low[rows]) & (true[rows] <= found.high[rows])
    return float(np.mean(inside[known]) * 100)


def linear(table: np.ndarray, true: np.ndarray, cut: int, ahead: int, rows: slice) -> float:
    """Return the error of a least-squares fit on the rows whose outcome was known before ``cut``."""
    x = np.column_stack([np.ones(len(table)), table])
    weights = np.linalg.lstsq(x[: cut - ahead], true[: cut - ahead], rcond=None)[0]
    return rmse(x @ weights, true, rows)


def on_methane() -> None:
    """Print the figures of methane_30s, its last third."""
    data = methane()
    gas = data["MM116"]
    cut = 2 * len(gas) // 3
    rows = slice(cut, len(gas))
    names = [n for n in NAMES if n not in ("MM116", "DMM116", "MM116_pred")]
    helpers = np.column_stack([data[n] for n in names])
    none = np.zeros((len(gas), 0))
    everything = np.column_stack([gas, helpers, data["DMM116"]])
    for target in ("max", "value"):
        for ahead in (6, 2, 20):
            true = data["MM116_pred"] if (target, ahead) == ("max", 6) else outcomes(gas, ahead, target)
            name = f"accuracy.forecast.methane_{target}_{ahead * 30}"
            with_all = told(gas, 30, ahead, target, helpers)
            alone = told(gas, 30, ahead, target, none)
            error = rmse(with_all.forecast, true, rows)
            still, fit = rmse(gas, true, rows), linear(everything, true, cut, ahead, rows)
            print(f"{name}.rmse {error:.5f} %CH4")
            print(f"{name}.rmse_alone {rmse(alone.forecast, true, rows):.5f} %CH4")
            print(f"{name}.rmse_persistence {still:.5f} %CH4")
            print(f"{name}.rmse_linear {fit:.5f} %CH4")
            lags = np.column_stack([everything, *(np.r_[np.full(k, gas[0]), gas[:-k]] for k in range(1, 12))])
            print(f"{name}.rmse_linear_lags {linear(lags, true, cut, ahead, rows):.5f} %CH4")
            print(f"{name}.to_best {error / min(still, fit):.4f} ratio")
            print(f"{name}.coverage_off {abs(held(with_all, true, rows) - 100 * COVERAGE):.2f} points")
            print(f"{name}.spoke {np.mean(with_all.skill[rows] > 0) * 100:.1f} %")


def on_limits() -> None:
    """Print what score and minutes to a limit were worth on the last third of methane_30s, 180 s ahead."""
    data = methane()
    gas, true = data["MM116"], data["MM116_pred"]
    helpers = np.column_stack([data[n] for n in ("MM31", "AS038", "PG072", "PD", "BA13")])
    ts = (np.arange(len(gas)) * 30e9).astype(np.int64)
    scores, came, ratios, onsets, foretold = [], [], [], 0, 0  # an onset: below for 10 minutes before
    for limit in (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5):
        settings = {"horizon_s": 180, "target": "max", "limit": limit}
        found = forecast_series(ts, gas, helpers, settings)
        over = gas >= limit - 1e-9
        rows = np.arange(2 * len(gas) // 3, len(gas))
        scores.append(found.score[rows[~over[rows]]])
        came.append(true[rows[~over[rows]]] >= limit - 1e-9)
        reached = np.flatnonzero(over)
        for row in rows[over[rows] & ~over[rows - 1]]:
            if not over[row - 20 : row].any():
                onsets += 1
                foretold += bool(np.nanmin(np.append(found.minutes[row - 20 : row], 99)) <= 10)
        for row in rows[~over[rows] & np.isfinite(found.minutes[rows])]:
            following = reached[np.searchsorted(reached, row) :]
            if len(following) and following[0] - row <= 120:
                ratios.append(found.minutes[row] / ((following[0] - row) * 0.5))
    score, beyond = np.concatenate(scores), np.concatenate(came)
    bins = np.digitize(score, [0.01, 0.05, 0.1, 0.2, 0.3, 0.5])
    for k in range(1, 7):
        name = f"accuracy.forecast.methane_limit.score_{score[bins == k].mean():.2f}"
        print(f"{name}.came_true {beyond[bins == k].mean():.3f} share")
    print(f"accuracy.forecast.methane_limit.onsets {onsets} number")
    print(f"accuracy.forecast.methane_limit.onsets_foretold {foretold} number")
    print(f"accuracy.forecast.methane_limit.minutes_told_to_true {np.median(ratios):.2f} ratio")


def on_others() -> None:
    """Print mean ratios to persistence on the halves of mine_dust and mine_cooling that chose nothing."""
    for family, data, step_s, aheads in (
        ("dust", dust(), 900.0, (1, 4, 12)),
        ("cooling", cooling(), 60.0, (3, 10, 30)),
    ):
        for target in ("max", "value"):
            ratios, off = [], []
            for values in data.values():
                first = 12_000 if family == "cooling" else len(values) // 2
                for ahead in aheads:
                    true = outcomes(values, ahead, target)
                    found = told(values, step_s, ahead, target, np.zeros((len(values), 0)))
                    known = np.isfinite(values) & np.isfinite(true)
                    true[~known] = np.nan
                    rows = slice(first, len(values))
                    if not (still := rmse(values, true, rows)) > 0:  # a column that stands still
                        continue
                    ratios.append(rmse(found.forecast, true, rows) / still)
                    off.append(abs(held(found, true, rows) - 100 * COVERAGE))
            name = f"accuracy.forecast.{family}_{target}"
            print(f"{name}.to_persistence {np.exp(np.mean(np.log(ratios))):.4f} ratio")
            print(f"{name}.worst_to_persistence {max(ratios):.4f} ratio")
            print(f"{name}.coverage_off_worst {max(off):.2f} points")


def main() -> None:
    """Print every figure."""
    if not (DATA / "methane_30s").is_dir():
        print("accuracy.forecast skipped: no recordings; name their folder in MINEWATCH_DATA")
        return
    on_methane()
    on_limits()
    on_others()


if __name__ == "__main__":
    sys.exit(main())
