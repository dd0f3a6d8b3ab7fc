"""The evidence of a place, in plain Python: which signs stand, and when they make an evidence.

Readings are (slot, t, x); ``usual`` is the mean the detector keeps (see oracles.trial), NaN at first.
Changes are (t, what, [slots whose sign stands]): the evidence "begins", "ends", or its signs "change".
"""

import math

METER, AIR = 0, 1
S = 1_000_000_000


class Place:
    """The oracle of one group; ``kinds`` says of each slot what it measures."""

    def __init__(self, kinds, signs):
        self.kinds, self.s = kinds, signs
        self.ref = [math.nan] * len(kinds)
        self.last = [None] * len(kinds)
        self.signs = {}  # slot: (since, usual)
        self.stands, self.calm = False, None
        self.changes = []

    def read(self, slot, t, x):
        kind, s = self.kinds[slot], self.s
        if self.last[slot] is not None and t <= self.last[slot]:
            return
        usual = self.ref[slot]
        if self.last[slot] is None or t - self.last[slot] > s.alive_ns:
            usual = math.nan
        self._learn(slot, t, x)
        before = set(self.signs)
        if kind in (METER, AIR):
            self._sign(slot, t, x, usual)
        self._weigh(t, set(self.signs) != before)

    def _learn(self, slot, t, x):
        last, self.last[slot] = self.last[slot], t
        if last is None or t - last > self.s.alive_ns:
            self.ref[slot] = x
            return
        step = float(min(t - last, 60 * S))
        memory = (600 if self.kinds[slot] == AIR else 60) * S
        self.ref[slot] += (x - self.ref[slot]) * step / (memory + step)

    def _sign(self, slot, t, x, usual):
        air = self.kinds[slot] == AIR
        if slot in self.signs:
            was = self.signs[slot][1]
            back = x >= self.s.air_least and x >= 0.8 * was
            gone = x < was + 0.5 * self.s.neighbour
            if back if air else gone:
                del self.signs[slot]
            return
        failed = x < self.s.air_least or x < 0.5 * usual
        rose = x - usual >= self.s.neighbour - 1e-9
        if failed if air else rose:
            self.signs[slot] = (t, x if math.isnan(usual) else usual)

    def _weigh(self, t, moved):
        airs = [slot for slot in self.signs if self.kinds[slot] == AIR]
        gases = [slot for slot in self.signs if self.kinds[slot] == METER]
        if not self.stands:
            long = [a for a in airs if t - self.signs[a][0] >= 3 * S and t - self.last[a] <= self.s.fresh_ns]
            if gases and long:
                self.stands, self.calm = True, None
                self.changes.append((t, "begins", sorted(self.signs)))
            return
        if airs:
            self.calm = None
        elif self.calm is None:
            self.calm = t
        elif t - self.calm >= 30 * S:
            self.stands = False
            self.changes.append((t, "ends", sorted(self.signs)))
            return
        if moved:
            self.changes.append((t, "change", sorted(self.signs)))
