"""Rules at the gateway: read as the service reads them, and judged as its engine judges them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minewatch.alerts import packs
from minewatch.alerts.globs import matches as service_matches
from minewatch.alerts.rule import Match
from minewatch.alerts.rule import Rule as ServiceRule
from minewatch.alerts.rule_file import COMPARISONS
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.rules import load as service_load
from minewatch.contracts import PointInfo, Quality, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME as IDS
from minewatch.detect.engine import Engine
from minewatch.detect.settings import DetectSettings
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.safety import globs
from minewatch_edge.safety.judge import Transition, judges
from minewatch_edge.safety.making import explain
from minewatch_edge.safety.rule import JUDGED, WHY_NOT, Place, Rule
from minewatch_edge.safety.rule_file import load
from minewatch_edge.safety.statistics import Rise
from minewatch_edge.sparkplug.births import PointBirth
from unit.alerts.examples import rule as service_rule

S = 1_000_000_000
T0 = 1_800_000_000 * S
PACKS = [packs.shipped() / f"{name}.toml" for name in packs.names()]
SIGNS = {value: sign for sign, value in COMPARISONS.items()}
BIRTH = PointBirth(
    "gas", "CH4", "methane", "% CH4", "longwall-7/face", 0.0, 5.0, 1.0, sentinels=(-2.0, 9.99)
)  # fmt: skip
INFO = PointInfo(
    "site/gas/CH4", "site", "gw", "gas", "CH4", "methane", "% CH4", "longwall-7/face", 0.0, 5.0,
    (-2.0, 9.99), 1.0,
)  # fmt: skip


@pytest.mark.parametrize("path", PACKS, ids=lambda p: p.stem)
def test_both_readers_give_the_same_rules(path: Path) -> None:
    """Every rule of every shipped pack means the same at the gateway and at the service, digest included."""
    edge, service = load([path]), service_load([path], IDS).rules
    assert len(edge) == len(service)
    for a, b in zip(edge, service, strict=True):
        for name in (
            "id", "quantity", "unit", "detector", "threshold", "deadband", "on_delay_s", "off_delay_s",
            "priority", "page", "intervals", "except_quantities",
        ):  # fmt: skip
            assert getattr(a, name) == getattr(b, name), (a.id, name)
        assert a.comparison == SIGNS[b.comparison]
        where = {key: a.match.get(key, globs.ANY) for key in ("zone", "place", "site", "metric")}
        assert Match(**where) == b.match
        assert a.about["message"] == {k: getattr(b.message, k) for k in ("kk", "ru", "en")}
        assert (a.about["citation"], a.about["verified"]) == (b.citation, b.verified)
        assert a.digest() == b.digest()
        if (b.need, b.of) != (1, 1) or b.decision:
            assert not a.judged, f"{a.id} asks for more than one reading says"


@given(
    pattern=st.text("ab*?/.", min_size=1, max_size=8), text=st.text("ab/.", max_size=8)
)  # fmt: skip
def test_patterns_mean_the_same(pattern: str, text: str) -> None:
    """A pattern fits the same texts at both ends."""
    assert globs.matches([pattern], text) == service_matches([pattern], text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rule]]\nid = 'x'\n", "page: None is not true or false"),
        ("[[rule]]\nid = 'x'\ntreshold = 1\n", "treshold: unknown key"),
        ("rule = 1", "rule: there is none"),
        ("[[rule", "is no TOML"),
    ],
)
def test_a_slip_in_a_pack_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A mistake is told with file, key and mend before anything runs."""
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(EdgeConfigError, match=r"a\.toml") as caught:
        load([path])
    assert said in str(caught.value)


def test_what_is_judged_here_and_what_is_not_is_said() -> None:
    """Each rule that concerns a point is judged here, left to the centre because, or in another unit."""
    dust = PointBirth("d", "PM", "dust", "mg/m3", "pit")
    wrong = PointBirth("g2", "CH4", "methane", "ppm", "longwall-7/face")
    said = [r.text for r in explain(load([packs.shipped()]), "site", [BIRTH, dust, wrong]) if not r.ok]
    assert any("'% CH4', but site/g2/CH4 comes in 'ppm'" in text for text in said)
    here = {r.place: r for r in explain(load([packs.shipped()]), "site", [BIRTH, dust])}
    assert "judged here at 1 points: site/gas/CH4" in here["rule methane-trip"].text
    assert "left to the centre (gap): silence is judged" in here["rule signal-lost"].text
    assert "rule oxygen-low" not in here


def edge_rule(of: ServiceRule) -> Rule:
    """Return a rule of the service as the gateway holds it."""
    return Rule(
        of.id, of.quantity, of.unit, of.detector, SIGNS[of.comparison], of.threshold, of.deadband,
        of.on_delay_s, of.off_delay_s, of.priority, of.page, {}, {},
    )  # fmt: skip


