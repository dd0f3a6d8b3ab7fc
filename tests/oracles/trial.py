"""Test gas at a meter, in plain Python over whole histories: obvious and slow.

Readings are (slot, t, x, good). Changes are
(slot, stage, reason, t, onset, witness, base, level, t90, recovery).
"""

import math

IDLE, SUSPECTED, TESTED, REFUTED, AFTER = range(5)
METER, AIR, BAROMETER = range(3)
(
    OK, NEIGHBOUR, AIR_LOW, AIR_FELL, PRESSURE, LEVEL, CREEP, BOUND, SHAPE, NO_AIR, NO_NEIGHBOUR, SILENT,
    RISES, HOLE, RECOVERED,
) = range(15)  # fmt: skip
NEAR = 1e-9
S = 1_000_000_000


class Point:
    """One witness or meter, with everything it ever said."""

    def __init__(self, kind, group, gas=math.nan, begin=1, end=0):
        self.kind, self.group, self.gas, self.begin, self.end = kind, group, gas, begin, end
        self.last = self.before = self.good = None
        self.bad = False
        self.x = self.ref = self.mark = math.nan
        self.kept = []
        self.stage, self.told = IDLE, False
        self.trial_end, self.bottle = 0, math.nan
        self.onset = self.high = self.low_since = None
        self.base = self.mid = self.level = self.found = self.low = math.nan
        self.count = self.after = 0
        self.curve = []


