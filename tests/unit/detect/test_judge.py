"""The judge of what is said outside the walk: the state machine of limits, with words, over any cut."""

from dataclasses import replace

import numpy as np
import pytest

from minewatch.contracts import LimitTable, PointInfo, Subject, Text
from minewatch.detect import parcel
from minewatch.detect.company.catalogue import IDS
from minewatch.detect.judge import KINDS, Judge, Statistics
from minewatch.errors import ConfigError, StoreError
from unit.detect.mine import START, S

PUMP = Subject(IDS["mahalanobis"], PointInfo("s/g/pump", "s", "g", "pump", "", "device", "1", "z"))
FAN = Subject(IDS["pca"], replace(PUMP.about, place="s/g/fan"))


def table(*subjects, **columns):
    """Return a limit above 1 for each subject, keys from 7 on."""
    n = len(subjects)
    made = {"threshold": np.ones(n), "deadband": np.zeros(n), "comparison": np.ones(n, np.uint8)}
    made |= {"on_delay_ns": np.full(n, 3 * S), "off_delay_ns": np.zeros(n, np.int64)}
    made |= {"point": np.arange(n, dtype=np.int32), "key": 7 + np.arange(n)}
    made["detector"] = np.array([s.detector for s in subjects], np.uint16)
    return LimitTable(**made | columns)


def judge(*subjects):
    """Return a judge of these subjects."""
    made = Judge()
    made.set_limits(table(*subjects), subjects)
    return made


def said(subject, first, values, hole_ns=60 * S, led=None):
    """Return a row a second, each with its own number as its reason; ``led`` says which part leads in it."""
    ts = START + (first + np.arange(len(values))) * S
    say = lambda k: Text("", "", f"row {first + k}")  # noqa: E731  # a function of one line
    lead = led and (lambda k: led[k])
    place = subject.about.place
    return Statistics(subject.detector, place, ts, np.array(values, np.float64), hole_ns, say, lead)