RULES = st.builds(
    service_rule,
    detector=st.sampled_from(["value", "value", "rate-of-rise", "range", "sentinel"]),
    comparison=st.sampled_from(list(SIGNS)),
    threshold=st.sampled_from([0.5, 1.0, 2.0]),
    deadband=st.sampled_from([0.0, 0.1, 0.5]),
    on_delay_s=st.sampled_from([0.0, 2.0, 7.5]),
    off_delay_s=st.sampled_from([0.0, 3.0]),
)
READINGS = st.lists(
    st.tuples(
        st.sampled_from([1.0, 1.0, 1.0, 0.5, 5.0, 40.0, 900.0, -3.0, -60.0, 0.0]),  # gaps, steps back
        st.sampled_from(
            [0.2, 0.45, 0.9, 1.0, 1.05, 1.5, 2.0, 2.5, 4.9, 5.5, -1.0, -2.0, 9.99, math.nan, math.inf]
        ),
        st.sampled_from([192, 192, 192, 192, 64, 0]),
    ),
    max_size=60,
)  # fmt: skip


def engine_finds(rules: list[ServiceRule], rows: list[tuple[int, float, int]]) -> list[tuple[object, ...]]:
    """Return what the service finds in live readings: (rule, time, since, active, value), in order."""
    engine = Engine(DetectSettings())
    engine.add_points([INFO])
    table, bindings = RuleSet(tuple(rules)).bind({0: INFO})
    engine.set_limits(table)
    found: list[tuple[object, ...]] = []
    codes = {192: Quality.GOOD, 64: Quality.UNCERTAIN, 0: Quality.BAD}
    for ts, value, quality in rows:
        code = Quality.BAD_NO_SIGNAL if math.isnan(value) else codes[quality]
        batch = ReadingBatch.of([0], [ts], [value])
        late = bool(engine.behind(batch)[0]) and code < Quality.BAD  # as app.pipeline does with live readings
        batch.quality[0] = Quality.UNCERTAIN_CLOCK if late else code
        moved = engine.step(batch).transitions
        for i in range(len(moved.key)):
            name = bindings[int(moved.key[i])].rule.id
            found.append(
                (
                    name,
                    int(moved.ts_ns[i]),
                    int(moved.since_ns[i]),
                    bool(moved.active[i]),
                    float(moved.value[i]),
                )
            )
    return found


def edge_finds(rules: list[Rule], rows: list[tuple[int, float, int]]) -> list[tuple[object, ...]]:
    """Return what the gateway finds in the same readings."""
    moved: list[Transition] = []
    (judge,) = judges(rules, [Place.of("site", BIRTH)], moved.append)
    assert judge is not None
    for ts, value, quality in rows:
        judge.take(ts, value, 0 if math.isnan(value) else quality)
    return [(m.limit.rule.id, m.ts_ns, m.since_ns, m.active, m.value) for m in moved]


@settings(max_examples=300, deadline=None)
@given(rules=st.lists(RULES, min_size=1, max_size=4), readings=READINGS)
def test_gateway_and_engine_find_the_same(
    rules: list[ServiceRule], readings: list[tuple[float, float, int]]
) -> None:
    """Same readings, same transitions: cause, time, order, value; NaN, bad, gaps and steps back included."""
    from dataclasses import replace

    named = [replace(rule, id=f"r-{i}") for i, rule in enumerate(rules)]
    rows, at = [], T0
    for step, value, quality in readings:
        at += round(step * S)
        rows.append((at, value, quality))
    assert edge_finds([edge_rule(r) for r in named], rows) == engine_finds(named, rows)


def test_the_rate_of_rise_is_found_at_both() -> None:
    """A steady rise crosses a rate limit at the same reading on both sides."""
    rule = service_rule(detector="rate-of-rise", threshold=0.3, deadband=0.0)
    rows = [(T0 + i * S, 0.2 + 0.01 * i, 192) for i in range(200)]
    found = edge_finds([edge_rule(rule)], rows)
    assert found == engine_finds([rule], rows)
    assert len(found) == 1


def test_a_point_without_rules_costs_nothing() -> None:
    """A point that no rule watches has no judge at all."""
    other = PointBirth("fan", "rpm", "speed", "1/min")
    made = judges([edge_rule(service_rule())], [Place.of("s", BIRTH), Place.of("s", other)], lambda _m: None)
    assert [judge is None for judge in made] == [False, True]


def test_a_rate_beyond_all_numbers_is_a_finite_one() -> None:
    """A sensor that jumps over the whole range of numbers raises; infinity could not be told in JSON."""
    rise = Rise(1.0)
    rates = [rise.rate(-1.7e308 if second < 60 else 1.7e308, second * S) for second in range(70)]
    assert max(r for r in rates if r == r) > 1e300
    assert all(math.isfinite(r) for r in rates if r == r)


def test_every_detector_of_the_service_is_known_to_the_gateway():
    """A pack that the service takes is never refused here: each detector is judged, or it is said why not."""
    assert {*JUDGED, *WHY_NOT} == set(IDS)
