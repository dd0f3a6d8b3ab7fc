"""What every detector is called, what it means in three languages, its unit and its parameters.

The order is the detector id in ``LimitTable`` and ``ScoreBatch``. Reading this needs no numba.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from minewatch.contracts import Text
from minewatch.detect.settings import DetectSettings
from minewatch.detect.trial_settings import TestGasSettings
from minewatch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting of a detector; ``name`` is its key in the settings of the detect room."""

    name: str
    unit: str
    default: float | tuple[float, ...] | dict[str, float]
    meaning: str


@dataclass(frozen=True, slots=True)
class Detector:
    """One detector; ``unit_rule`` is the unit of its statistic, where ``{unit}`` is the unit of the point."""

    id: int
    name: str
    title: Text
    meaning: Text
    unit_rule: str
    parameters: tuple[Parameter, ...] = ()

    def unit(self, point_unit: str) -> str:
        """Return the unit of the statistic, and so of its limits, for a point of this unit."""
        return self.unit_rule.replace("{unit}", point_unit)


_UNITS = {
    "utc_offset_h": "h",
    "shift_starts_h": "h",
    "memory_readings": "readings",
    "warm_up_readings": "readings",
    "clip_sigmas": "σ",
    "cusum_slack": "σ",
    "cusum_cap": "σ",
    "cusum_half_score": "σ",
    "ewma_half_score": "σ",
    "robust_readings": "readings",
    "novelty_memory_readings": "readings",
    "novelty_warm_up_readings": "readings",
    "novelty_gate_readings": "readings",
    "novelty_floor_steps": "steps",
    "decide_s": "s",
    "bound_s": "s",
    "announced_bound_s": "s",
    "least_pct": "% CH4",
    "most_pct": "% CH4",
    "neighbour_rise_pct": "% CH4",
    "air_least_m_s": "m/s",
    "pressure_hpa": "hPa",
    "frozen_least_readings": "readings",
    "frozen_warm_up_rests": "rests",
    "fastest": "{unit}/s",
    "ambient_memory_h": "h",
    "ambient_free_h": "h",
    "ambient_rise": "{unit}/h",
    "noise_5db_criterion": "dBA",
    "noise_5db_threshold": "dBA",
    "noise_3db_criterion": "dBA",
}


def _parameters(*names: str) -> tuple[Parameter, ...]:
    fields = DetectSettings.model_fields
    return tuple(
        Parameter(
            n,
            _UNITS.get(n, "s" if n.endswith("_s") else "1"),
            fields[n].get_default(call_default_factory=True),
            str(fields[n].description),
        )
        for n in names
    )


_CHART = ("memory_readings", "warm_up_readings", "noise_floor", "clip_sigmas")