class Trials:
    """The oracle; ``signs`` is any object with the names of the kernel's ``Signs``."""

    def __init__(self, points, signs):
        self.points, self.s, self.changes = points, signs, []

    def announce(self, slot, begin, end, gas):
        """A trial that runs keeps its bottle, and never lasts longer for it."""
        p = self.points[slot]
        p.begin, p.end, p.gas = begin, end, gas
        p.trial_end = min(p.trial_end, end)

    def read(self, slot, t, x, good=True):
        p, s = self.points[slot], self.s
        if p.last is not None and t <= p.last:
            return
        p.before, p.last = p.last, t
        if not good or not math.isfinite(x):
            p.bad = True
            if p.stage in (SUSPECTED, TESTED):
                p.low_since = None
                self._note(slot, REFUTED, SILENT, slot, t)
            return
        if p.good is None or t - p.good > s.alive_ns:
            p.ref = x
        else:
            step = float(min(t - p.good, 60 * S))
            p.ref += (x - p.ref) * step / ((600 if p.kind == AIR else 60) * S + step)
        p.bad, p.good, p.x = False, t, x
        if p.kind == METER:
            self._meter(slot, p, t, x)

    def _meter(self, slot, p, t, x):
        s, was = self.s, p.stage
        hole = p.before is not None and t - p.before > s.hole_ns
        if hole:
            p.kept = []
            if p.stage in (SUSPECTED, TESTED):
                self._note(slot, AFTER, HOLE, None, t)
            elif p.stage == REFUTED:
                p.stage = IDLE
            p.low, p.after = x, 0
        stage = p.stage
        if stage in (IDLE, AFTER):
            self._quiet(slot, p, t, x, hole)
        elif stage == REFUTED:
            if x >= p.base + 0.5 * (p.found - p.base):
                p.low_since = None
            elif p.low_since is None:
                p.low_since = t
            elif t - p.low_since >= s.recovered_ns:
                p.stage = IDLE
        else:
            self._trial(slot, p, t, x)
        if p.stage == REFUTED and (was != REFUTED and stage != REFUTED):
            p.low_since = None
        if not p.kept or t - p.kept[-1][0] >= 400_000_000:
            p.kept.append((t, x))

    def _window(self, p, t, x):
        near = [(at, v) for at, v in p.kept[-12:] if at >= t - self.s.onset_ns]
        low = min([x, *(v for _, v in near)])
        began = [at for at, v in near if v <= low + 0.1 * (x - low)]
        return (low, max(began)) if began else (x, t)

    def _quiet(self, slot, p, t, x, hole):
        s = self.s
        low, at = self._window(p, t, x)
        if x - low >= s.onset_rise - NEAR:
            told = p.begin <= at and t <= p.end
            reason, witness = self._doubt(slot, False, told, p.gas)
            if reason == OK and x > s.most:
                reason = LEVEL
            if reason == OK:
                p.trial_end, p.bottle = p.end, p.gas
                p.told, p.onset, p.base, p.mid, p.level, p.found = told, at, low, x, x, x
                p.count, p.high, p.low_since, p.curve = 1, None, None, [(t, x)]
                for other in self.points:
                    if other is not p and other.group == p.group:
                        other.mark = other.ref
                self._note(slot, SUSPECTED, OK, None, t)
            elif p.stage == AFTER:
                self._note(slot, REFUTED, reason, witness, t)
        elif p.stage == AFTER:
            if not hole:
                p.after += min(t - p.before, 10 * S)
            half = p.base + 0.5 * (p.found - p.base)
            if x >= p.low + s.onset_rise - NEAR or (x >= half and p.after >= s.onset_ns):
                self._note(slot, REFUTED, RISES, None, t)
                return
            p.low = min(p.low, x)
            if p.after >= 600 * S:
                self._note(slot, IDLE, BOUND, None, t)

    def _trial(self, slot, p, t, x):
        s = self.s
        reason, witness = self._doubt(slot, True, p.told, p.bottle)
        since, rise = t - p.onset, p.found - p.base
        gas = x >= p.base + 0.5 * rise
        most = min(s.most, 1.2 * p.bottle + 0.1) if p.told and not math.isnan(p.bottle) else s.most
        if reason == OK and x > most:
            reason = LEVEL
        if reason != OK:
            if gas or p.stage == SUSPECTED:
                self._note(slot, REFUTED, reason, witness, t)
            else:
                p.low, p.after = x, 0
                self._note(slot, AFTER, reason, witness, t)
            return
        if since <= s.settle_ns:
            if x > p.level:
                p.curve = [*(p.curve if len(p.curve) < 12 else p.curve[::2]), (t, x)]
            p.level = p.found = max(p.level, x)
        if p.stage == SUSPECTED:
            if since <= s.onset_ns:
                p.mid, p.count = x, p.count + 1
            if since >= s.decide_ns:
                p.high = t
                early, late = p.mid - p.base, x - p.mid
                step = p.count >= 2 and early + late >= s.least - NEAR and x >= s.least_level - NEAR
                flat = -0.3 * early - NEAR <= late <= s.flat * early + NEAR
                self._note(slot, *((TESTED, OK) if step and flat else (REFUTED, SHAPE)), None, t)
            return
        if gas and t > self._until(p):
            self._note(slot, REFUTED, BOUND, None, t)
            return
        if since > s.settle_ns and x >= p.level + s.creep - NEAR:
            if x - self._window(p, t, x)[0] < s.onset_rise - NEAR and t - p.before <= s.onset_ns:
                self._note(slot, REFUTED, CREEP, None, t)
                return
            p.level = x
        if x > p.base + max(0.2, 0.15 * rise) + NEAR:
            p.low_since = None
            if x >= p.base + 0.9 * rise - NEAR:
                p.high = t
        elif p.low_since is None:
            p.low_since = t
        elif t - p.low_since >= s.recovered_ns:
            p.low, p.after = x, 0
            self._note(slot, AFTER, RECOVERED, None, t)

    def _until(self, p):
        if p.told:
            return min(p.trial_end, p.onset + self.s.announced_ns)
        return p.onset + self.s.bound_ns

    def _doubt(self, slot, marked, told, gas):
        s, meter = self.s, self.points[slot]
        kinds = []
        for m, p in enumerate(self.points):
            if m == slot or p.group != meter.group or p.good is None or meter.before is None:
                continue
            if p.good < meter.before - s.alive_ns:
                continue
            if p.bad or p.good < meter.before - s.fresh_ns:
                return SILENT, m
            usual = p.mark if marked and not math.isnan(p.mark) else p.ref
            if p.kind == METER and p.x - usual >= s.neighbour - NEAR:
                return NEIGHBOUR, m
            if p.kind == AIR and p.x < s.air_least:
                return AIR_LOW, m
            if p.kind == AIR and p.x < usual * (1 - s.air_fall):
                return AIR_FELL, m
            if p.kind == BAROMETER and abs(p.x - usual) >= s.pressure - NEAR:
                return PRESSURE, m
            kinds.append(p.kind)
        if AIR not in kinds:
            return NO_AIR, None
        if METER not in kinds and not (told and not math.isnan(gas) and gas <= s.most):
            return NO_NEIGHBOUR, None
        return OK, None

    def _note(self, slot, stage, reason, witness, t):
        p = self.points[slot]
        p.stage = stage
        goal = p.base + 0.9 * (p.found - p.base) - NEAR
        t90 = next(((at - p.onset) / 1e9 for at, x in p.curve if x >= goal), math.nan)
        known = p.low_since is not None and p.high is not None
        back = (p.low_since - p.high) / 1e9 if known else math.nan
        witness = -1 if witness is None else witness
        self.changes.append((slot, stage, reason, t, p.onset, witness, p.base, p.found, t90, back))
