"""Silence of a point, judged at readings and at ticks of a clock."""


def transitions(moments, *, threshold, on_delay, strict=True, start=None):
    """Return [(time, since, active, value)] for moments [(time, is_reading)] in time order.

    A silence longer than ``threshold`` ns (strictly, for a strict comparison) began at the last reading plus
    threshold; it is active after ``on_delay`` more, and ends with the next reading. ``start`` counts as a
    reading (a point is expected to speak from there on).
    """
    out = []
    heard = start
    active = False
    for now, is_reading in moments:
        if heard is not None and not active:
            since = heard + threshold
            over = now - heard > threshold if strict else now - heard >= threshold
            if over and now - since >= on_delay:
                active = True
                out.append((since + on_delay, since, True, (threshold + on_delay) / 1e9))
        if is_reading:
            heard = now if heard is None else max(heard, now)
            if active:
                active = False
                out.append((now, now, False, 0.0))
    return out
