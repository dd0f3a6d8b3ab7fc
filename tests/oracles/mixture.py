"""The mixture rule Em = C1/L1 + C2/L2 + ... in rational arithmetic."""

import math
from fractions import Fraction


def mixture(members, oldest_s):
    """Return (sum, share of members known) of [(value, limit, age in s)]; sum None without any."""
    known = [(c, limit) for c, limit, age in members if math.isfinite(c) and limit > 0 and age <= oldest_s]
    if not known:
        return None, Fraction(0)
    return sum(max(Fraction(c), 0) / Fraction(limit) for c, limit in known), Fraction(
        len(known), len(members)
    )
