"""The laws of the simulated sites, and that a calm site stays inside its instruments."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minewatch_sim.mines import CAUSES, PHYSICS, PLACES, SITES
from minewatch_sim.physics import Physics, Wander, dilute, towards, trapezoid


def mine(site: str = "karaganda-demo", minutes: float = 0.0, **causes: float) -> Physics:
    """Return a site after some minutes under these causes (``__`` stands for a dot, ``_`` for a dash)."""
    physics = PHYSICS[site](1)
    changed = {name.replace("__", ".").replace("_", "-"): value for name, value in causes.items()}
    assert set(changed) <= set(SITES[site].causes)
    for _ in range(round(minutes * 60)):
        physics.step(1.0, {**SITES[site].causes, **changed})
    return physics


@given(
    st.floats(0, 5),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.5, 50),
    st.floats(10, 5000),
    st.integers(1, 50),
)
def test_dilution_does_not_depend_on_the_step(
    c: float, g: float, c_in: float, q: float, v: float, n: int
) -> None:
    """Many small steps and one large one give the same concentration."""
    small = c
    for _ in range(n):
        small = dilute(small, g, c_in, q, v, 2.0)
    assert small == pytest.approx(dilute(c, g, c_in, q, v, 2.0 * n), rel=1e-9, abs=1e-12)


def test_dilution_settles_where_source_and_air_balance() -> None:
    """0.2 m3/s of gas in 20 m3/s of air is 1 %, after three volumes of air 95 % of it."""
    assert dilute(0.0, 0.2, 0.0, 20.0, 1000.0, 1e6) == pytest.approx(1.0)
    assert dilute(0.0, 0.2, 0.0, 20.0, 1000.0, 150.0) == pytest.approx(1 - math.exp(-3))


def test_gas_never_exceeds_the_whole() -> None:
    """Still air fills with gas up to 100 %, not beyond."""
    assert dilute(50.0, 10.0, 0.0, 0.0, 100.0, 1e6) == 100.0


def test_towards_and_trapezoid() -> None:
    """The two shapes are what they say."""
    assert towards(0.0, 1.0, 10.0, 10.0) == pytest.approx(1 - math.exp(-1))
    assert [trapezoid(p, 0.2, 0.6, 0.8) for p in (0.1, 0.4, 0.7, 0.9)] == pytest.approx([0.5, 1.0, 0.5, 0.0])


def test_a_wander_stays_near_nothing() -> None:
    """A slow walk has the spread that was asked for, whatever the step."""
    wander = Wander("seed", 2.0, 10.0)
    values = [wander.step(5.0) for _ in range(20_000)]
    assert sum(values) / len(values) == pytest.approx(0.0, abs=0.15)
    assert math.sqrt(sum(v * v for v in values) / len(values)) == pytest.approx(2.0, rel=0.05)


def test_about_a_hundred_points_on_two_sites() -> None:
    """Places are unique, and each device belongs to one gateway."""
    assert len(PLACES) == len(set(PLACES)) == 104
    for site in SITES.values():
        devices = [{spec.device for spec in specs} for specs in site.gateways.values()]
        assert len(devices) == 2
        assert not devices[0] & devices[1]
    assert len(CAUSES) == sum(len(site.causes) for site in SITES.values())


@pytest.mark.parametrize("site", SITES)
def test_every_point_has_a_truth_within_its_instrument(site: str) -> None:
    """An hour of calm never leaves the range of an instrument."""
    physics = PHYSICS[site](3)
    specs = {f"{s.device}/{s.metric}": s for specs in SITES[site].gateways.values() for s in specs}
    assert set(specs) == set(physics.truth)
    for _ in range(3600):
        physics.step(1.0, SITES[site].causes)
        for name, value in physics.truth.items():
            assert specs[name].low <= value <= specs[name].high, name


def test_less_air_is_more_gas_and_more_dust() -> None:
    """Half the air is about twice the gas at the face, and less oxygen."""
    usual, half = mine(minutes=15).truth, mine(minutes=15, longwall_7__airflow=0.5).truth
    assert half["ch4-face-120/ch4"] > 1.6 * usual["ch4-face-120/ch4"]
    assert half["o2-face-7/o2"] < usual["o2-face-7/o2"]
    assert half["air-face-7/velocity"] == pytest.approx(usual["air-face-7/velocity"] / 2, rel=0.05)


def test_a_stopped_auxiliary_fan_fills_the_heading() -> None:
    """Without its fan the heading passes 1 % within three minutes; the face does not notice."""
    stopped, usual = mine(minutes=3, heading_12__fan=0.0).truth, mine(minutes=3).truth
    assert stopped["ch4-heading-12/ch4"] > 1.0 > usual["ch4-heading-12/ch4"]
    assert stopped["ch4-face-120/ch4"] == usual["ch4-face-120/ch4"]
    assert stopped["air-heading-12/velocity"] < 0.05


def test_a_slower_main_fan_follows_the_fan_laws() -> None:
    """At 70 % speed there is 70 % of the flow, 49 % of the pressure, about a third of the power."""
    slow, usual = mine(minutes=5, fan_1__speed=0.7).truth, mine(minutes=5).truth
    assert slow["air-face-7/velocity"] / usual["air-face-7/velocity"] == pytest.approx(0.7, rel=0.02)
    assert slow["fan-1/pressure"] / usual["fan-1/pressure"] == pytest.approx(0.49, rel=0.02)
    assert slow["fan-1/current"] < 0.45 * usual["fan-1/current"]


def test_a_falling_barometer_lets_the_gob_out() -> None:
    """The return shows more gas while the pressure falls."""
    steady, falling = PHYSICS["karaganda-demo"](1), PHYSICS["karaganda-demo"](1)
    rest = SITES["karaganda-demo"].causes
    for second in range(1800):
        steady.step(1.0, rest)
        falling.step(1.0, {**rest, "weather.pressure": -10.0 * second / 1800})
    assert falling.truth["ch4-return-7/ch4"] > steady.truth["ch4-return-7/ch4"] + 0.01


def test_smoke_reaches_one_sensor_after_the_other() -> None:
    """A minute into a fire the first sensor shows more than the second, and that more than the third."""
    truth = mine(minutes=1, belt_3__fire=1.0).truth
    first, second, third = (truth[f"co-belt-3-{i}/co"] for i in (1, 2, 3))
    assert first > second > third > 2.0
    assert truth["co-return-7/co"] < 4.0


@pytest.mark.parametrize(
    ("comes_from", "hit", "spared"), [(240.0, "gas-north", "gas-camp"), (20.0, "gas-camp", "gas-north")]
)
def test_fumes_go_with_the_wind(comes_from: float, hit: str, spared: str) -> None:
    """The station down the wind of a blast sees the fumes, the other nothing."""
    truth = mine("ekibastuz-demo", 4, pit__blast=3.0, pit__wind_direction=comes_from).truth
    assert truth[f"{hit}/nox"] > 5.0
    assert truth[f"{spared}/nox"] < 0.5


def test_machines_wear_and_trucks_overheat() -> None:
    """Wear shakes and heats one machine; lost coolant heats one truck."""
    worn = mine(minutes=20, belt_3__wear=0.8).truth
    assert worn["belt-3/vibration-drive"] > 7.1
    assert worn["belt-3/bearing-drive"] > 90.0
    assert worn["fan-1/vibration-drive"] < 2.5
    hot = mine("ekibastuz-demo", 20, truck_12__coolant=0.2).truth
    assert hot["truck-12/engine"] > 110.0 > hot["truck-14/engine"]
