"""Airflow against gas, and neighbours, on a real longwall and on simulated scenarios."""

import csv
from datetime import datetime

import numpy as np
import pytest

from minewatch.contracts import Quality
from minewatch.detect.company.neighbours import AirflowGas, Neighbours, Sensor
from minewatch_sim.scenario_file import find, load
from minewatch_sim.simulation import points, simulate
from unit.detect.mine import START

AIR = ("AN422", "AN423", "AN311")
GAS = ("MM252", "MM261", "MM262", "MM263", "MM264", "MM256", "MM211")
LOSS = ("2014-04-26 13:05:05", "2014-04-26 13:16:17")  # windows 14 and 15 of the recording's index


def _longwall(folder):
    """Return (times, rows of AIR and GAS) with sentinels and out-of-range values taken out."""
    with (folder / "methane_1hz" / "methane_events_2.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    table = np.array([[float(row[name] or "nan") for name in (*AIR, *GAS)] for row in rows])
    low, high = np.array([-5.0] * 3 + [0.0] * 7), np.array([5.0] * 3 + [40.0] * 7)
    return [row["datetime"] for row in rows], np.where((table >= low) & (table <= high), table, np.nan)


def test_the_real_loss_of_airflow_is_the_only_one_told(recordings):
    """Both windows of the loss alarm, the first within ten seconds; no window of test gas does."""
    times, rows = _longwall(recordings)
    watch = AirflowGas([Sensor(n, "m/s") for n in AIR] + [Sensor(n, "% CH4") for n in GAS], len(AIR))
    found = watch.take(rows)
    alarms = np.flatnonzero(found.score >= 0.5)
    first = datetime.fromisoformat(times[alarms[0]])
    assert 0 <= (first - datetime.fromisoformat(LOSS[0])).total_seconds() <= 10
    assert {times[i][:10] for i in alarms} == {"2014-04-26"}
    assert sum(times[i] >= LOSS[1] for i in alarms) >= 10
    why = watch.reason(found.share[alarms[0]], found.off[alarms[0]], rows[alarms[0]])
    assert why.en.startswith("Airflow at AN4")
    assert "метан" in why.ru


def _played(name, zone):
    """Return (points, rows at 1 Hz) of air velocities and methane of a zone, bad readings as NaN."""
    scenario = load(find(name))
    every = points(scenario)
    wanted = ("air_velocity", "methane")
    mine = [i for i, p in enumerate(every) if p.quantity in wanted and p.zone.startswith(zone)]
    mine.sort(key=lambda i: wanted.index(every[i].quantity))
    rows = []
    for frame in simulate(scenario, start_ns=START):
        values = np.full(len(every), np.nan)
        good = frame.batch.quality < Quality.UNCERTAIN
        values[frame.batch.point[good]] = frame.batch.value[good]
        rows.append(values[mine])
    return [every[i] for i in mine], np.array(rows)


def _sensors(found):
    return [Sensor(p.device, p.unit) for p in found]


def test_a_stopped_fan_is_a_loss_of_air():
    """Heading 12 loses its fan at minute 3: told within 90 s of it, in words, and not before."""
    found, rows = _played("methane-buildup", "heading-12")
    air = sum(p.quantity == "air_velocity" for p in found)
    watch = AirflowGas(_sensors(found), air)
    scored = watch.take(rows)
    first = int(np.argmax(scored.score >= 0.5))
    assert 180 < first <= 270
    why = watch.reason(scored.share[first], scored.off[first], rows[first]).en
    assert why.startswith("Airflow at air-heading-12 fell from")
    assert "methane at ch4-heading-12 rose" in why


def test_test_gas_is_no_loss_of_air_and_its_meter_disagrees():
    """Test gas at one meter: airflow-gas says nothing, the neighbours name the meter within five seconds."""
    found, rows = _played("test-gas", "longwall-7")
    air = sum(p.quantity == "air_velocity" for p in found)
    assert not (AirflowGas(_sensors(found), air).take(rows).score >= 0.5).any()
    meters = [i for i, p in enumerate(found) if p.quantity == "methane" and p.zone == "longwall-7/face"]
    near = Neighbours([_sensors(found)[i] for i in meters], floor=0.01)
    scored = near.take(rows[:, meters])
    first = int(np.argmax(scored.score >= 0.5))
    assert 240 <= first <= 245
    why = near.reason(scored.share[first], scored.off[first], rows[first, meters]).en
    assert why.startswith("ch4-face-60 reads")
    assert why.endswith("% CH4 above what its 2 neighbours say.")


@pytest.mark.parametrize("zone", ["longwall-7", "heading-12"])
def test_a_calm_mine_is_calm(zone):
    """Without a fault neither says anything."""
    found, rows = _played("calm", zone)
    air = sum(p.quantity == "air_velocity" for p in found)
    assert not (AirflowGas(_sensors(found), air).take(rows).score >= 0.5).any()
