"""Draw docs/pictures/nab-FAMILY.svg: the longest file of each family of NAB with score, alarms, windows.

``python -m tests.bench.nab_pictures`` with the data at hand; the standard library draws.
"""

from __future__ import annotations

import sys

import numpy as np

from minewatch.detect.score import score_series
from tests.bench.nab import FOLDER, ROOT, Series, load, probation

WIDE, HIGH, LOW, EDGE, COLUMNS = 720, 130, 50, 10, 360


def band(values: np.ndarray, top: float, height: float, lowest: float, highest: float) -> str:
    """Return the path of smallest and largest value of each column."""
    edges = np.linspace(0, len(values), COLUMNS + 1).astype(int)
    scale = height / ((highest - lowest) or 1.0)
    points = []
    for k in range(COLUMNS):
        part = values[edges[k] : max(edges[k + 1], edges[k] + 1)]
        for value in (part.min(), part.max()):
            points.append(f"{EDGE + k * WIDE // COLUMNS} {top + height - (value - lowest) * scale:.0f}")
    return "M" + "L".join(points)


def picture(file: Series) -> str:
    """Return the SVG of a file."""
    score, alarm = score_series("novelty", file.ts_ns, file.values)
    rows = len(file.values)

    def x(row: float) -> str:
        return f"{EDGE + row * WIDE / rows:.1f}"

    tall = 24 + HIGH + 14 + LOW + EDGE
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE + 2 * EDGE} {tall}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{EDGE}" y="15">{file.name}: '
        "windows yellow, alarms red, score below (bar 0.5), probation grey</text>",
        f'<rect x="{EDGE}" y="24" width="{probation(rows) * WIDE / rows:.1f}" height="{tall - 24 - EDGE}" '
        'fill="#eee"/>',
    ]
    for k in range(int(file.window.max()) + 1):
        inside = np.flatnonzero(file.window == k)
        if len(inside):
            width = (inside[-1] - inside[0] + 1) * WIDE / rows
            out.append(
                f'<rect x="{x(inside[0])}" y="24" width="{width:.1f}" height="{tall - 24 - EDGE}" '
                'fill="#ffe58a"/>'
            )
    top = 24 + HIGH + 14
    out.append(
        f'<path d="{band(file.values, 24, HIGH, file.values.min(), file.values.max())}" fill="none" '
        'stroke="#1d5fa8" stroke-width=".8"/>'
    )
    out.append(f'<path d="{band(score, top, LOW, 0, 1)}" fill="none" stroke="#555" stroke-width=".8"/>')
    out.append(f'<path d="M{EDGE} {top + LOW / 2:.0f}H{EDGE + WIDE}" stroke="#999" stroke-dasharray="3"/>')
    for row in np.flatnonzero(alarm & (np.arange(rows) >= probation(rows))):
        out.append(f'<path d="M{x(row)} {top - 12}v9" stroke="#c00" stroke-width="2"/>')
    return "\n".join([*out, "</svg>\n"])


def main() -> None:
    """Draw all of them."""
    if not (FOLDER / "labels").is_dir():
        sys.exit(f"NAB is not in {FOLDER}: set MINEWATCH_DATA")
    longest: dict[str, Series] = {}
    for file in load():
        if file.family not in longest or len(file.values) > len(longest[file.family].values):
            longest[file.family] = file
    for family, file in longest.items():
        path = ROOT / "docs" / "pictures" / f"nab-{family}.svg"
        path.write_text(picture(file), encoding="utf-8")
        print(path.relative_to(ROOT), path.stat().st_size)


if __name__ == "__main__":
    main()
