"""What is remembered of a sensor to know whether it can be trusted, one row per sensor."""

from __future__ import annotations

import numpy as np

MEANS = 3  # steps that may be open at once: readings of the next one come before the last is closed
STIMULI = 3
BY_NEIGHBOURS, BY_BAROMETER, BY_TEST_GAS = range(STIMULI)

DRIFT = np.dtype(
    [
        ("offset", "f8"),  # where the meter hangs among its neighbours; NaN before its first row
        ("learned", "f8"),
        ("mean", "f8"),
        ("squares", "f8"),
        ("now", "f8"),
        ("judged", "f8"),  # 1 once a step came after those that taught
    ]
)
RESPONSE = np.dtype(
    [
        ("at_step", "i8"),  # where the event that is to come begins; 0 before the first step
        ("at_stimulus", "f8"),
        ("at_own", "f8"),
        ("events", "f8"),
        ("ss", "f8"),
        ("sr", "f8"),
        ("rr", "f8"),
        ("now_ss", "f8"),
        ("now_sr", "f8"),
        ("missed", "f8"),  # events on end that were answered by less than half of the usual
    ]
)
TRUST = np.dtype(
    [
        ("key", "i8"),  # of the place and what it measures; another key begins anew
        ("which", "i8", (MEANS,)),  # the step that each sum is of
        ("count", "f8", (MEANS,)),
        ("sum", "f8", (MEANS,)),
        ("open", "i8"),  # the first step of its group that is not closed; 0 before the first reading
        ("newest_ns", "i8"),  # reading of its group
        ("drift", DRIFT),
        ("answer", RESPONSE, (STIMULI,)),
        ("lost", "f8", (STIMULI,)),  # as the last event of each said; NaN before one did
        ("sigmas", "f8", (STIMULI,)),
        ("since_ns", "i8"),  # when half of a drift that is told was reached; 0 where it is not
    ]
)