DETECTORS: tuple[Detector, ...] = (
    Detector(
        0,
        "value",
        Text(kk="Мән", ru="Значение", en="Value"),
        Text(
            kk="Көрсеткіштің өзі, әр өлшемде.",
            ru="Само показание, при каждом измерении.",
            en="The reading itself, each time it is measured.",
        ),
        "{unit}",
    ),
    Detector(
        1,
        "mean-15min",
        Text(kk="15 минуттық орташа", ru="Среднее за 15 минут", en="15-minute mean"),
        Text(
            kk="Соңғы 15 минуттың уақыт бойынша өлшенген орташасы; терезенің кемінде 75 %-ы өлшенген болса.",
            ru="Среднее за последние 15 минут, взвешенное по времени; если измерено не менее 75 % окна.",
            en="The time-weighted mean of the last 15 minutes, if at least 75 % of them were measured.",
        ),
        "{unit}",
        _parameters("coverage", "default_interval_s"),
    ),
    Detector(
        2,
        "twa-8h",
        Text(kk="8 сағаттық экспозиция", ru="Средневзвешенное за 8 часов", en="8-hour time-weighted average"),
        Text(
            kk="Соңғы 8 сағаттағы мән × уақыт қосындысы 8 сағатқа бөлінеді; өлшенбеген уақыт — нөл.",
            ru="Сумма значение × время за последние 8 часов, делённая на 8 часов; неизмеренное — ноль.",
            en="The sum of value x time over the last 8 hours, divided by 8 hours; unmeasured time is zero.",
        ),
        "{unit}",
        _parameters("default_interval_s"),
    ),
    Detector(
        3,
        "shift-mean",
        Text(kk="Ауысым орташасы", ru="Среднее за смену", en="Shift mean"),
        Text(
            kk="Ауысым басынан бергі уақыт бойынша өлшенген орташа.",
            ru="Среднее с начала смены, взвешенное по времени.",
            en="The time-weighted mean since the shift began.",
        ),
        "{unit}",
        _parameters("utc_offset_h", "shift_starts_h", "shift_least_s", "coverage", "default_interval_s"),
    ),
    Detector(
        4,
        "rate-of-rise",
        Text(kk="Өсу жылдамдығы", ru="Скорость роста", en="Rate of rise"),
        Text(
            kk="Мән минутына қаншаға өседі; бір кездейсоқ көрсеткіш әсер етпейді.",
            ru="На сколько значение растёт за минуту; одиночный выброс не влияет.",
            en="How much the value rises per minute; a single wild reading does not move it.",
        ),
        "{unit}/min",
        _parameters("rate_window_s"),
    ),
    Detector(
        5,
        "ewma",
        Text(kk="Әдеттегіден ауытқу", ru="Отклонение от обычного", en="Departure from usual"),
        Text(
            kk="Көрсеткіш өзінің әдеттегі мәнінен неше сигмаға ауытқиды (таңбасымен).",
            ru="На сколько сигм показание отличается от своего обычного значения (со знаком).",
            en="How many sigmas the reading lies from its usual value (signed).",
        ),
        "σ",
        _parameters(*_CHART, "ewma_half_score"),
    ),
    Detector(
        6,
        "cusum",
        Text(kk="Деңгейдің жылжуы", ru="Сдвиг уровня", en="Level shift"),
        Text(
            kk="Екі жаққа да жинақталған аз, бірақ тұрақты ауытқулар (CUSUM), сигмамен.",
            ru="Накопленные малые, но устойчивые отклонения в любую сторону (CUSUM), в сигмах.",
            en="Small but steady departures to either side, added up (CUSUM), in sigmas.",
        ),
        "σ",
        _parameters(*_CHART, "cusum_slack", "cusum_cap", "cusum_half_score"),
    ),
    Detector(
        7,
        "range",
        Text(kk="Ауқымнан тыс", ru="Вне диапазона", en="Out of range"),
        Text(
            kk="1 — мән аспаптың өлшеу ауқымынан тыс, 0 — ішінде.",
            ru="1 — значение вне диапазона прибора, 0 — внутри.",
            en="1 when the value lies outside the instrument's range, else 0.",
        ),
        "1",
    ),
    Detector(
        8,
        "sentinel",
        Text(kk="Өлшем емес", ru="Не измерение", en="Not a measurement"),
        Text(
            kk="1 — аспап қате кодын, сан емес мәнді немесе жарамсыз белгісін жіберді, 0 — өлшем бар.",
            ru="1 — прибор прислал код ошибки, не число или признак негодности, 0 — измерение есть.",
            en="1 when the instrument sent an error code, no number or a bad mark, 0 when it measured.",
        ),
        "1",
    ),
    Detector(
        9,
        "stuck",
        Text(kk="Өзгермейді", ru="Не меняется", en="Unchanged"),
        Text(
            kk="Мән аспаптың жарты қадамынан көп өзгермеген секундтар.",
            ru="Сколько секунд значение не менялось больше чем на полшага прибора.",
            en="For how many seconds the value has not moved by more than half a step of the instrument.",
        ),
        "s",
        _parameters("stuck_after_s", "default_interval_s"),
    ),
    Detector(
        10,
        "gap",
        Text(kk="Үнсіздік", ru="Молчание", en="Silence"),
        Text(
            kk="Соңғы көрсеткіштен бергі секундтар.",
            ru="Сколько секунд нет показаний.",
            en="How many seconds have passed since the last reading.",
        ),
        "s",
    ),
    Detector(
        11,
        "novelty",
        Text(kk="Бұрын болмаған мән", ru="Небывалое значение", en="Value not seen before"),
        Text(
            kk="Мән жақында көрілгендердің бәрінен және аптаның осы сағатындағы әдеттегіден қаншалықты алыс; "
            "1 — дабыл шегі.",
            ru="Насколько значение далеко от всего недавнего и от обычного для этого часа недели; "
            "1 — порог тревоги.",
            en="How far the value lies from all seen lately and from the usual of this hour of the week; "
            "1 is the bar.",
        ),
        "1",
        _parameters(*(n for n in DetectSettings.model_fields if n.startswith("novelty_"))),
    ),
    Detector(
        12,
        "forecast",
        Text(kk="Болжам", ru="Прогноз", en="Forecast"),
        Text(
            kk="Болжам мерзімі ішінде күтілетін ең үлкен мән; болжам өзін ақтамаса — көрсеткіштің өзі.",
            ru="Наибольшее ожидаемое значение до горизонта; где прогноз не оправдан — само показание.",
            en="The largest value expected until the horizon; the reading itself where forecasts do not pay.",
        ),
        "{unit}",
        _parameters("forecast_horizon_s", "forecast_coverage"),
    ),
    Detector(
        13,
        "wear",
        Text(kk="Тозу", ru="Износ", en="Wear"),
        Text(
            kk="Деңгей бастапқы қалпынан неше елеулі өзгеріске (базаның төрттен біріне) өсті.",
            ru="На сколько значимых изменений (четверть базового уровня) уровень выше исходного.",
            en="By how many significant changes (a quarter of the baseline) the level exceeds its baseline.",
        ),
        "1",
        _parameters("wear_baseline_s"),
    ),
    Detector(
        14,
        "frozen",
        Text(kk="Қатып қалған", ru="Застыло", en="Frozen"),
        Text(
            kk="Мән осы нүкте үшін әдеттегіден неше есе ұзақ өзгермей тұр; 1-ден бастап сенімсіз.",
            ru="Во сколько раз дольше обычного для этой точки стоит значение; от 1 — сомнительно.",
            en="How many times longer than what is usual for it the value has rested; from 1 on doubtful.",
        ),
        "1",
        _parameters(
            "frozen_factor",
            "frozen_least_s",
            "frozen_least_readings",
            "frozen_warm_up_rests",
            "frozen_fade_s",
            "frozen_growth",
            "saturated_after_s",
            "stuck_after_s",
        ),
    ),
    Detector(
        15,
        "leap",
        Text(kk="Мүмкін емес секіріс", ru="Невозможный скачок", en="Impossible leap"),
        Text(
            kk="Мән аспап мүмкіндігінен неше есе тез өзгерді; 1-ден жоғары — мүмкін емес.",
            ru="Во сколько раз быстрее, чем может прибор, изменилось значение; больше 1 — невозможно.",
            en="How many times faster than its instrument can move the value moved; above 1 is impossible.",
        ),
        "1",
        _parameters("fastest"),
    ),
    Detector(
        16,
        "coverage-15min",
        Text(kk="15 минуттың өлшенген үлесі", ru="Измеренная доля 15 минут", en="Coverage of 15 minutes"),
        Text(
            kk="Соңғы 15 минуттың қандай үлесі өлшенді.",
            ru="Какая доля последних 15 минут измерена.",
            en="Which share of the last 15 minutes was measured.",
        ),
        "1",
        _parameters("default_interval_s"),
    ),
    Detector(
        17,
        "coverage-8h",
        Text(kk="8 сағаттың өлшенген үлесі", ru="Измеренная доля 8 часов", en="Coverage of 8 hours"),
        Text(
            kk="Соңғы 8 сағаттың қандай үлесі өлшенді.",
            ru="Какая доля последних 8 часов измерена.",
            en="Which share of the last 8 hours was measured.",
        ),
        "1",
        _parameters("default_interval_s"),
    ),
    Detector(
        18,
        "coverage-shift",
        Text(kk="Ауысымның өлшенген үлесі", ru="Измеренная доля смены", en="Coverage of the shift"),
        Text(
            kk="Ауысым басынан бергі уақыттың қандай үлесі өлшенді.",
            ru="Какая доля времени с начала смены измерена.",
            en="Which share of the shift so far was measured.",
        ),
        "1",
        _parameters("utc_offset_h", "shift_starts_h", "default_interval_s"),
    ),
    Detector(
        19,
        "ambient",
        Text(kk="Фон", ru="Фон", en="Ambient"),
        Text(
            kk="Ауа ағынындағы газдың әдеттегі деңгейі (фоны), сағат сайын жазылады.",
            ru="Обычный уровень (фон) газа в струе воздуха, записывается каждый час.",
            en="The usual level of a gas in its air course, recorded every hour.",
        ),
        "{unit}",
        _parameters("ambient_memory_h", "ambient_free_h", "ambient_rise", "ambient_least_s"),
    ),
    Detector(
        20,
        "above-ambient",
        Text(kk="Фоннан жоғары", ru="Выше фона", en="Above ambient"),
        Text(
            kk="Көрсеткіш ауа ағынының фонынан қаншаға жоғары.",
            ru="На сколько показание выше фона струи воздуха.",
            en="How far the reading lies above the ambient of its air course.",
        ),
        "{unit}",
        _parameters("ambient_memory_h", "ambient_free_h", "ambient_rise", "ambient_least_s"),
    ),
    Detector(
        21,
        "noise-dose-5db",
        Text(kk="Шу дозасы, 5 дБ", ru="Доза шума, 5 дБ", en="Noise dose, 5 dB exchange"),
        Text(
            kk="Ауысымның шу дозасы, пайызбен; әр 5 дБ рұқсат етілген уақытты екі есе азайтады.",
            ru="Доза шума за смену, в процентах; каждые 5 дБ допустимое время вдвое меньше.",
            en="Noise dose of the shift, in per cent; each 5 dB halve the time allowed.",
        ),
        "%",
        _parameters("noise_5db_criterion", "noise_5db_threshold", "utc_offset_h", "shift_starts_h"),
    ),
    Detector(
        22,
        "noise-dose-3db",
        Text(kk="Шу дозасы, 3 дБ", ru="Доза шума, 3 дБ", en="Noise dose, 3 dB exchange"),
        Text(
            kk="Ауысымның шу дозасы, пайызбен; әр 3 дБ рұқсат етілген уақытты екі есе азайтады.",
            ru="Доза шума за смену, в процентах; каждые 3 дБ допустимое время вдвое меньше.",
            en="Noise dose of the shift, in per cent; each 3 dB halve the time allowed.",
        ),
        "%",
        _parameters("noise_3db_criterion", "utc_offset_h", "shift_starts_h"),
    ),
    Detector(
        23,
        "rate-error",
        Text(
            kk="Өсу жылдамдығының қателігі", ru="Погрешность скорости роста", en="Error of the rate of rise"
        ),
        Text(
            kk="Өсу жылдамдығының стандартты қателігі: көрсеткіштердің өз түзуінен шашырауы бойынша.",
            ru="Стандартная погрешность скорости роста: по разбросу показаний около их прямой.",
            en="The standard error of the rate of rise, from how the readings scatter about its line.",
        ),
        "{unit}/min",
        _parameters("rate_window_s"),
    ),
    Detector(
        24,
        "robust-z",
        Text(kk="Медианадан ауытқу", ru="Отклонение от медианы", en="Departure from the median"),
        Text(
            kk="Көрсеткіш өзінің алдындағылардың медианасынан неше робастты сигмаға ауытқиды (таңбасымен).",
            ru="На сколько робастных сигм показание отличается от медианы предыдущих (со знаком).",
            en="How many robust sigmas the reading lies from the median of those before it (signed).",
        ),
        "σ",
        _parameters("robust_readings", "noise_floor"),
    ),
    Detector(
        25,
        "level-shift",
        Text(kk="Деңгейдің сатылы өзгеруі", ru="Ступень уровня", en="Step of level"),
        Text(
            kk="Соңғы терезенің медианасы алдыңғысынан неше робастты сигмаға өзгеше (таңбасымен).",
            ru="На сколько робастных сигм медиана последнего окна отличается от предыдущей (со знаком).",
            en="How many robust sigmas the median of the newest window lies from that before (signed).",
        ),
        "σ",
        _parameters("level_window_s", "noise_floor"),
    ),
)

