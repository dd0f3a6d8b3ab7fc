"""One evidence for a place: its air has failed and gas rises. Signs of points are counted, never mixed.

A *sign* stands at an anemometer whose air is below ``air_least`` or has lost half of what was usual, until it
is back at four fifths; at a meter that shows 0.3 % more than was usual, until half of that is gone. The
evidence begins when one of the air has stood for ``HOLD_NS`` and one of gas stands with it, and ends when no
air has failed for ``CALM_NS``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, Rows
from .trial_layout import AIR, CALM_NS, HOLD_NS, METER, MOST_MEMBERS, NEAR, PLACE_QUIET, PLACE_STANDS, Signs


@kernel
def sign(rows: Rows, groups: Rows, k: int, t: int, x: float, usual: float, signs: Signs) -> bool:
    """Let a good reading begin or end the sign of its point, and say whether it did.

    ``usual`` is what was usual before it.
    """
    r = rows[k]
    kind = r["kind"]
    if kind != AIR and kind != METER:
        return False
    if r["sign"] == 0:
        if kind == AIR:
            begins = x < signs.air_least or x < 0.5 * usual
        else:
            begins = x - usual >= signs.neighbour - NEAR
        if begins:
            r["sign"] = 1
            r["sign_ns"] = t
            r["sign_usual"] = x if np.isnan(usual) else usual
    else:
        if kind == AIR:
            ends = x >= signs.air_least and x >= 0.8 * r["sign_usual"]
        else:
            ends = x < r["sign_usual"] + 0.5 * signs.neighbour
        if ends:
            r["sign"] = 0
    g = groups[r["group"]]
    step = int(r["sign"]) - int(r["counted"])
    if kind == AIR:
        g["airs"] += step
    else:
        g["gases"] += step
    r["counted"] = r["sign"]
    return step != 0


@kernel
def weigh(
    rows: Rows, groups: Rows, members: NDArray[np.int64], first: NDArray[np.int64], g: int, t: int,
    signs: Signs, moved: bool,
) -> int:  # fmt: skip
    """Return 1 when the evidence of a group begins at this reading, 2 when it ends, 3 when its signs change.

    Else 0; ``moved`` says whether the reading began or ended a sign.
    """
    place = groups[g]
    if place["stage"] == PLACE_QUIET:
        if place["airs"] == 0 or place["gases"] == 0 or first[g + 1] - first[g] > MOST_MEMBERS:
            return 0
        for i in range(first[g], first[g + 1]):
            r = rows[members[i]]
            fresh = t - r["good_ns"] <= signs.fresh_ns
            if r["kind"] == AIR and r["sign"] != 0 and fresh and t - r["sign_ns"] >= HOLD_NS:
                place["stage"] = PLACE_STANDS
                place["since_ns"] = t
                place["calm_ns"] = NONE
                return 1
        return 0
    if place["airs"] > 0:
        place["calm_ns"] = NONE
    elif place["calm_ns"] == NONE:
        place["calm_ns"] = t
    elif t - place["calm_ns"] >= CALM_NS:
        place["stage"] = PLACE_QUIET
        return 2
    return 3 if moved else 0
