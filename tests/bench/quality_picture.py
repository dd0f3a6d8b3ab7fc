"""Draw docs/pictures/quality.svg, known faults and alerts: python -m tests.bench.quality_picture."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench.accuracy_quality import alerts
from tests.bench.known_faults import Recording, cooling, dust, faults

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "quality.svg"
LEFT, WIDTH, ROW, TOP = 70, 760, 13, 24


def bars(recording: Recording, top: int) -> tuple[list[str], int]:
    """Return the marks of a recording, a line a column, and where the next one begins."""
    rows = len(next(iter(recording.columns.values())))
    names = ["", *recording.columns]
    title = f"{recording.name}: known faults red, alerts blue; first line: most points at once"
    parts = [f'<text x="{LEFT}" y="{top - 8}">{title}</text>']
    for k, name in enumerate(names):
        y = top + k * ROW
        text = f'<text x="{LEFT - 5}" y="{y + 9}" text-anchor="end" font-size="9">{name or "gateway"}</text>'
        parts += [text, f'<path d="M{LEFT} {y + ROW - 1}h{WIDTH}" stroke="#eee"/>']
    marks = [(f.column, f.first, f.last, "#c0392b", 0) for f in faults(recording)]
    marks += [(name, a, b, "#1b6ca8", 6) for name, a, b in alerts(recording)]
    for name, first, last, colour, down in marks:
        x, wide = LEFT + first * WIDTH / rows, max((last - first + 1) * WIDTH / rows, 1.0)
        y = top + names.index(name) * ROW + down
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="5" fill="{colour}"/>')
    bottom, half = top + len(names) * ROW, LEFT + WIDTH / 2
    parts.append(f'<path d="M{half} {top}V{bottom}" stroke="#333" stroke-dasharray="3 3"/>')
    parts.append(f'<text x="{half + 4}" y="{bottom + 10}" font-size="9">judged from here on</text>')
    return parts, bottom + 40


def main() -> None:
    """Write the picture."""
    folder = Path(os.environ.get("MINEWATCH_DATA", "../shared/data"))
    parts, top = [], TOP
    for recording in (cooling(folder), dust(folder)):
        more, top = bars(recording, top)
        parts += more
    body = "\n".join(parts)
    PICTURE.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 14} {top - 20}"'
        f' font-family="sans-serif" font-size="11" fill="#333333">\n'
        f'<rect width="100%" height="100%" fill="#ffffff" stroke="none"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
