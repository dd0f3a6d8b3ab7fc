"""A demonstration open pit: haul road, blasts, crusher, excavator and three trucks. It is no real mine.

Sizes and rates are engineering assumptions, unverified, chosen so that a calm shift stays below every limit;
where a figure or a law has a source, the comment names it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from minewatch_sim.instruments import Spec
from minewatch_sim.physics import SiteSpec, Wander, towards, trapezoid

SITE = "ekibastuz-demo"
TRUCKS = ("truck-12", "truck-14", "truck-17")

CAUSES = {
    "pit.blast": 0.0,  # 1: the fumes of a blast come out at 100 g/s of nitrogen oxides
    "pit.wind-speed": 4.0,  # m/s
    "pit.wind-direction": 240.0,  # degrees the wind comes from
    "pit.watering": 1.0,  # 1: the haul road is wet, 0: dry
    "crusher-1.wear": 0.0,
    "crusher-1.spray": 1.0,
    "excavator-4.wear": 0.0,
    **{f"{truck}.coolant": 1.0 for truck in TRUCKS},  # share of the cooling that works
    **{f"{truck}.oil": 1.0 for truck in TRUCKS},  # share of the oil pressure
    **{f"{truck}.tyre": 1.0 for truck in TRUCKS},  # share of the pressure of the front left tyre
}

_HAUL_S = 1_500.0  # load, haul, dump and return
_AMBIENT = 12.0

# Gas stations: (device, zone, bearing from the blast in degrees, distance in m)
_GAS = (("gas-north", "pit/blast", 60.0, 350.0), ("gas-camp", "pit/camp", 200.0, 600.0))
_SPREAD = 25.0  # degrees: half width of the fumes
_NO2_SHARE = 0.35  # of the nitrogen oxides, by mass as NO2: orange fumes


def _gas_station(device: str, zone: str) -> tuple[Spec, ...]:
    return (
        Spec(device, "nox", "nitrogen_oxides", "mg/m³", zone, 0.0, 200.0, 0.01, 0.01, 15.0),
        Spec(device, "no2", "nitrogen_dioxide", "mg/m³", zone, 0.0, 100.0, 0.01, 0.005, 15.0),
        Spec(device, "co", "carbon_monoxide", "ppm", zone, 0.0, 500.0, 0.1, 0.1, 15.0),
        Spec(device, "so2", "sulphur_dioxide", "mg/m³", zone, 0.0, 100.0, 0.01, 0.01, 15.0),
    )


def _dust_station(device: str, zone: str) -> tuple[Spec, ...]:
    return (
        Spec(device, "dust", "dust", "mg/m³", zone, 0.0, 100.0, 0.01, 0.02, 20.0),
        Spec(device, "pm10", "dust_pm10", "mg/m³", zone, 0.0, 20.0, 0.001, 0.004, 20.0),
        Spec(device, "pm2-5", "dust_pm2_5", "mg/m³", zone, 0.0, 20.0, 0.001, 0.002, 20.0),
    )


def _truck(device: str) -> tuple[Spec, ...]:
    zone = f"pit/{device}"
    return (
        Spec(device, "engine", "engine_temperature", "°C", zone, -40.0, 200.0, 0.1, 0.2, 10.0),
        Spec(device, "oil", "oil_pressure", "kPa", zone, 0.0, 1_000.0, 1.0, 4.0),
        Spec(device, "tyre-front-left", "tyre_pressure", "kPa", zone, 0.0, 1_500.0, 1.0, 1.0),
        Spec(device, "tyre-front-right", "tyre_pressure", "kPa", zone, 0.0, 1_500.0, 1.0, 1.0),
        Spec(device, "suspension-left", "pressure", "bar", zone, 0.0, 250.0, 0.1, 0.6),
        Spec(device, "suspension-right", "pressure", "bar", zone, 0.0, 250.0, 0.1, 0.6),
        Spec(device, "speed", "speed", "km/h", zone, 0.0, 80.0, 0.1, 0.3),
    )


SPEC = SiteSpec(
    SITE,
    {
        "gw-pit": (
            *_dust_station("dust-road", "pit/haul-road"),
            *_dust_station("dust-crusher", "pit/crusher"),
            *(spec for device, zone, _, _ in _GAS for spec in _gas_station(device, zone)),
            Spec("weather", "wind-speed", "wind_speed", "m/s", "pit", 0.0, 60.0, 0.1, 0.2),
            Spec("weather", "wind-direction", "wind_direction", "°", "pit", 0.0, 360.0, 1.0, 3.0),
            Spec("weather", "temperature", "temperature", "°C", "pit", -50.0, 60.0, 0.1, 0.05, 30.0),
            Spec("weather", "humidity", "humidity", "%RH", "pit", 0.0, 100.0, 0.1, 0.3, 30.0),
            Spec("weather", "pressure", "barometric_pressure", "hPa", "pit", 800.0, 1_100.0, 0.1, 0.05),
            Spec("crusher-1", "current", "current", "A", "pit/crusher", 0.0, 500.0, 0.1, 2.0),
            Spec(
                "crusher-1",
                "bearing",
                "bearing_temperature",
                "°C",
                "pit/crusher",
                -40.0,
                200.0,
                0.1,
                0.1,
                20.0,
            ),
            Spec(
                "crusher-1", "vibration", "vibration_velocity", "mm/s", "pit/crusher", 0.0, 50.0, 0.01, 0.08
            ),
        ),
        "gw-fleet": (
            *(spec for truck in TRUCKS for spec in _truck(truck)),
            Spec("excavator-4", "current", "current", "A", "pit/excavator-4", 0.0, 1_000.0, 1.0, 4.0),
            Spec("excavator-4", "hydraulics", "pressure", "bar", "pit/excavator-4", 0.0, 500.0, 0.1, 2.0),
            Spec(
                "excavator-4",
                "bearing",
                "bearing_temperature",
                "°C",
                "pit/excavator-4",
                -40.0,
                200.0,
                0.1,
                0.1,
            ),
            Spec(
                "excavator-4",
                "vibration",
                "vibration_velocity",
                "mm/s",
                "pit/excavator-4",
                0.0,
                50.0,
                0.01,
                0.06,
            ),
        ),
    },
    CAUSES,
)


class OpenPit:
    """The air and the machines of the pit."""

    causes: Mapping[str, float] = CAUSES

    def __init__(self, seed: int) -> None:
        self.truth: dict[str, float] = {}
        self._time_s = 0.0
        self._wander = {
            name: Wander(f"{seed}/{SITE}/{name}", sigma, tau_s)
            for name, sigma, tau_s in (
                ("wind", 0.15, 60.0),
                ("turn", 6.0, 120.0),
                ("dust", 0.2, 90.0),
                ("load", 0.08, 30.0),
                ("pressure", 2.0, 6 * 3_600.0),
            )
        }
        self._nox = [0.12] * len(_GAS)
        self._road = 0.35
        self._crusher_dust = 0.6
        # Settled at the start, so that a scenario begins on a running pit and not on a cold one.
        self._engine = dict.fromkeys(TRUCKS, 84.0)
        self._crusher_heat, self._excavator_heat = 52.0, 48.0
        self.step(1e-6, CAUSES)

    def step(self, dt_s: float, causes: Mapping[str, float]) -> None:
        """Go on by some seconds."""
        self._time_s += dt_s
        for wander in self._wander.values():
            wander.step(dt_s)
        wind, comes_from = self._step_weather(causes)
        self._step_fumes(dt_s, causes, wind, comes_from)
        self._step_dust(dt_s, causes, wind)
        for i, truck in enumerate(TRUCKS):
            self._step_truck(dt_s, causes, truck, i / len(TRUCKS))
        self._step_machines(dt_s, causes)

    def _step_weather(self, causes: Mapping[str, float]) -> tuple[float, float]:
        wind = max(0.3, causes["pit.wind-speed"] * (1.0 + self._wander["wind"].value))
        comes_from = (causes["pit.wind-direction"] + self._wander["turn"].value) % 360.0
        truth = self.truth
        truth["weather/wind-speed"] = wind
        truth["weather/wind-direction"] = comes_from
        truth["weather/temperature"] = _AMBIENT
        truth["weather/humidity"] = 45.0
        truth["weather/pressure"] = 998.0 + self._wander["pressure"].value
        return wind, comes_from

    def _step_fumes(self, dt_s: float, causes: Mapping[str, float], wind: float, comes_from: float) -> None:
        """Carry the fumes of a blast to the stations: a plume that the wind turns, thins and delays.

        The peak falls with distance^1.8 and wind speed, about as a Gaussian plume in neutral air
        (Pasquill class D) does; exponent and width are engineering assumptions, unverified.
        """
        rate = 100.0 * max(causes["pit.blast"], 0.0)  # g/s
        for i, (device, _, bearing, distance) in enumerate(_GAS):
            off = (comes_from + 180.0 - bearing + 180.0) % 360.0 - 180.0  # from the station's direction
            aligned = math.exp(-0.5 * (off / _SPREAD) ** 2)
            peak = 1e3 * rate * aligned / (math.pi * wind * 0.35 * distance**1.8 / 10.0)  # mg/m3
            self._nox[i] = towards(self._nox[i], 0.12 + peak, dt_s, distance / wind / 3.0)
            nox = self._nox[i]
            truth = self.truth
            truth[f"{device}/nox"] = nox
            truth[f"{device}/no2"] = nox * _NO2_SHARE
            truth[f"{device}/co"] = 0.6 + 0.7 * (nox - 0.12)
            truth[f"{device}/so2"] = 0.05

    def _step_dust(self, dt_s: float, causes: Mapping[str, float], wind: float) -> None:
        truth, gust = self.truth, 1.0 + self._wander["dust"].value
        dry = 1.0 - 0.9 * min(max(causes["pit.watering"], 0.0), 1.0)
        self._road = towards(self._road, (0.15 + 6.0 * dry * wind / 4.0) * max(gust, 0.2), dt_s, 60.0)
        open_ = 1.0 - 0.93 * min(max(causes["crusher-1.spray"], 0.0), 1.0)
        self._crusher_dust = towards(self._crusher_dust, (0.2 + 9.0 * open_) * max(gust, 0.2), dt_s, 40.0)
        for device, dust in (("dust-road", self._road), ("dust-crusher", self._crusher_dust)):
            truth[f"{device}/dust"] = dust
            truth[f"{device}/pm10"] = 0.25 * dust
            truth[f"{device}/pm2-5"] = 0.06 * dust

    def _step_truck(self, dt_s: float, causes: Mapping[str, float], truck: str, offset: float) -> None:
        phase = (self._time_s / _HAUL_S + offset) % 1.0
        loaded = 1.0 if phase < 0.5 else 0.0
        driving = trapezoid(phase % 0.5 * 2.0, 0.15, 0.8, 0.9)
        work = driving * (0.9 if loaded else 0.45)
        cooling = min(max(causes[f"{truck}.coolant"], 0.0), 1.0)
        goal = 80.0 + 10.0 * work + 55.0 * (1.0 - cooling)
        self._engine[truck] = towards(self._engine[truck], goal, dt_s, 240.0)
        truth = self.truth
        truth[f"{truck}/engine"] = self._engine[truck]
        truth[f"{truck}/oil"] = (260.0 + 160.0 * driving) * causes[f"{truck}.oil"]
        warm = 20.0 * work
        truth[f"{truck}/tyre-front-left"] = (690.0 + warm) * causes[f"{truck}.tyre"]
        truth[f"{truck}/tyre-front-right"] = 692.0 + warm
        bump = 6.0 * driving * math.sin(self._time_s * 0.9)
        truth[f"{truck}/suspension-left"] = 42.0 + 48.0 * loaded + bump
        truth[f"{truck}/suspension-right"] = 43.0 + 48.0 * loaded - bump
        truth[f"{truck}/speed"] = driving * (18.0 if loaded else 32.0)

    def _step_machines(self, dt_s: float, causes: Mapping[str, float]) -> None:
        truth, load = self.truth, 1.0 + self._wander["load"].value
        wear = causes["crusher-1.wear"]
        truth["crusher-1/current"] = 210.0 * load + 30.0 * wear
        self._crusher_heat = towards(self._crusher_heat, 52.0 + 75.0 * wear, dt_s, 500.0)
        truth["crusher-1/bearing"] = self._crusher_heat
        truth["crusher-1/vibration"] = 2.4 + 0.04 * load + 10.0 * wear**1.5
        wear = causes["excavator-4.wear"]
        dig = 0.5 + 0.5 * math.sin(self._time_s * 2.0 * math.pi / 40.0)  # one bucket in 40 s
        truth["excavator-4/current"] = 180.0 + 260.0 * dig
        truth["excavator-4/hydraulics"] = 90.0 + 180.0 * dig
        self._excavator_heat = towards(self._excavator_heat, 48.0 + 75.0 * wear, dt_s, 500.0)
        truth["excavator-4/bearing"] = self._excavator_heat
        truth["excavator-4/vibration"] = 1.9 + 0.1 * dig + 10.0 * wear**1.5
