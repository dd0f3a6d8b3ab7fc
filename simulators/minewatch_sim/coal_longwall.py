"""A demonstration coal mine: a longwall, a heading, a belt, a main fan and a pump. It is no real mine.

Sizes and rates are engineering assumptions, unverified, chosen so that a calm shift stays below every limit;
where a figure or a law has a source, the comment names it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from minewatch_sim.instruments import Spec
from minewatch_sim.physics import SiteSpec, Wander, dilute, towards, trapezoid

SITE = "karaganda-demo"

CAUSES = {
    "longwall-7.airflow": 1.0,  # share of the planned air that reaches the face
    "longwall-7.inflow": 1.0,  # methane from the seam, as a multiple of the usual
    "longwall-7.shearer": 1.0,  # 0: the shearer stands
    "longwall-7.spray": 1.0,  # share of the dust sprays that work
    "heading-12.fan": 1.0,  # speed of the auxiliary fan
    "heading-12.inflow": 1.0,
    "belt-3.fire": 0.0,  # 1: a smouldering idler that gives 1 L/s of carbon monoxide
    "belt-3.load": 1.0,
    "belt-3.slip": 0.01,  # share by which the belt is slower than its drum
    "belt-3.wear": 0.0,  # 0 new bearing .. 1 destroyed
    "fan-1.speed": 1.0,
    "fan-1.wear": 0.0,
    "pump-2.speed": 1.0,
    "weather.pressure": 0.0,  # hPa above the usual
}

_FACE_FLOW = 20.0  # m3/s through 10 m2: 2 m/s, inside the 0.25..4 m/s of faces (limits: rules/)
_FACE_AREA = 10.0
_CELL = 667.0  # m3: a third of a face of 200 m and 10 m2
_HEADING_FLOW = 6.0
_HEADING_AREA = 12.0
_HEADING_CELL = 150.0  # the last metres of the heading, where the duct blows
_RETURN_CELL = 1_500.0
_INTAKE_CH4 = 0.06  # %
_SEAM = (0.006, 0.007, 0.008)  # m3/s of methane from coal at rest, by third of the face
_CUT = 0.022  # m3/s more in the third where the shearer cuts at full speed
_GOB = 0.015  # m3/s from the gob into the return
# Gob gas comes out as the barometer falls (MSHA safety ideas); 5 % more for each hPa an hour.
_GOB_BAROMETER = 0.05
_HEADING_SEAM = 0.018
_PASS_S = 1_200.0  # one pass of the shearer along the face and the pause after it
_SHEARER_SPEED = 7.0  # m/min, of 20 m/min that such a machine can do (Data in Brief 39 (2021) 107457)
_DUST = 0.35  # mg/m3 at the face without cutting
_DUST_CUT = 22.0  # mg/m3 more at full cutting and no sprays
_SPRAY = 0.94  # share that working sprays take away
_CO = 2.0  # ppm ambient in the return
_BELT_FLOW = 12.0  # m3/s along the belt
_BELT_WAY_S = 45.0  # air from one monoxide sensor to the next: about 90 m at 2 m/s
_AMBIENT = 24.0  # degrees C


def _gas(device: str, zone: str, metric: str = "ch4") -> Spec:
    return Spec(device, metric, "methane", "% CH4", zone, 0.0, 100.0, 0.01, 0.01, 6.0)


def _air(device: str, zone: str) -> Spec:
    return Spec(device, "velocity", "air_velocity", "m/s", zone, -5.0, 15.0, 0.01, 0.03, 3.0)


def _co(device: str, zone: str) -> Spec:
    return Spec(device, "co", "carbon_monoxide", "ppm", zone, 0.0, 500.0, 0.1, 0.12, 12.0)


def _machine(
    device: str, zone: str, current_max: float, ends: Sequence[str] = ("drive", "free")
) -> tuple[Spec, ...]:
    """Return a motor with its current, power, and per end a bearing temperature and a vibration."""
    found = [
        Spec(device, "current", "current", "A", zone, 0.0, current_max, 0.1, current_max * 0.002),
        Spec(device, "power", "power", "kW", zone, 0.0, current_max * 2, 0.1, current_max * 0.002),
    ]
    for end in ends:
        found.append(_bearing(device, f"bearing-{end}", zone))
        found.append(
            Spec(device, f"vibration-{end}", "vibration_velocity", "mm/s", zone, 0.0, 50.0, 0.01, 0.05)
        )
    return tuple(found)


def _bearing(device: str, metric: str, zone: str) -> Spec:
    return Spec(device, metric, "bearing_temperature", "°C", zone, -20.0, 200.0, 0.1, 0.1, 20.0)


def _climate(device: str, zone: str) -> tuple[Spec, ...]:
    return (
        Spec(device, "temperature", "temperature", "°C", zone, -10.0, 60.0, 0.1, 0.05, 60.0),
        Spec(device, "humidity", "humidity", "%RH", zone, 0.0, 100.0, 0.1, 0.3, 60.0),
        Spec(device, "pressure", "barometric_pressure", "hPa", zone, 800.0, 1_200.0, 0.1, 0.05),
    )


_FACE, _RETURN, _INTAKE = "longwall-7/face", "longwall-7/return", "longwall-7/intake"

SPEC = SiteSpec(
    SITE,
    {
        "gw-longwall": (
            _gas("ch4-intake-7", _INTAKE),
            _air("air-intake-7", _INTAKE),
            _co("co-intake-7", _INTAKE),
            *_climate("climate-intake-7", _INTAKE),
            _gas("ch4-face-10", _FACE),
            _gas("ch4-face-60", _FACE),
            _gas("ch4-face-120", _FACE),
            _air("air-face-7", _FACE),
            Spec("dust-face-7", "dust", "dust", "mg/m³", _FACE, 0.0, 100.0, 0.01, 0.04, 20.0),
            Spec("o2-face-7", "o2", "oxygen", "%", _FACE, 0.0, 25.0, 0.01, 0.01, 10.0),
            Spec("shearer-7", "speed", "shearer_speed", "m/min", _FACE, 0.0, 20.0, 0.01, 0.05),
            Spec("shearer-7", "current-left", "current", "A", _FACE, 0.0, 300.0, 0.1, 1.5),
            Spec("shearer-7", "current-right", "current", "A", _FACE, 0.0, 300.0, 0.1, 1.5),
            Spec("shearer-7", "current-haulage", "current", "A", _FACE, 0.0, 100.0, 0.1, 0.5),
            _bearing("shearer-7", "bearing-left", _FACE),
            _bearing("shearer-7", "bearing-right", _FACE),
            Spec("conveyor-7", "current", "current", "A", _FACE, 0.0, 400.0, 0.1, 1.0),
            _bearing("conveyor-7", "bearing-drive", _FACE),
            _gas("ch4-return-7", _RETURN),
            _gas("ch4-return-7-far", _RETURN),
            _air("air-return-7", _RETURN),
            _co("co-return-7", _RETURN),
            Spec("co2-return-7", "co2", "carbon_dioxide", "%", _RETURN, 0.0, 5.0, 0.01, 0.005, 20.0),
            Spec("dust-return-7", "dust", "dust", "mg/m³", _RETURN, 0.0, 100.0, 0.01, 0.04, 20.0),
            *_climate("climate-return-7", _RETURN),
        ),
        "gw-plant": (
            _gas("ch4-heading-12", "heading-12/face"),
            _gas("ch4-heading-12-out", "heading-12/return"),
            _air("air-heading-12", "heading-12/face"),
            Spec("fan-12", "current", "current", "A", "heading-12/face", 0.0, 60.0, 0.1, 0.1),
            Spec("fan-12", "pressure", "fan_pressure", "Pa", "heading-12/face", 0.0, 5_000.0, 1.0, 8.0),
            Spec("belt-3", "speed", "belt_speed", "m/s", "belt-3", 0.0, 6.0, 0.01, 0.01),
            Spec("belt-3", "drum-speed", "belt_speed", "m/s", "belt-3", 0.0, 6.0, 0.01, 0.01),
            *_machine("belt-3", "belt-3", 400.0),
            _co("co-belt-3-1", "belt-3"),
            _co("co-belt-3-2", "belt-3"),
            _co("co-belt-3-3", "belt-3"),
            Spec("dust-belt-3", "dust", "dust", "mg/m³", "belt-3", 0.0, 100.0, 0.01, 0.03, 20.0),
            Spec("fan-1", "pressure", "fan_pressure", "Pa", "fan-1", 0.0, 5_000.0, 1.0, 10.0),
            *_machine("fan-1", "fan-1", 400.0),
            Spec("pump-2", "flow", "flow", "L/s", "pump-2", 0.0, 200.0, 0.1, 0.4),
            Spec("pump-2", "level", "level", "%", "pump-2", 0.0, 100.0, 0.1, 0.1, 10.0),
            Spec("pump-2", "pressure", "pressure", "bar", "pump-2", 0.0, 60.0, 0.01, 0.05),
            Spec("pump-2", "current", "current", "A", "pump-2", 0.0, 200.0, 0.1, 0.4),
        ),
    },
    CAUSES,
)


class CoalLongwall:
    """The air, the gas and the machines of the mine."""

    causes: Mapping[str, float] = CAUSES

    def __init__(self, seed: int) -> None:
        self.truth: dict[str, float] = {}
        self._time_s = 0.0
        self._wander = {
            name: Wander(f"{seed}/{SITE}/{name}", sigma, tau_s)
            for name, sigma, tau_s in (
                ("air", 0.02, 120.0),
                ("gas", 0.06, 300.0),
                ("cut", 0.05, 40.0),
                ("load", 0.05, 60.0),
                ("co", 0.15, 600.0),
                ("pressure", 1.5, 6 * 3_600.0),
            )
        }
        self._flow = _FACE_FLOW
        self._ch4 = [0.12, 0.18, 0.25]
        self._return = [0.33, 0.33]
        self._heading_flow = _HEADING_FLOW
        self._heading = [0.36, 0.36]
        self._fan_speed = self._aux_speed = self._belt_load = self._pump_speed = 1.0
        self._dust = _DUST
        self._belt_co = [_CO, _CO, _CO]
        self._level = 55.0
        self._pressure = 1_012.0
        self._fall = 0.0  # hPa/h the barometer falls by
        # Settled at the start, so that a scenario begins on a running mine and not on a cold one.
        self._heat = {"shearer": 52.0, "conveyor": 49.0, "belt": 50.0, "fan": 54.0}
        self.step(1e-6, CAUSES)

    def step(self, dt_s: float, causes: Mapping[str, float]) -> None:
        """Go on by some seconds."""
        self._time_s += dt_s
        for wander in self._wander.values():
            wander.step(dt_s)
        self._step_weather(dt_s, causes)
        cutting = self._step_air_and_shearer(dt_s, causes)
        self._step_face(dt_s, causes, cutting)
        self._step_heading(dt_s, causes)
        self._step_belt(dt_s, causes, cutting)
        self._step_fan_and_pump(dt_s, causes)

    def _step_weather(self, dt_s: float, causes: Mapping[str, float]) -> None:
        pressure = 1_012.0 + self._wander["pressure"].value + causes["weather.pressure"]
        fall = (self._pressure - pressure) / max(dt_s, 1e-3) * 3_600.0
        self._fall = towards(self._fall, fall, dt_s, 900.0)
        self._pressure = pressure
        for device, temperature, humidity in (("intake", 19.0, 68.0), ("return", 24.5, 88.0)):
            self.truth[f"climate-{device}-7/temperature"] = temperature
            self.truth[f"climate-{device}-7/humidity"] = humidity + 4.0 * self._wander["air"].value
            self.truth[f"climate-{device}-7/pressure"] = pressure + (88.0 if device == "intake" else 87.2)

    def _step_air_and_shearer(self, dt_s: float, causes: Mapping[str, float]) -> float:
        """Return how hard the shearer cuts, 0..1."""
        self._fan_speed = towards(self._fan_speed, causes["fan-1.speed"], dt_s, 15.0)  # a rotor runs down
        # Fan laws: flow with speed, pressure with its square, power with its cube (McPherson, ch. 10).
        air = self._fan_speed * causes["longwall-7.airflow"] * (1.0 + self._wander["air"].value)
        self._flow = towards(self._flow, _FACE_FLOW * max(air, 0.0), dt_s, 8.0)
        velocity = self._flow / _FACE_AREA
        self.truth["air-face-7/velocity"] = velocity
        self.truth["air-intake-7/velocity"] = velocity * 0.8
        self.truth["air-return-7/velocity"] = velocity * 0.85
        phase = (self._time_s % _PASS_S) / _PASS_S
        running = trapezoid(phase, 0.04, 0.72, 0.76) * min(max(causes["longwall-7.shearer"], 0.0), 1.5)
        cutting = running * (1.0 + self._wander["cut"].value)
        truth = self.truth
        truth["shearer-7/speed"] = _SHEARER_SPEED * cutting
        truth["shearer-7/current-left"] = 38.0 + 92.0 * cutting
        truth["shearer-7/current-right"] = 36.0 + 85.0 * cutting
        truth["shearer-7/current-haulage"] = 6.0 + 34.0 * cutting
        heat = self._heat
        heat["shearer"] = towards(heat["shearer"], 44.0 + 12.0 * cutting, dt_s, 1_500.0)
        heat["conveyor"] = towards(heat["conveyor"], 42.0 + 10.0 * cutting, dt_s, 1_800.0)
        truth["shearer-7/bearing-left"] = heat["shearer"]
        truth["shearer-7/bearing-right"] = heat["shearer"] - 1.5
        truth["conveyor-7/current"] = 70.0 + 110.0 * cutting
        truth["conveyor-7/bearing-drive"] = heat["conveyor"]
        return max(cutting, 0.0)

    def _step_face(self, dt_s: float, causes: Mapping[str, float], cutting: float) -> None:
        phase = (self._time_s % _PASS_S) / _PASS_S / 0.76  # where along the face the shearer is
        third = min(int(phase * 3), 2)
        inflow = max(causes["longwall-7.inflow"], 0.0) * (1.0 + self._wander["gas"].value)
        before = _INTAKE_CH4
        for i in range(3):
            source = (_SEAM[i] + (_CUT * cutting if i == third else 0.0)) * inflow
            self._ch4[i] = dilute(self._ch4[i], source, before, self._flow, _CELL, dt_s)
            before = self._ch4[i]
        gob = _GOB * max(0.2, 1.0 + _GOB_BAROMETER * self._fall)
        self._return[0] = dilute(self._return[0], gob, before, self._flow, _RETURN_CELL, dt_s)
        self._return[1] = dilute(self._return[1], 0.0, self._return[0], self._flow, _RETURN_CELL, dt_s)
        truth = self.truth
        truth["ch4-intake-7/ch4"] = _INTAKE_CH4
        for name, value in zip(("10", "60", "120"), self._ch4, strict=True):
            truth[f"ch4-face-{name}/ch4"] = value
        truth["ch4-return-7/ch4"], truth["ch4-return-7-far/ch4"] = self._return
        # Methane displaces air: a fifth of its share is missing from the oxygen.
        truth["o2-face-7/o2"] = 20.75 - 0.2095 * self._ch4[2]
        slow = _FACE_FLOW / max(self._flow, 1.0)
        dust = (
            _DUST
            + _DUST_CUT * cutting * (1.0 - _SPRAY * min(max(causes["longwall-7.spray"], 0.0), 1.0)) * slow
        )
        self._dust = towards(self._dust, dust, dt_s, 25.0)
        truth["dust-face-7/dust"] = self._dust
        truth["dust-return-7/dust"] = self._dust * 0.7
        co = _CO + self._wander["co"].value
        truth["co-intake-7/co"] = 0.6 + 0.2 * self._wander["co"].value
        truth["co-return-7/co"] = co
        truth["co2-return-7/co2"] = 0.14 + 0.02 * slow

    def _step_heading(self, dt_s: float, causes: Mapping[str, float]) -> None:
        self._aux_speed = towards(self._aux_speed, causes["heading-12.fan"], dt_s, 4.0)
        speed = max(self._aux_speed, 0.0)
        self._heading_flow = towards(self._heading_flow, _HEADING_FLOW * speed, dt_s, 4.0)
        source = _HEADING_SEAM * max(causes["heading-12.inflow"], 0.0) * (1.0 + self._wander["gas"].value)
        flow = self._heading_flow
        self._heading[0] = dilute(self._heading[0], source, _INTAKE_CH4, flow, _HEADING_CELL, dt_s)
        self._heading[1] = dilute(self._heading[1], 0.0, self._heading[0], flow, 4 * _HEADING_CELL, dt_s)
        truth = self.truth
        truth["ch4-heading-12/ch4"], truth["ch4-heading-12-out/ch4"] = self._heading
        truth["air-heading-12/velocity"] = flow / _HEADING_AREA
        truth["fan-12/current"] = 28.0 * speed**3
        truth["fan-12/pressure"] = 1_150.0 * speed**2

    def _step_belt(self, dt_s: float, causes: Mapping[str, float], cutting: float) -> None:
        load = causes["belt-3.load"] * (0.3 + 0.7 * min(cutting, 1.0)) * (1.0 + self._wander["load"].value)
        self._belt_load = towards(self._belt_load, max(load, 0.0), dt_s, 90.0)  # coal fills the belt slowly
        load, slip, wear = self._belt_load, causes["belt-3.slip"], causes["belt-3.wear"]
        truth = self.truth
        truth["belt-3/drum-speed"] = 3.15
        truth["belt-3/speed"] = 3.15 * (1.0 - min(max(slip, 0.0), 1.0))
        truth["belt-3/current"] = 80.0 + 110.0 * load + 60.0 * wear
        truth["belt-3/power"] = 1.55 * truth["belt-3/current"]
        # A slipping drum turns the lost power into heat; bearings settle in half an hour.
        heat = _AMBIENT + 20.0 + 10.0 * load + 75.0 * wear + 120.0 * max(slip - 0.02, 0.0)
        self._heat["belt"] = towards(self._heat["belt"], heat, dt_s, 1_500.0 if wear < 0.05 else 400.0)
        truth["belt-3/bearing-drive"] = self._heat["belt"]
        truth["belt-3/bearing-free"] = _AMBIENT + 18.0 + 8.0 * load
        truth["belt-3/vibration-drive"] = 1.7 + 0.04 * load + 11.0 * wear**1.5
        truth["belt-3/vibration-free"] = 1.5 + 0.04 * load + 2.0 * wear
        # 1 L/s of carbon monoxide in 12 m3/s is 83 ppm; it reaches one sensor after the other.
        source = 1e6 * 1e-3 * max(causes["belt-3.fire"], 0.0) / _BELT_FLOW
        before = _CO + 0.5 * self._wander["co"].value + source
        for i in range(3):
            self._belt_co[i] = towards(self._belt_co[i], before, dt_s, _BELT_WAY_S)
            before = self._belt_co[i]
            truth[f"co-belt-3-{i + 1}/co"] = self._belt_co[i]
        truth["dust-belt-3/dust"] = 0.4 + 0.8 * load

    def _step_fan_and_pump(self, dt_s: float, causes: Mapping[str, float]) -> None:
        truth, speed, wear = self.truth, max(self._fan_speed, 0.0), causes["fan-1.wear"]
        truth["fan-1/pressure"] = 2_400.0 * speed**2 * (1.0 + 0.3 * self._wander["air"].value)
        truth["fan-1/current"] = 12.0 + 200.0 * speed**3 + 20.0 * wear
        truth["fan-1/power"] = 1.6 * truth["fan-1/current"]
        heat = _AMBIENT + 30.0 * speed + 70.0 * wear
        self._heat["fan"] = towards(self._heat["fan"], heat, dt_s, 1_800.0 if wear < 0.05 else 500.0)
        truth["fan-1/bearing-drive"] = self._heat["fan"]
        truth["fan-1/bearing-free"] = _AMBIENT + 27.0 * speed
        truth["fan-1/vibration-drive"] = 0.2 + 1.7 * speed**2 + 12.0 * wear**1.5
        truth["fan-1/vibration-free"] = 0.2 + 1.4 * speed**2 + 2.0 * wear
        self._pump_speed = towards(self._pump_speed, causes["pump-2.speed"], dt_s, 5.0)
        pump = max(self._pump_speed, 0.0)
        flow = 60.0 * pump
        self._level = min(max(self._level + (60.0 - flow) * dt_s / 6_000.0, 0.0), 100.0)  # sump of 600 m3
        truth["pump-2/flow"] = flow
        truth["pump-2/level"] = self._level + 2.0 * math.sin(self._time_s / 900.0)
        truth["pump-2/pressure"] = 28.0 * pump**2
        truth["pump-2/current"] = 5.0 + 85.0 * pump**3
