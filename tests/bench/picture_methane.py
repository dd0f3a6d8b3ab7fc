"""Draw docs/pictures/methane-1hz.svg: a test and the loss of air of a real longwall, as replayed now.

Run it with: python -m tests.bench.picture_methane
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime, timedelta

from tests.bench.accuracy_methane import DATA, PLACE, ROOT, ZONE, events

OUT = ROOT / "docs/pictures/methane-1hz.svg"
PANELS = (
    ("24 April 2014: gas from a bottle at MM261", datetime(2014, 4, 24, 8, 10, 40, tzinfo=ZONE), 140),
    ("26 April 2014: the face has lost its air", datetime(2014, 4, 26, 13, 5, 0, tzinfo=ZONE), 140),
)
WIDTH, HEIGHT, LEFT, TOP = 430, 230, 44, 40
MOST = 4.0
LINES = (
    ("MM261", "#b3261e", 2.2, "MM261, % CH4"),
    ("MM262", "#8a6d3b", 1.0, "other meters, % CH4"),
    ("MM263", "#8a6d3b", 1.0, ""),
    ("MM264", "#8a6d3b", 1.0, ""),
    ("MM256", "#8a6d3b", 1.0, ""),
    ("AN422", "#1f5fa8", 1.6, "AN422, m/s"),
)


def rows() -> list[tuple[datetime, dict[str, str]]]:
    """Return the rows of the recording with their times."""
    with (DATA / "methane_events_2.csv").open(newline="") as lines:
        return [
            (datetime.fromisoformat(row["datetime"]).replace(tzinfo=ZONE), row)
            for row in csv.DictReader(lines)
        ]


def line(points: Sequence[str], colour: str, width: float) -> str:
    """Return a line through points."""
    return f'<polyline points="{" ".join(points)}" stroke="{colour}" stroke-width="{width}" fill="none"/>'


def panel(number: int, title: str, begin: datetime, seconds: int, marks: Sequence[tuple[str, float]]) -> str:
    """Return one panel as SVG."""
    x0 = LEFT + number * (WIDTH + 60)

    def at(second: float, value: float) -> str:
        return f"{x0 + second / seconds * WIDTH:.1f},{TOP + HEIGHT * (1 - min(value, MOST) / MOST):.1f}"

    parts = [f'<text x="{x0}" y="{TOP - 20}" font-weight="bold">{title}</text>']
    for value in range(int(MOST) + 1):
        left, right = at(0, value), at(seconds, value)
        parts.append(f'<polyline points="{left} {right}" stroke="#ddd" fill="none"/>')
        parts.append(
            f'<text x="{x0 - 8}" y="{float(left.split(",")[1]) + 4:.1f}" text-anchor="end">{value}</text>'
        )
    shown = [
        ((when - begin).total_seconds(), row)
        for when, row in ROWS
        if begin <= when <= begin + timedelta(seconds=seconds)
    ]
    for column, colour, width, _ in LINES:
        piece: list[str] = []
        last = -99.0
        for second, row in shown:
            if second - last > 2 and piece:
                parts.append(line(piece, colour, width))
                piece = []
            piece.append(at(second, max(0.0, float(row[column]))))
            last = second
        parts.append(line(piece, colour, width))
    for i, (what, second) in enumerate(marks):
        colour = {"tagged": "#2e7d32", "waits": "#777"}.get(what.split(":")[0], "#b3261e")
        x = x0 + second / seconds * WIDTH
        y = TOP + 12 + 13 * i
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + HEIGHT}" stroke="{colour}" '
            'stroke-dasharray="3 3"/>'
        )
        parts.append(f'<text x="{x + 4:.1f}" y="{y}" fill="{colour}">{what}</text>')
    label = begin.strftime("%H:%M:%S")
    parts.append(f'<text x="{x0}" y="{TOP + HEIGHT + 16}">{label}</text>')
    parts.append(f'<text x="{x0 + WIDTH}" y="{TOP + HEIGHT + 16}" text-anchor="end">+{seconds} s</text>')
    return "\n".join(parts)


def marks(told: Sequence[dict[str, object]], begin: datetime, seconds: int) -> list[tuple[str, float]]:
    """Return what was told in a panel's time: what calls, what waits, what is tagged."""
    found = []
    for event in told:
        second = (datetime.fromisoformat(str(event["time"])) - begin).total_seconds()
        if not 0 <= second <= seconds or (event["event"] == "cleared"):
            continue
        if event["paged"]:
            found.append((f"calls: {event['rule']}", second))
        elif event["event"] == "tagged":
            found.append(("tagged: nobody is called", second))
        elif event["event"] == "raised" and event["place"] == PLACE and "waits" in str(event["why"]):
            found.append((f"waits: {event['rule']}", second))
    return found[:7]


ROWS = rows()


def main() -> None:
    """Replay, draw, write."""
    told = events()
    width, height = LEFT + 2 * WIDTH + 80, TOP + HEIGHT + 50
    drawn = [
        panel(i, title, begin, seconds, marks(told, begin, seconds))
        for i, (title, begin, seconds) in enumerate(PANELS)
    ]
    legend = []
    x = LEFT
    for _, colour, stroke, name in LINES:
        if name:
            legend.append(line([f"{x},{height - 8}", f"{x + 22},{height - 8}"], colour, stroke))
            legend.append(f'<text x="{x + 28}" y="{height - 4}">{name}</text>')
            x += 190
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{width}" height="{height}" fill="white"/>\n'
        + "\n".join([*drawn, *legend])
        + "\n</svg>\n"
    )
    print(f"wrote {OUT.relative_to(ROOT)}, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
