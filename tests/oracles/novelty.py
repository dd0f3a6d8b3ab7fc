"""Novelty as plain dictionaries of bins and values; nothing is packed, blocks are counted from 0 up."""

import math
import struct

HOUR = 3_600_000_000_000
BLOCKS, KEPT, BINS = 50, 12, 256


class View:
    """What one view remembers: ``bins`` and ``kept`` say in which block a bin or value was last seen."""

    def __init__(self):
        self.kept = {}
        self.bins = {}
        self.low = self.width = 0.0

    def edges(self):
        """Return the lower edge of the first marked bin and the upper edge of the last one."""
        return self.low + min(self.bins) * self.width, self.low + (max(self.bins) + 1) * self.width

    def bin(self, x):
        """Return the number of the bin of x, inside the grid or not."""
        return math.floor((x - self.low) / self.width)

    def newness(self, x, block, floor):
        """Return the distance to the nearest value in memory over the range of those, and remember x."""
        nearest, values = [abs(x - k) for k in self.kept], list(self.kept)
        widest = math.inf
        if self.bins:
            if self.bin(x) in self.bins:
                self.bins[self.bin(x)] = block
                return 0.0
            first, last = self.edges()
            values += [first, last]
            widest = 4.0 * (last - first)
            if min(self.bins) <= self.bin(x) <= max(self.bins):
                nearest += [(abs(self.bin(x) - b) - 0.5) * self.width for b in self.bins]
            else:
                nearest.append(max(first - x, x - last, 0.0) + 0.5 * self.width)
        self.remember(x, block, floor)
        if not values or min(nearest) == 0.0:
            return 0.0
        span = max(min(max(values) - min(values), widest), floor)
        return min(nearest) / span if min(nearest) < span else 1.0

    def remember(self, x, block, floor):
        """Put x where it belongs: among the kept values, or into the grid."""
        if not self.bins:
            if self.keep(x, block, 0.0):
                return
            self.make_grid(floor)
        first, last = self.edges()
        if max(first - x, x - last) > last - first:
            if self.keep(x, block, (last - first) / 64):
                return
            self.cover(min([x, *self.kept]))
            self.cover(max([x, *self.kept]))
            for value, when in self.kept.items():
                self.mark(value, when)
            self.kept = {}
        self.mark(x, block)

    def keep(self, x, block, near):
        """Keep x unless others stand for it; return whether there was room."""
        close = [k for k in self.kept if abs(x - k) <= near]
        for k in close:
            self.kept[k] = block
        if not close and len(self.kept) < KEPT:
            self.kept[x] = block
            return True
        return bool(close)

    def make_grid(self, floor):
        """Make a grid of the kept values, without up to five of them that lie far off."""
        core = sorted(self.kept)
        while len(core) > KEPT // 2 + 1:
            span = core[-1] - core[0]
            if core[-2] - core[0] < 0.25 * span:
                core.pop()
            elif core[-1] - core[1] < 0.25 * span:
                core.pop(0)
            else:
                break
        finest = max(1e-13 * max(abs(core[0]), abs(core[-1])), 1e-300)
        self.width = max((core[-1] - core[0]) * 2.0 / BINS, floor / BINS, finest)
        self.low = 0.5 * (core[0] + core[-1]) - self.width * (BINS // 2)
        for value in core:
            self.mark(value, self.kept.pop(value))

    def cover(self, x):
        """Widen the grid until it covers x: two bins become one."""
        while x < self.low:
            self.bins = _merged({b + BINS: when for b, when in self.bins.items()})
            self.low -= BINS * self.width
            self.width *= 2.0
        while x >= self.low + BINS * self.width:
            self.bins = _merged(self.bins)
            self.width *= 2.0

    def mark(self, x, block):
        """Mark the bin of x, inside the grid or after it was widened."""
        self.cover(x)
        b = min(max(self.bin(x), 0), BINS - 1)
        self.bins[b] = max(self.bins.get(b, block), block)

    def forget(self, block):
        """Forget what was not seen in the last ``BLOCKS`` blocks, and make a grid of few bins finer."""
        self.kept = {k: when for k, when in self.kept.items() if when > block - BLOCKS}
        self.bins = {b: when for b, when in self.bins.items() if when > block - BLOCKS}
        if not self.bins:
            return
        finest = 2e-13 * max(abs(self.low), abs(self.low + BINS * self.width))
        while max(self.bins) - min(self.bins) + 1 < BINS // 4 and self.width > finest:
            begin = min(max((min(self.bins) + max(self.bins) + 1) // 2 - BINS // 4, 0), BINS // 2)
            halves = {}
            for b, when in self.bins.items():
                halves[2 * (b - begin)] = halves[2 * (b - begin) + 1] = when
            self.bins = halves
            self.low += begin * self.width
            self.width *= 0.5


def _merged(bins):
    out = {}
    for b, when in bins.items():
        out[b // 2] = max(out.get(b // 2, when), when)
    return out


def novelty(
    times, values, *, floor, weight, hour_ns, share, block, block_ns, warm, warm_ns, threshold, again, gate,
    gate_ns,
):  # fmt: skip
    """Return [(newness, newness for the hour, novelty over the bar in force)] of each reading."""
    both, usual, taught = (View(), View()), {}, {}
    out, count, last, alarm = [], 0, None, None
    number = began = began_at = first = base = None
    for t, x in zip(times, values, strict=True):
        if not abs(x) <= 1e15:
            out.append((math.nan, math.nan, math.nan))
            continue
        if count == 0:
            number, began, began_at, first, base = 0, t, 0, t, x
        elif count - began_at >= block and t - began >= block_ns:
            number, began, began_at = number + 1, t, count
            for view in both:
                view.forget(number)
        hour = t // HOUR % 168
        rest = x - base - usual[hour] if hour in usual else 0.0
        step = HOUR if last is None else min(max(t - last, 0), HOUR)
        part = min(share, step / (step + hour_ns))
        n = taught.get(hour, 0)
        if n < 255:
            part = max(part, 1.0 / (n + 1.0))
        usual[hour] = _single(usual.get(hour, 0.0) + part * (x - base - usual.get(hour, 0.0)))
        taught[hour] = min(n + 1, 255)
        count += 1
        last = t
        news = both[0].newness(x, number, floor), both[1].newness(rest, number, floor)
        said = math.nan
        if count > warm and t - first >= warm_ns:
            size = math.sqrt(news[0]) + weight * math.sqrt(news[1])
            bar = threshold
            if alarm and (count - alarm[0] <= gate or t - alarm[1] <= gate_ns):
                bar = max(bar, again * alarm[2])
            if size >= bar:
                alarm = count, t, size
            said = size / bar
        out.append((*news, said))
    return out


def _single(x):
    """Round to the 4-byte float in which the usual value is kept."""
    return struct.unpack("f", struct.pack("f", x))[0] if abs(x) < 3e38 else x
