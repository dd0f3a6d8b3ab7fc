"""Another sensor that leads while an alert of several stands: from the readings to the newer reason."""

import numpy as np

from minewatch.contracts import PointInfo, ReadingBatch
from minewatch.detect.company.catalogue import IDS
from minewatch.detect.company.live import Company
from minewatch.detect.company.settings import CompanySettings
from minewatch.detect.judge import Judge
from unit.detect.mine import START, S
from unit.detect.test_judge import table


def test_another_meter_that_disagrees_more_is_told_while_it_stands():
    """First one meter of five is off, then another by more: the newer reason names it, once."""
    meters = [
        PointInfo(f"s/m{n}/ch4", "s", "g", f"m{n}", "ch4", "methane", "% CH4", "face", interval_s=1.0)
        for n in range(5)
    ]
    shown = np.random.default_rng(2).normal(0.5, 0.01, (900, 5))
    shown[600:, 1] += 0.5
    shown[700:, 3] += 3.0
    company, judge = Company(CompanySettings()), Judge()
    company.set_points(meters)
    (subject,) = [each for each in company.subjects if each.detector == IDS["neighbours"]]
    judge.set_limits(table(subject), [subject])
    raised, newer = [], []
    for second in range(900):
        found, more = judge.take(
            company.take(ReadingBatch.of(range(5), [START + second * S] * 5, shown[second]))[1]
        )
        raised += [why.en for why in found.why if why]
        newer += [(((each.ts_ns - START) // S), each.why.en) for each in more]
    assert [why.split(" reads")[0] for why in raised] == ["m1"]
    assert [why.split(" reads")[0] for _, why in newer] == ["m3"]
    assert 700 <= newer[0][0] <= 710
