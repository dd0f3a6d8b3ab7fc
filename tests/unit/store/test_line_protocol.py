"""Line protocol: what a line says, held against a parser written from the protocol's description."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minewatch.contracts import (
    Alert,
    AlertEvent,
    AlertState,
    EventKind,
    PointInfo,
    ReadingBatch,
    ScoreBatch,
    Text,
    Watermark,
)
from minewatch.store import line_protocol as lp

INFO = PointInfo("n/m 1/CH4", "n", "g", "m 1", "CH4,a=b", "methane", "% CH4", "")

_UNESCAPED = {"\\,": ",", "\\=": "=", "\\ ": " "}


def split(text: str, separator: str, *, quotes: bool = True) -> list[str]:
    """Split at each separator that is not escaped; in fields also not inside a quoted string."""
    parts, start, i, quoted = [], 0, 0, False
    while i < len(text):
        if text[i] == "\\":
            i += 2
            continue
        if text[i] == '"' and quotes:
            quoted = not quoted
        elif text[i] == separator and not quoted:
            parts.append(text[start:i])
            start = i + 1
        i += 1
    return [*parts, text[start:]]


def plain(text: str) -> str:
    """Take the escapes out of a tag."""
    for escaped, character in _UNESCAPED.items():
        text = text.replace(escaped, character)
    return text


def parse(line: str) -> tuple[str, dict[str, str], dict[str, object], int]:
    """Return measurement, tags, fields and time of a line."""
    head = split(line, " ", quotes=False)[0]  # a quote in a tag is a character like any other
    fields, time_ns = split(line[len(head) + 1 :], " ")
    measurement, *tags = split(head, ",", quotes=False)
    pairs = [split(tag, "=", quotes=False) for tag in tags]
    values: dict[str, object] = {}
    for field in split(fields, ","):
        name, value = split(field, "=")
        if value.startswith('"'):
            values[name] = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        elif value in ("t", "f"):
            values[name] = value == "t"
        elif value.endswith("i"):
            values[name] = int(value[:-1])
        else:
            values[name] = float(value)
    return measurement, {plain(k): plain(v) for k, v in pairs}, values, int(time_ns)


def test_a_reading_is_one_line() -> None:
    """Series, value to the last bit, quality, flag and nanosecond stand where the server looks for them."""
    batch = replace(
        ReadingBatch.of([0], [17], [0.1 + 0.2], historical=True), quality=np.array([66], np.uint8)
    )
    assert lp.reading_lines(["reading,site=n"], batch) == [
        "reading,site=n value=0.30000000000000004,quality=66i,historical=t 17"
    ]


def test_no_readings_are_no_lines() -> None:
    """An empty batch gives nothing to send."""
    assert lp.reading_lines([], ReadingBatch.empty()) == []


def test_a_value_that_is_no_number_is_left_out() -> None:
    """NaN and both infinities have no form in the protocol: the line keeps quality and time."""
    batch = ReadingBatch.of([0] * 4, [1, 2, 3, 4], [math.nan, math.inf, -math.inf, 2.5])
    lines = lp.reading_lines(["r"], batch)
    assert [parse(line)[2].get("value") for line in lines] == [None, None, None, 2.5]
    assert lines[0] == "r quality=0i,historical=f 1"


def test_series_are_escaped_sorted_and_without_empty_tags() -> None:
    """Blank, comma and equals sign are escaped; tags come by name; one without a value is left out."""
    assert lp.series("reading", lp.point_tags(INFO)) == (
        "reading,device=m\\ 1,metric=CH4\\,a\\=b,site=n,unit=%\\ CH4"
    )


@given(st.dictionaries(st.sampled_from(["site", "zone", "device", "metric"]), st.text()))
def test_any_tag_comes_back(tags: dict[str, str]) -> None:
    """Whatever a device calls itself, the line has three parts and the tag is read as clean_tag says."""
    line = lp.series("reading", tags) + " quality=0i 1"
    assert "\n" not in line
    _, found, _, _ = parse(line)
    assert found == {name: lp.clean_tag(text) for name, text in tags.items() if text}


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**62), 2**62), st.integers(0, 255))
def test_any_reading_comes_back(value: float, ts_ns: int, quality: int) -> None:
    """Each finite value, time and quality is read back as it was."""
    batch = replace(ReadingBatch.of([0], [ts_ns], [value]), quality=np.array([quality], np.uint8))
    _, _, fields, time_ns = parse(lp.reading_lines(["r"], batch)[0])
    assert (fields["value"], fields["quality"], time_ns) == (value, quality, ts_ns)


def test_scores_carry_the_detector_as_a_tag() -> None:
    """A score of an unknown point and one that is no number give no line."""
    scores = ScoreBatch(
        np.array([0, 0, 5, 0], np.int32),
        np.array([1, 2, 3, 4], np.int64),
        np.array([1, 0, 1, 1], np.uint16),
        np.array([0.25, 1.0, 0.5, np.nan], np.float32),
        np.zeros(4),
    )
    lines = [parse(line) for line in lp.score_lines({0: INFO}, scores, ["value", "ewma"])]
    assert [(tags["detector"], fields["score"], t) for _, tags, fields, t in lines] == [
        ("ewma", 0.25, 1),
        ("value", 1.0, 2),
    ]


def event(key: str, time_ns: int = 1_700_000_000_123_000_000) -> AlertEvent:
    """Return a raised alert without a limit."""
    text = Text(kk="", ru="", en='said "high"\nC:\\x')
    alert = Alert(
        id="a1",
        rule="methane-high",
        place="n/m/CH4",
        site="n",
        zone="z 1",
        quantity="methane",
        priority=1,
        paged=True,
        state=AlertState.UNACKNOWLEDGED,
        active=True,
        raised_ns=0,
        changed_ns=0,
        value=2.1,
        unit="%",
        limit=math.nan,
        detector="value",
        message=text,
        why=text,
        citation="",
        verified=False,
    )
    return AlertEvent(key, EventKind.RAISED, alert, time_ns, time_ns, "system")


def test_an_event_keeps_persons_and_ids_out_of_the_tags() -> None:
    """Tags are the few of the schema; id, reason, value are fields; a limit that is no number is left out."""
    measurement, tags, fields, _ = parse(lp.event_line(event("k")))
    assert measurement == "alert_event"
    assert tags == {"site": "n", "zone": "z 1", "rule": "methane-high", "priority": "1", "event": "raised"}
    assert fields == {"alert": "a1", "why": 'said "high" C:\\x', "value": 2.1}


def test_an_event_says_what_is_known_besides() -> None:
    """The words of an `explained` row follow the reason."""
    found = event("k")
    more = replace(found, alert=replace(found.alert, now=Text("", "", "the air fell")))
    assert parse(lp.event_line(more))[2]["why"] == 'said "high" C:\\x; the air fell'


def test_events_of_one_instant_do_not_overwrite_each_other() -> None:
    """Two places in one zone alarm at once: two times within the millisecond, the same ones every time."""
    times = [parse(lp.event_line(event(key)))[3] for key in ("k1", "k2", "k1")]
    assert times[0] == times[2] != times[1]
    assert {time_ns // 1_000_000 for time_ns in times} == {1_700_000_000_123}


def test_a_delivery_names_gateway_and_spool() -> None:
    """What is held of a spool is one row of the series of gateway and spool."""
    line = lp.delivery_line(Watermark("n/g 1", "s", 7, (9, 11)), 60)
    assert line == 'delivery,gateway=n/g\\ 1,spool=s upto=7i,above="9,11" 60'
