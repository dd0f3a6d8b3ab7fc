"""What befalls a gateway as a whole: points that fall silent or freeze together, a clock that is wrong.

It says what the points' own detectors cannot: a valve that rests for days proves nothing alone, twenty
channels that stopped at the same minute prove that nothing is measured any more. Looked at by the service's
clock every ``LOOK_S``: the cost is a look at each member.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import I8, PointInfo, ReadingBatch, Subject, Text
from minewatch.detect.company.catalogue import GATEWAY
from minewatch.detect.judge import Statistics
from minewatch.detect.kernels.layout import NONE, POINT, Rows
from minewatch.detect.kernels.outage import frozen_share, silent_share

# Chosen on the first half of mine_cooling; SILENT_INTERVALS on the first half of mine_dust.
POINTS = 3  # fewer are no outage
SILENT_INTERVALS = 1.4  # of a member's own; at 1 a single late row would do
LEAST_S = 900.0  # a freeze takes at least so long
LIVELY = 5.0  # and so many times the member's usual rest
TOGETHER_S = 1800.0  # came to rest within
LOOK_S = 5
STANDS_NS = 30_000_000_000  # a clock that shows one time for so long stands
HOLE_NS = 60_000_000_000  # what was pending before the service slept for so long begins anew
SILENT, FROZEN, CLOCK = (detector.id for detector in GATEWAY)


class Gateways:
    """The gateways of these points, for one thread at a time; nothing of it must outlive a restart."""

    def __init__(self) -> None:
        self._names: list[tuple[str, str]] = []
        self._about: list[PointInfo] = []
        self._members: list[NDArray[np.int64]] = []
        self._of: NDArray[np.int64] = np.zeros(0, np.int64)  # the gateway of each point
        self._ahead: I8 = np.zeros(
            0, np.int64
        )  # of our clock, the newest of what arrived since the last look
        self._newest: I8 = np.zeros(0, np.int64)
        self._stood: I8 = np.zeros(0, np.int64)  # the newest time of a reading at the last look,
        self._stands_ns: I8 = np.zeros(0, np.int64)  # and since when, by our clock, it is that
        self._slot = 0

    @property
    def subjects(self) -> Sequence[Subject]:
        """Each gateway with what can befall it."""
        return [
            Subject(detector, about)
            for about, members in zip(self._about, self._members, strict=True)
            for detector in (SILENT, FROZEN, CLOCK)
            if detector == CLOCK or len(members) >= POINTS
        ]

    def set_points(self, points: Sequence[PointInfo]) -> None:
        """Look at these points from now on."""
        names = [(info.site, info.gateway) for info in points]
        if names == self._names:
            return
        self._names = names
        by: dict[tuple[str, str], list[int]] = {}
        for p, name in enumerate(names):
            by.setdefault(name, []).append(p)
        self._about = [_about(*name) for name in by]
        self._members = [np.array(members, np.int64) for members in by.values()]
        self._of = np.empty(len(points), np.int64)
        for g, members in enumerate(self._members):
            self._of[members] = g
        self._ahead, self._newest, self._stood = (np.full(len(by), NONE) for _ in range(3))
        self._stands_ns = np.zeros(len(by), np.int64)

    def arrive(self, batch: ReadingBatch, now_ns: int) -> None:
        """Note how the times of live readings compare with the service's clock, at which they arrive."""
        gateway = self._of[batch.point]
        np.maximum.at(self._ahead, gateway, batch.ts_ns - now_ns)
        np.maximum.at(self._newest, gateway, batch.ts_ns)

    def look(self, rows: Rows, now_ns: int) -> list[Statistics]:
        """Return a row of every statistic, if it is time; ``rows`` is what the engine knows of the points."""
        slot = now_ns // (LOOK_S * 1_000_000_000)
        if slot == self._slot:
            return []
        self._slot = slot
        said: list[Statistics] = []
        for g, members in enumerate(self._members):
            if len(members) >= POINTS:
                said += _together(self._about[g].place, rows, members, now_ns)
            if self._newest[g] != NONE:
                said.append(self._clock(g, now_ns))
        self._ahead[:] = self._newest[:] = NONE
        return said

    @staticmethod
    def warm_up() -> None:
        """Compile what a look needs, before readings come."""
        _together("", np.zeros(POINTS, POINT), np.arange(POINTS), 0)

    def _clock(self, g: int, now_ns: int) -> Statistics:
        if self._newest[g] != self._stood[g]:
            self._stood[g], self._stands_ns[g] = self._newest[g], now_ns
        ahead_s = float(self._ahead[g]) / 1e9
        say = partial(_clock_why, ahead_s, now_ns - int(self._stands_ns[g]) >= STANDS_NS)
        return _row(CLOCK, self._about[g].place, now_ns, abs(ahead_s), say)


def _together(place: str, rows: Rows, members: NDArray[np.int64], now_ns: int) -> list[Statistics]:
    hold, runs = rows["hold_ns"][members], rows["runs"]
    heard, last = rows["track"]["heard_ns"][members], runs["last_ns"][members]
    silent, _, count = silent_share(heard, hold, now_ns, SILENT_INTERVALS)
    frozen, _, resting = frozen_share(
        runs["since_ns"][members], last, runs["mean"][members], hold,
        int(last.max()), LEAST_S, LIVELY, TOGETHER_S,
    )  # fmt: skip
    return [
        _row(
            detector,
            place,
            now_ns,
            share if few >= POINTS else 0.0,
            partial(_why, detector, few, len(members)),
        )
        for detector, share, few in ((SILENT, silent, count), (FROZEN, frozen, resting))
    ]


def _row(detector: int, place: str, now_ns: int, value: float, say: partial[Text]) -> Statistics:
    return Statistics(detector, place, np.array([now_ns]), np.array([value]), HOLE_NS, lambda _: say())


def _about(site: str, gateway: str) -> PointInfo:
    return PointInfo(f"{site}/{gateway}", site, gateway, "", "", "signal", "1", "")


def _why(detector: int, count: int, members: int) -> Text:
    if detector == SILENT:
        return Text(
            kk=f"{members} нүктенің {count}-і бірге үндемей қалды",
            ru=f"{count} из {members} точек шлюза замолчали вместе",
            en=f"{count} of {members} points fell silent together",
        )
    return Text(
        kk=f"{members} нүктенің {count}-і бір сәтте қатып қалды: мәндер ескі",
        ru=f"{count} из {members} точек шлюза застыли в один момент: значения стары",
        en=f"{count} of {members} points froze at one moment: their values are old",
    )


def _clock_why(ahead_s: float, stands: bool) -> Text:
    if stands:
        return Text(
            kk="көрсетімдер келіп жатыр, бірақ уақыты бір орында тұр",
            ru="показания приходят, а их время стоит на месте",
            en="readings arrive, but their time stands still",
        )
    if ahead_s > 0:
        return Text(
            kk="көрсетімдер болашақтан келіп жатыр: сағат алда",
            ru="показания приходят из будущего: часы спешат",
            en="readings come from the future: the clock is ahead",
        )
    return Text(
        kk="жаңа көрсетімдердің уақыты ескі: сағат артта, не олар жолда тым ұзақ болады",
        ru="у новых показаний старое время: часы отстают, или показания слишком долго в пути",
        en="new readings bear an old time: the clock is behind, or they are on the way for so long",
    )