# found beside the statistics: not one number per reading, but an episode at a meter with its witnesses
TEST_GAS = Detector(
    -1,
    "test-gas",
    Text(kk="Бақылау газы", ru="Контрольная смесь", en="Calibration gas"),
    Text(
        kk="Бір датчиктегі баллон газындай секіріс: ауа, қысым және көрші датчиктер өзгермейді.",
        ru="Скачок у одного датчика, как от газа из баллона; воздух, давление и соседние датчики спокойны.",
        en="A step at one meter as of gas from a bottle, while air, pressure and the neighbours stay quiet.",
    ),
    "{unit}",
    tuple(
        Parameter(name, _UNITS.get(name, "1"), field.default, str(field.description))
        for name, field in TestGasSettings.model_fields.items()
        if isinstance(field.default, float)
    ),
)

IDS: Mapping[str, int] = MappingProxyType({d.name: d.id for d in DETECTORS})
NAMES: tuple[str, ...] = tuple(d.name for d in DETECTORS)


def index(name: str, *, where: str = "detector") -> int:
    """Return the id of a detector. Raises ConfigError naming the known ones."""
    if name not in IDS:
        raise ConfigError(
            f"there is no detector {name!r}", where=where, mend=f"Known detectors: {', '.join(NAMES)}."
        )
    return IDS[name]