def newer(taken):
    """Return the newer reasons: key, second, reason."""
    return [(each.key, (each.ts_ns - START) // S, each.why.en) for each in taken[1]]


def rows(taken):
    """Return transitions as rows: key, second, second of the cause, active, reason."""
    found, _ = taken
    columns = (found.key, (found.ts_ns - START) // S, (found.since_ns - START) // S, found.active)
    return list(zip(*(c.tolist() for c in columns), found.why, strict=True))


def test_a_limit_is_judged_with_its_delay_and_its_words():
    """Over the threshold for the whole delay raises, with the words of the row that decided."""
    found = judge(PUMP).take([said(PUMP, 0, [0, 2, np.nan, 2, 2, 2, 0])])
    assert rows(found) == [(7, 4, 1, True, Text("", "", "row 4")), (7, 6, 6, False, None)]


def test_subjects_are_told_in_the_order_of_time():
    """Two subjects are judged apart from each other, and what nobody has a rule for is passed over."""
    both = judge(PUMP, FAN)
    other = Subject(PUMP.detector, FAN.about)
    found = both.take([said(PUMP, 2, [2] * 5), said(FAN, 0, [2] * 5), said(other, 0, [2] * 5)])
    assert [(key, at) for key, at, *_ in rows(found)] == [(8, 3), (7, 5)]
    assert rows(Judge().take([said(PUMP, 0, [2] * 9)])) == []
    assert rows(both.take([])) == []


def test_what_was_pending_before_a_hole_begins_anew():
    """Rows before and after a hole do not add up to a delay."""
    one = judge(PUMP)
    assert rows(one.take([said(PUMP, 0, [2, 2])])) == []
    found = one.take([said(PUMP, 100, [2, 2, 2, 2])])
    assert rows(found) == [(7, 103, 100, True, Text("", "", "row 103"))]


@pytest.mark.parametrize("cut", range(1, 12))
def test_any_cut_finds_the_same(cut):
    """A snapshot at any row, restored beside another subject, goes on as if never stopped."""
    values = [0, 2, 2, 2, 2, 2, 0, 2, 2, 2, 2, 0]
    whole = rows(judge(PUMP).take([said(PUMP, 0, values)]))
    first = judge(PUMP)
    found = rows(first.take([said(PUMP, 0, values[:cut])]))
    data = parcel.pack(first.state())
    again = Judge()
    again.set_limits(table(FAN, PUMP, key=np.array([9, 7])), [FAN, PUMP])
    again.restore(parcel.unpack(data, KINDS))
    assert found + rows(again.take([said(PUMP, cut, values[cut:])])) == whole


def test_another_part_that_leads_is_a_newer_reason():
    """While a limit stands, the last row is told if another part leads in it; the same part says nothing."""
    one = judge(PUMP)
    assert newer(one.take([said(PUMP, 0, [2] * 5, led=[0] * 5)])) == []
    assert newer(one.take([said(PUMP, 5, [2] * 3, led=[1, 1, 0])])) == []  # it leads again at the end
    assert newer(one.take([said(PUMP, 8, [2] * 3, led=[0, 1, 1])])) == [(7, 10, "row 10")]
    assert newer(one.take([said(PUMP, 11, [2, 2, np.nan], led=[1, 2, 9])])) == [(7, 12, "row 12")]
    assert newer(one.take([said(PUMP, 14, [2], led=[-1])])) == []  # nobody leads
    assert newer(one.take([said(PUMP, 15, [0, 0], led=[3, 3])])) == []  # it is over
    assert newer(one.take([said(PUMP, 20, [2] * 5, led=[4] * 5)])) == []  # raised anew, by another part


def test_who_led_when_it_was_raised_in_a_batch_is_known():
    """Raised and led by another part within one batch: the newer reason is told, too."""
    found = judge(PUMP).take([said(PUMP, 0, [2] * 8, led=[0, 0, 0, 0, 0, 1, 1, 1])])
    assert [row[-1].en for row in rows(found)] == ["row 3"]
    assert newer(found) == [(7, 7, "row 7")]


@pytest.mark.parametrize("cut", range(1, 12))
def test_any_cut_tells_the_same_reasons(cut):
    """Rows in batches of one, stopped after any of them: the newer reasons of one that never stopped."""
    led = [0, 0, 0, 0, 0, 1, 1, 2, 2, 0, 0, 0]

    def told(one, first, last):
        return [
            each
            for k in range(first, last)
            for each in newer(one.take([said(PUMP, k, [2], led=led[k : k + 1])]))
        ]

    one, again = judge(PUMP), judge(FAN, PUMP)
    again.set_limits(table(FAN, PUMP, key=np.array([9, 7])), [FAN, PUMP])
    before = told(one, 0, cut)
    again.restore(parcel.unpack(parcel.pack(one.state()), KINDS))
    assert before + told(again, cut, 12) == told(judge(PUMP), 0, 12) == [
        (7, 5, "row 5"), (7, 7, "row 7"), (7, 9, "row 9"),
    ]  # fmt: skip


def test_after_a_restart_the_book_decides_what_stands():
    """A limit that the alert book holds as active ends; one that it does not know begins anew."""
    one = judge(PUMP)
    one.take([said(PUMP, 0, [2] * 9)])
    one.resume(np.zeros(0, np.int64))
    assert [active for *_, active, _ in rows(one.take([said(PUMP, 9, [2] * 4)]))] == [True]
    one = judge(PUMP)
    one.resume(np.array([7]))
    assert [active for *_, active, _ in rows(one.take([said(PUMP, 0, [0.5])]))] == [False]


def test_what_cannot_be_judged_or_read_is_refused():
    """A limit of a detector that judges no subject, and a parcel cut off, altered or of other rows."""
    with pytest.raises(ConfigError, match="detector is not known"):
        Judge().set_limits(table(PUMP, detector=np.array([3], np.uint16)), [PUMP])
    data = parcel.pack(judge(PUMP).state())
    spoiled = (b"", data[:-1], data[:60] + bytes([data[60] ^ 1]) + data[61:], parcel.pack({"x": np.zeros(1)}))
    for bad in spoiled:
        with pytest.raises(StoreError):
            parcel.unpack(bad, KINDS)
