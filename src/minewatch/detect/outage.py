"""One finding for a gateway whose points fall silent or freeze together, not one for each of them.

Judged by a clock that is told, every few seconds: the cost is a look at each member. It says what the points'
own detectors cannot: a valve that rests for days proves nothing alone, twenty channels that stopped at the
same minute prove that nothing is measured any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import Text
from minewatch.detect.engine import Engine
from minewatch.detect.kernels.outage import frozen_share, silent_share

# Chosen on the first half of mine_cooling; SILENT_INTERVALS on the first half of mine_dust.
SHARE = 0.4  # of the members
POINTS = 3  # and at least so many
SILENT_INTERVALS = 1.4  # of a member's own; at 1 a single late row would do
LEAST_S = 900.0  # a freeze takes at least so long
LIVELY = 5.0  # and so many times the member's usual rest
TOGETHER_S = 1800.0  # came to rest within


@dataclass(frozen=True, slots=True)
class Outage:
    """Most points of a gateway at once: ``kind`` is silent or frozen, ``since_ns`` when it began."""

    site: str
    gateway: str
    kind: str
    active: bool
    since_ns: int
    ts_ns: int
    count: int
    members: int
    why: Text


class Outages:
    """Which gateways are out, as far as it was told."""

    def __init__(self) -> None:
        self._groups: list[tuple[str, str, NDArray[np.int64]]] = []
        self._known = -1
        self._active: dict[tuple[str, str, str], int] = {}

    def judge(self, engine: Engine, now_ns: int) -> tuple[Outage, ...]:
        """Return what began or ended since the last call; groups of fewer than three points are left out."""
        if self._known != len(engine.points):
            self._group(engine)
        found = []
        rows = engine.state.point
        for site, gateway, members in self._groups:
            heard = rows["track"]["heard_ns"][members]
            hold = rows["hold_ns"][members]
            runs = rows["runs"]
            silent = silent_share(heard, hold, now_ns, SILENT_INTERVALS)
            frozen = frozen_share(
                runs["since_ns"][members],
                runs["last_ns"][members],
                runs["mean"][members],
                hold,
                now_ns,
                LEAST_S,
                LIVELY,
                TOGETHER_S,
            )
            for kind, (share, since, count) in (("silent", silent), ("frozen", frozen)):
                name = (site, gateway, kind)
                out = share >= SHARE and count >= POINTS
                if out == (name in self._active):
                    continue
                if out:
                    self._active[name] = int(since)
                since = self._active[name] if out else self._active.pop(name)
                found.append(
                    Outage(
                        site, gateway, kind, out, int(since), now_ns, int(count), len(members),
                        _why(kind, out, int(count), len(members)),
                    )
                )  # fmt: skip
        return tuple(found)

    def _group(self, engine: Engine) -> None:
        by: dict[tuple[str, str], list[int]] = {}
        for p, info in enumerate(engine.points):
            by.setdefault((info.site, info.gateway), []).append(p)
        self._groups = [(*name, np.array(m, np.int64)) for name, m in by.items() if len(m) >= POINTS]
        self._known = len(engine.points)


def _why(kind: str, active: bool, count: int, members: int) -> Text:
    if not active:
        return Text(
            kk="Шлюздің көпшілік нүктелері қайта өлшеп тұр.",
            ru="Большинство точек шлюза снова измеряет.",
            en="Most points of the gateway measure again.",
        )
    if kind == "silent":
        return Text(
            kk=f"{members} нүктенің {count}-і бірге үндемей қалды: шлюзді, қуатты, желіні тексеріңіз.",
            ru=f"{count} из {members} точек шлюза замолчали вместе: проверьте шлюз, питание, сеть.",
            en=f"{count} of {members} points fell silent together: check gateway, power, network.",
        )
    return Text(
        kk=f"{members} нүктенің {count}-і бір сәтте қатып қалды: мәндер ескі, қолмен өлшеңіз.",
        ru=f"{count} из {members} точек шлюза застыли в один момент: значения стары, замеряйте вручную.",
        en=f"{count} of {members} points froze at one moment: values are old, measure by hand.",
    )
