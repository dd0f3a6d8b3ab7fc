"""Draw docs/pictures/forecast.svg and wear.svg from recordings: python -m tests.bench.detector_pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import accuracy_bearings as bearings
from . import accuracy_forecast as forecast

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 170, 46, 26, 34
COLOURS = ("#1b6ca8", "#c0392b", "#6b7a86", "#b58900", "#2e8b57")


class Panel:
    """One diagram of several; x and y in data units."""

    def __init__(self, row: int, title: str, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.top = TOP + row * (HEIGHT + GAP)
        self.x, self.y = x, y
        self.parts = [
            f'<rect x="{LEFT}" y="{self.top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#ccc"/>',
            f'<text x="{LEFT}" y="{self.top - 6}">{title}</text>',
        ]
        for share in (0, 0.5, 1):
            value = y[0] + share * (y[1] - y[0])
            self.parts.append(
                f'<text x="{LEFT - 6}" y="{self._y(value) + 4:.0f}" text-anchor="end">{value:.4g}</text>'
            )

    def _x(self, value: float) -> float:
        return LEFT + (value - self.x[0]) / (self.x[1] - self.x[0]) * WIDTH

    def _y(self, value: float) -> float:
        inside = min(max(value, self.y[0]), self.y[1])
        return self.top + HEIGHT * (1 - (inside - self.y[0]) / (self.y[1] - self.y[0]))

    def _points(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        pairs = zip(xs, ys, strict=True)
        return " ".join(f"{self._x(a):.1f},{self._y(b):.1f}" for a, b in pairs if np.isfinite(b))

    def line(self, xs: Sequence[float], ys: Sequence[float], colour: str, name: str, at: int) -> None:
        """Add a line with its name in the upper row."""
        self.parts.append(f'<polyline fill="none" stroke="{colour}" points="{self._points(xs, ys)}"/>')
        place = f'x="{LEFT + WIDTH - at}" y="{self.top - 6}"'
        self.parts.append(f'<text {place} fill="{colour}" text-anchor="end">{name}</text>')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float]) -> None:
        """Add the area between two lines."""
        around = self._points([*xs, *xs[::-1]], [*low, *high[::-1]])
        self.parts.append(f'<polygon fill="#1b6ca8" fill-opacity="0.2" points="{around}"/>')

    def level(self, y: float, name: str) -> None:
        """Add a dashed line across."""
        at = self._y(y)
        self.parts.append(
            f'<path d="M{LEFT} {at:.1f}h{WIDTH}" stroke="#c0392b" stroke-dasharray="4 4"/>'
            f'<text x="{LEFT + 4}" y="{at - 3:.1f}" fill="#c0392b">{name}</text>'
        )


def write(name: str, panels: Sequence[Panel]) -> None:
    """Write panels below one another."""
    height = TOP + len(panels) * (HEIGHT + GAP)
    body = "\n".join(part for panel in panels for part in panel.parts)
    (PICTURES / name).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 14} {height}"'
        f' font-family="sans-serif" font-size="11" fill="#333333">\n'
        f'<rect width="100%" height="100%" fill="#ffffff" stroke="none"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


def draw_forecast() -> None:
    """Draw four hours of the last third around the highest methane: what was told three minutes before."""
    data = forecast.methane()
    gas = data["MM116"]
    helpers = np.column_stack([data[n] for n in ("MM31", "AS038", "PG072", "PD", "BA13")])
    found = forecast.told(gas, 30, 6, "max", helpers)
    true = forecast.outcomes(gas, 6, "max")
    peak = 2 * len(gas) // 3 + int(np.argmax(gas[2 * len(gas) // 3 :]))
    rows = np.arange(max(peak - 300, 0), min(peak + 180, len(gas)))
    hours = ((rows - rows[0]) * 30 / 3600).tolist()
    top = float(np.ceil(gas[rows].max() * 10 + 2) / 10)
    panel = Panel(
        0,
        "MM116, % CH4, maximum of the next 3 minutes; 4 hours of the last third",
        (0, hours[-1]),
        (0.2, top),
    )
    panel.band(hours, found.low[rows].tolist(), found.high[rows].tolist())
    panel.line(hours, true[rows].tolist(), "#c0392b", "came true", 150)
    panel.line(hours, found.forecast[rows].tolist(), "#1b6ca8", "forecast, 90 % interval", 0)
    inside = (true >= found.low) & (true <= found.high)
    start = 2 * len(gas) // 3
    span = np.arange(start, len(gas) - 6)
    held = np.convolve(inside.astype(float), np.ones(240) / 240)[: len(gas)][span] * 100
    second = Panel(
        1,
        "share of outcomes in the interval, % of the last 2 hours; last third",
        (0, len(span) / 120),
        (60, 100),
    )
    second.level(90, "stated: 90 %")
    second.line((np.arange(len(span)) / 120).tolist()[::4], held[::4].tolist(), "#1b6ca8", "held", 0)
    write("forecast.svg", [panel, second])


def draw_wear() -> None:
    """Draw the severity of each bearing over the last twelve days of each run."""
    panels = []
    for row, (run, failing) in enumerate(bearings.RUNS.items()):
        times, channels = bearings.read(run)
        table = bearings.severities(times, channels)
        left = (times - times[-1]) / bearings.DAY
        rows = np.flatnonzero(left > -12)[::6]
        names = ", ".join(sorted(failing))
        panel = Panel(row, f"{run} run: severity, days before the end; failed: {names}", (-12, 0), (0, 6))
        panel.level(1, "zone B")
        panel.level(2.4, "zone C")
        for k, (name, values) in enumerate(table.items()):
            panel.line(
                left[rows].tolist(), values[rows].tolist(), COLOURS[k], f"bearing {name}", 70 * (3 - k)
            )
        panels.append(panel)
    write("wear.svg", panels)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    draw_forecast()
    draw_wear()
