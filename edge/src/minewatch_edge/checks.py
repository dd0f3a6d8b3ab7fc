"""What `minewatch-edge check` looks at; each part is asked side by side with the others, within a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from minewatch_edge import drivers as kinds
from minewatch_edge.config import EdgeConfig
from minewatch_edge.errors import EdgeError
from minewatch_edge.safety import making

Ask: TypeAlias = Callable[[EdgeConfig, int], Sequence["Finding"]]


class Finding(NamedTuple):
    """What one part said: ``fault`` 0 well, 1 a warning that stops nothing, 2 a fault."""

    part: str
    place: str
    fault: int
    text: str
    mend: str = ""

    @property
    def word(self) -> str:
        """The fault as a word."""
        return ("ok", "warning", "fault")[self.fault]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to look at, and for how long at most."""

    name: str
    place: str
    ask: Ask
    within_s: float = 10.0


DEVICE_S = 15.0  # for one device, all its points together
PARTS: list[Callable[[EdgeConfig], Sequence[Part]]] = []


def part(make: Callable[[EdgeConfig], Sequence[Part]]) -> Callable[[EdgeConfig], Sequence[Part]]:
    """Register what a configuration gives to look at: a decorator for other modules of the agent."""
    PARTS.append(make)
    return make


@part
def _devices(config: EdgeConfig) -> Sequence[Part]:
    return [
        Part("device", device.id, _ask_device(index), DEVICE_S) for index, device in enumerate(config.devices)
    ]


def _ask_device(index: int) -> Ask:
    def ask(config: EdgeConfig, now_ns: int) -> Sequence[Finding]:
        device = config.devices[index]
        driver = kinds.make(device, config.folder, lambda _reject: None)
        try:
            found = driver.check(now_ns)
        finally:
            driver.close()
        return [
            Finding("device", place, 0 if ok else 2, text, "" if ok else _MEND_DEVICE)
            for place, ok, text in found
        ]

    return ask


_MEND_DEVICE = "Look at its wiring, power and address; the agent goes on asking"


@part
def _safety(config: EdgeConfig) -> Sequence[Part]:
    asked = config.safety.rules or config.safety.panels
    return [Part("safety", "rules, outputs and panels", _ask_safety, 60.0)] if asked else []


def _ask_safety(config: EdgeConfig, _now_ns: int) -> Sequence[Finding]:
    points = [point.birth for device in config.devices for point in device.points]
    return [
        Finding("safety", place, 0 if ok else 2, text, "" if ok else _MEND_SAFETY)
        for place, ok, text in making.check(config.safety, config.site, points, config.folder)
    ]


_MEND_SAFETY = "Mend the rule, the unit or the wire; nothing was driven"


def run(config: EdgeConfig, now_ns: int, take: Callable[[Finding], None]) -> int:
    """Ask every part; hand over each finding as it comes and return the worst.

    A part that raises, or does not answer in its time, is a finding too; its thread is left to itself.
    """
    parts = [p for make in PARTS for p in make(config)]
    answers: list[queue.SimpleQueue[Sequence[Finding]]] = []
    for one in parts:
        box: queue.SimpleQueue[Sequence[Finding]] = queue.SimpleQueue()
        answers.append(box)
        threading.Thread(target=_wait, args=(one, config, now_ns, box), daemon=True).start()
    worst = 0
    for box in answers:
        for finding in box.get():
            worst = max(worst, finding.fault)
            take(finding)
    return worst


def _wait(one: Part, config: EdgeConfig, now_ns: int, box: queue.SimpleQueue[Sequence[Finding]]) -> None:
    """Give a part its time; whatever comes first is its answer."""
    asked = threading.Thread(target=_answer, args=(one, config, now_ns, box), daemon=True)
    asked.start()
    asked.join(one.within_s)
    if asked.is_alive():
        text = f"it did not answer within {one.within_s:g} s"
        box.put([Finding(one.name, one.place, 2, text, _MEND_SILENT)])


_MEND_SILENT = "Look whether it is switched on and reachable; the others are not held up by it"


def _answer(one: Part, config: EdgeConfig, now_ns: int, box: queue.SimpleQueue[Sequence[Finding]]) -> None:
    try:
        box.put(one.ask(config, now_ns))
    except EdgeError as error:
        mend = getattr(error, "mend", "")
        text = f"{error.where}: {error.what}" if mend else str(error)  # type: ignore[attr-defined]  # has mend
        box.put([Finding(one.name, one.place, 2, text, mend)])
    except Exception as error:  # noqa: BLE001 (one part's mistake is a finding, never a traceback)
        box.put([Finding(one.name, one.place, 2, f"{type(error).__name__}: {error}", "Report this")])
