"""Draw SKAB's runs as scored by ``mahalanobis``: ``python -m tests.bench.skab_plot``.

A panel a file: the score (of each eight rows the largest), the threshold, and grey where the file's labels
say fault. Standard library only.
"""

from __future__ import annotations

import sys
from html import escape

import numpy as np

from tests.bench.skab import FOLDER, ROOT, Run, runs, scores

WIDTH, HEIGHT, ACROSS, GAP = 230, 64, 4, 14
EACH = 8
OUT = ROOT / "docs/pictures/skab.svg"


def blocks(values: np.ndarray) -> np.ndarray:
    """Return the largest of each few rows."""
    n = -(-len(values) // EACH)
    return np.pad(values, (0, n * EACH - len(values)), mode="edge").reshape(n, EACH).max(axis=1)


def panel(run: Run, x0: int, y0: int) -> list[str]:
    """Return one file as shapes."""
    score, fault = blocks(scores(run, "mahalanobis")), blocks(run.fault.astype(float)) > 0
    step = WIDTH / max(1, len(score) - 1)
    edges = np.flatnonzero(np.diff(fault.astype(int), prepend=0, append=0)).tolist()
    found = [f'<rect x="{x0}" y="{y0}" width="{WIDTH}" height="{HEIGHT}" class="frame"/>']
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        width = min(end, len(score) - 1) - begin
        place = f'x="{x0 + begin * step:.1f}" y="{y0}" width="{width * step:.1f}" height="{HEIGHT}"'
        found.append(f'<rect {place} class="fault"/>')
    line = " ".join(f"{x0 + i * step:.1f},{y0 + HEIGHT * (1 - s):.1f}" for i, s in enumerate(score.tolist()))
    middle = y0 + HEIGHT / 2
    found.append(f'<line x1="{x0}" y1="{middle}" x2="{x0 + WIDTH}" y2="{middle}" class="limit"/>')
    found.append(f'<polyline points="{line}" class="score"/>')
    found.append(f'<text x="{x0 + 3}" y="{y0 + 10}">{escape(run.name)}</text>')
    return found


def main() -> None:
    """Write the picture."""
    files = runs()
    if not files:
        print(f"skipped: no SKAB files in {FOLDER} (set MINEWATCH_DATA)")
        return
    down = -(-len(files) // ACROSS)
    width, height = ACROSS * (WIDTH + GAP) + GAP, down * (HEIGHT + GAP) + GAP + 16
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="9">',
        "<style>.frame{fill:#fff;stroke:#bbb}.fault{fill:#ddd}.limit{stroke:#c60;stroke-dasharray:3 3}"
        ".score{fill:none;stroke:#06c}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for i, run in enumerate(files):
        x, y = GAP + i % ACROSS * (WIDTH + GAP), GAP + i // ACROSS * (HEIGHT + GAP)
        shapes += panel(run, x, y)
    shapes.append(
        f'<text x="{GAP}" y="{height - 6}">SKAB: score of mahalanobis (0 to 1) after the 400 rows of the fit;'
        " dashed: the one threshold; grey: labelled as fault</text></svg>"
    )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("\n".join(shapes) + "\n", encoding="utf-8")
    print(OUT.relative_to(ROOT), OUT.stat().st_size, "B")


if __name__ == "__main__":
    sys.exit(main())
