"""Draw docs/pictures/scenarios.svg: simulated dangers and a test of a meter, as the pipeline judges them.

Run it with: python -m tests.bench.scenarios_picture
A panel a scenario, on the first of the seeds that judge: the reading, the limit that calls, the windows in
which a person must be called (grey), and what was called or tagged. Standard library only.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from acceptance.playing import START, minute, play
from minewatch.contracts import EventKind
from minewatch_sim.scenario_file import folder, load
from minewatch_sim.simulation import points, simulate
from tests.bench.accuracy_scenarios import dangers, pages

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "docs/pictures/scenarios.svg"
SEED = 1
WIDTH, HEIGHT, GAP, LEFT, TOP, ACROSS = 340, 130, 64, 44, 46, 2
MARKS = 6


class Panel(NamedTuple):
    """What is drawn of a scenario: one point, the limit that calls there, and a part of the time."""

    scenario: str
    place: str
    limit: float
    begin: float
    end: float


PANELS = (
    Panel("methane-buildup", "karaganda-demo/ch4-heading-12/ch4", 2.0, 2, 9),
    Panel("outburst", "karaganda-demo/ch4-face-60/ch4", 2.0, 3, 8),
    Panel("belt-fire", "karaganda-demo/co-belt-3-1/co", 43.0, 4, 18),
    Panel("blast-against-wind", "ekibastuz-demo/gas-camp/nox", 5.0, 4, 12),
    Panel("test-gas", "karaganda-demo/ch4-face-60/ch4", 2.0, 3, 8),
    Panel("demo", "karaganda-demo/air-face-7/velocity", 0.25, 0, 2),
)


def readings(panel: Panel) -> list[tuple[float, float]]:
    """Return minute and value of what the panel's point shows."""
    scenario = load(folder() / f"{panel.scenario}.toml")
    index = next(i for i, info in enumerate(points(scenario, 1.0)) if info.place == panel.place)
    found = []
    for frame in simulate(scenario, start_ns=START, seed=SEED, period_s=1.0, minutes=panel.end):
        mine = frame.batch.point == index
        found += [
            (minute(int(ts)), float(value))
            for ts, value in zip(frame.batch.ts_ns[mine], frame.batch.value[mine], strict=True)
        ]
    return [(at, value) for at, value in found if at >= panel.begin]


def marks(panel: Panel) -> tuple[list[tuple[float, str, str]], list[tuple[float, float]]]:
    """Return what was called or tagged (minute, colour, words), and the windows of what had to be called."""
    scenario = load(folder() / f"{panel.scenario}.toml")
    run = play(scenario, seed=SEED, minutes=panel.end)
    told = [(at, "#b3261e", f"calls: {rule}") for at, rule, place in pages(run.events)]
    told += [
        (minute(event.time_ns), "#2e7d32", "tagged: a test, nobody is called")
        for event in run.events
        if event.event is EventKind.TAGGED
    ]
    first: dict[str, tuple[float, str, str]] = {}
    for one in sorted(told):
        first.setdefault(one[2], one)
    shown = [one for one in first.values() if panel.begin <= one[0] <= panel.end]
    windows = [] if panel.scenario == "test-gas" else [s.window for s in dangers(scenario)]
    return shown[:MARKS], [(w.start, min(w.end, panel.end)) for w in windows if w.start < panel.end]


def draw(number: int, panel: Panel) -> str:
    """Return one panel as SVG."""
    x0 = LEFT + number % ACROSS * (WIDTH + GAP)
    y0 = TOP + number // ACROSS * (HEIGHT + GAP)
    line, (told, windows) = readings(panel), marks(panel)
    most = 1.15 * max([panel.limit, *(value for _, value in line)])

    def x(at: float) -> float:
        return x0 + (at - panel.begin) / (panel.end - panel.begin) * WIDTH

    def y(value: float) -> float:
        return y0 + HEIGHT * (1 - min(max(value, 0.0), most) / most)

    parts = [
        f'<text x="{x0}" y="{y0 - 8}"><tspan font-weight="bold">{escape(panel.scenario)}</tspan> '
        f"{escape(panel.place.split('/', 1)[1])}</text>"
    ]
    for begin, end in windows:
        begin = max(begin, panel.begin)
        parts.append(
            f'<rect x="{x(begin):.1f}" y="{y0}" width="{x(end) - x(begin):.1f}" height="{HEIGHT}" '
            'fill="#888" fill-opacity="0.15"/>'
        )
    parts.append(f'<rect x="{x0}" y="{y0}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>')
    limit = y(panel.limit)
    parts.append(
        f'<line x1="{x0}" x2="{x0 + WIDTH}" y1="{limit:.1f}" y2="{limit:.1f}" stroke="#c60" '
        'stroke-dasharray="5 3"/>'
    )
    parts.append(f'<text x="{x0 - 5}" y="{limit + 4:.1f}" text-anchor="end">{panel.limit:g}</text>')
    shape = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in line)
    parts.append(f'<polyline points="{shape}" fill="none" stroke="#1f5fa8" stroke-width="1.4"/>')
    for i, (at, colour, words) in enumerate(told):
        parts.append(
            f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y0}" y2="{y0 + HEIGHT}" stroke="{colour}" '
            'stroke-dasharray="2 2"/>'
        )
        parts.append(f'<text x="{x(at) + 3:.1f}" y="{y0 + 12 + 12 * i}" fill="{colour}">{words}</text>')
    for at, anchor in ((panel.begin, "start"), (panel.end, "end")):
        parts.append(f'<text x="{x(at):.1f}" y="{y0 + HEIGHT + 13}" text-anchor="{anchor}">{at:g} min</text>')
    return "\n".join(parts)


def main() -> None:
    """Play, draw, write."""
    width = LEFT + ACROSS * (WIDTH + GAP)
    height = TOP + -(-len(PANELS) // ACROSS) * (HEIGHT + GAP)
    drawn = [draw(i, panel) for i, panel in enumerate(PANELS)]
    legend = (
        f'<text x="{LEFT}" y="16">blue: the reading; dashed: the limit that calls; grey: when a person must '
        "be called; red: called; green: tagged</text>"
    )
    OUT.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="10"><rect width="{width}" height="{height}" fill="white"/>\n'
        + "\n".join([legend, *drawn])
        + "\n</svg>\n",
        encoding="utf-8",
    )
    print(f"wrote {OUT.relative_to(ROOT)}, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
