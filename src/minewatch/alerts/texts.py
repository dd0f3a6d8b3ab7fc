"""Say in three languages why an alert was raised or has returned: value, unit, limit, duration."""

from __future__ import annotations

import math

from minewatch.alerts.rule import EVERY, Binding
from minewatch.contracts import Comparison, Text

SIGNS = {
    Comparison.ABOVE: ">",
    Comparison.AT_OR_ABOVE: "≥",
    Comparison.BELOW: "<",
    Comparison.AT_OR_BELOW: "≤",
}
# detectors of several points: their statistic is in times of what is usual, or allowed, at most
TOGETHER = (
    "mahalanobis", "pca", "isolation-forest", "neighbours", "airflow-gas", "model-drift", "mixture", "drift",
    "response",
)  # fmt: skip
# of a gateway as a whole
GATEWAY = ("gateway-silent", "gateway-frozen", "gateway-clock")
# what the statistic of a detector is called: kk, ru, en
STATISTICS = {
    "value": Text("өлшенген мән", "измерено", "measured"),
    "mean-15min": Text("15 минуттық орташа", "среднее за 15 мин", "15 min mean"),
    "twa-8h": Text("8 сағаттық орташа", "среднее за 8 ч", "8 h average"),
    "shift-mean": Text("ауысымдық орташа", "среднесменное", "shift mean"),
    "rate-of-rise": Text("өсу жылдамдығы", "скорость роста", "rate of rise"),
    "rate-error": Text(
        "өсу жылдамдығының қателігі", "погрешность скорости роста", "error of the rate of rise"
    ),
    "robust-z": Text("медианадан ауытқу", "отклонение от медианы", "departure from the median"),
    "level-shift": Text("деңгейдің сатылы өзгеруі", "ступень уровня", "step of level"),
    "ewma": Text("әдеттегіден ауытқу (EWMA)", "отклонение от обычного (EWMA)", "departure from usual (EWMA)"),
    "cusum": Text("деңгейдің ығысуы (CUSUM)", "сдвиг уровня (CUSUM)", "shift of level (CUSUM)"),
    "novelty": Text(
        "бұрын болмаған мән (жаңалығы)", "небывалое значение (новизна)", "not seen before (novelty)"
    ),
    "stuck": Text("мән өзгермеген уақыт", "значение не менялось", "value unchanged for"),
    "frozen": Text(
        "әдеттегіден неше есе ұзақ өзгеріссіз", "стоит дольше обычного, раз", "at rest, times usual"
    ),
    "leap": Text("аспап жылдамдығынан неше есе", "быстрее прибора, раз", "speed, times the instrument's"),
    "coverage-15min": Text(
        "15 минуттың өлшенген үлесі", "измеренная доля 15 мин", "share of 15 min measured"
    ),
    "coverage-8h": Text("8 сағаттың өлшенген үлесі", "измеренная доля 8 ч", "share of 8 h measured"),
    "coverage-shift": Text("ауысымның өлшенген үлесі", "измеренная доля смены", "share of shift measured"),
    "ambient": Text("фон", "фон", "ambient"),
    "above-ambient": Text("фоннан жоғары", "выше фона", "above ambient"),
    "noise-dose-5db": Text("шу дозасы (5 дБ)", "доза шума (5 дБ)", "noise dose (5 dB)"),
    "noise-dose-3db": Text("шу дозасы (3 дБ)", "доза шума (3 дБ)", "noise dose (3 dB)"),
    "gap": Text("сигнал жоқ уақыт", "нет сигнала", "no signal for"),
    "forecast": Text("жақында күтілетін мән", "ожидается вскоре", "expected soon"),
    "wear": Text("бастапқы деңгейден өзгерістер", "изменений против исходного", "changes over its baseline"),
    **dict.fromkeys(
        TOGETHER,
        Text("әдеттегі шекке қатынасы", "кратность обычной границе", "times the usual bound"),
    ),
    **dict.fromkeys(GATEWAY[:2], Text("нүктелердің үлесі", "доля точек", "share of points")),
    "gateway-clock": Text("сағат айырмасы", "часы расходятся на", "clock off by"),
    "mixture": Text("қоспа шегінің үлесі", "доля предела смеси", "share of the mixture's limit"),
    "link": Text("байланыс жоқ уақыт", "нет связи", "no link for"),
}
UNITS = {
    "rate-of-rise": "{unit}/min",
    "rate-error": "{unit}/min",
    "robust-z": "σ",
    "level-shift": "σ",
    "ewma": "σ",
    "cusum": "σ",
    "range": "1",
    "sentinel": "1",
    "novelty": "1",
    "frozen": "1",
    "leap": "1",
    "coverage-15min": "1",
    "coverage-8h": "1",
    "coverage-shift": "1",
    "noise-dose-5db": "%",
    "noise-dose-3db": "%",
    "stuck": "s",
    "gap": "s",
    "wear": "1",
    **dict.fromkeys((*TOGETHER, *GATEWAY[:2]), "1"),
    "gateway-clock": "s",
}
TIMES = ("gap", "stuck", "link", "gateway-clock")  # statistics that are a number of seconds
FLAGS = {
    "range": Text(
        "көрсетім аспаптың өлшеу ауқымынан тыс",
        "показание вне диапазона прибора",
        "the reading is outside the instrument's range",
    ),
    "sentinel": Text(
        "аспап өлшемнің орнына ақау кодын береді",
        "прибор передаёт код неисправности вместо измерения",
        "the instrument sends a fault code instead of a measurement",
    ),
}
AGAIN = Text("көрсетімдер қайта келіп тұр", "показания снова поступают", "usable readings arrive again")


def statistic_unit(detector: str, unit: str) -> str:
    """Return the unit of a detector's statistic for readings in ``unit``."""
    return UNITS.get(detector, "{unit}").format(unit=unit)


def shown(said: str, most: int) -> str:
    """Return what a stranger wrote, cut and printable: halves of surrogate pairs can be stored nowhere."""
    return "".join(c if c.isprintable() else " " for c in said[:most])


def number(value: float, language: str) -> str:
    """Write a number as people of the language do: at most four figures, comma in kk and ru."""
    if not math.isfinite(value):
        return "—"
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text if language == "en" else text.replace(".", ",")


def joined(first: Text, second: Text) -> Text:
    """Return one after the other."""
    return Text(*(f"{getattr(first, one).rstrip('.')}; {getattr(second, one)}" for one in ("kk", "ru", "en")))


def duration(nanoseconds: int, language: str) -> str:
    """Write a duration in its one or two largest units: 45 s, 12 min 5 s, 3 h 20 min."""
    names = {"kk": ("сағ", "мин", "с"), "ru": ("ч", "мин", "с"), "en": ("h", "min", "s")}[language]
    seconds = max(0, round(nanoseconds / 1e9))
    parts = (seconds // 3600, seconds // 60 % 60, seconds % 60)
    first = next((i for i, part in enumerate(parts) if part), 2)
    shown = [f"{parts[i]} {names[i]}" for i in range(first, min(first + 2, 3)) if parts[i] or i == first]
    return " ".join(shown)


def raised(binding: Binding, value: float, lasted_ns: int) -> Text:
    """Return why an alert was raised: the statistic against its limit, and for how long."""
    if binding.rule.detector in TIMES:
        lasted_ns = 0  # the statistic itself says how long
    return Text(
        kk=_condition(binding, value, "kk") + _since(lasted_ns, "kk", "шарт {} бойы тұр"),
        ru=_condition(binding, value, "ru") + _since(lasted_ns, "ru", "условие держится {}"),
        en=_condition(binding, value, "en") + _since(lasted_ns, "en", "has lasted {}"),
    )


def cleared(binding: Binding, value: float, lasted_ns: int) -> Text:
    """Return what is said when the condition is over: the statistic now and how long it lasted."""
    return Text(
        kk="қалыпқа келді: " + _now(binding, value, "kk") + _since(lasted_ns, "kk", "{} созылды"),
        ru="вернулось в норму: " + _now(binding, value, "ru") + _since(lasted_ns, "ru", "длилось {}"),
        en="back to normal: " + _now(binding, value, "en") + _since(lasted_ns, "en", "it lasted {}"),
    )


def _since(lasted_ns: int, language: str, frame: str) -> str:
    return "; " + frame.format(duration(lasted_ns, language)) if lasted_ns >= 500_000_000 else ""


def _condition(binding: Binding, value: float, language: str) -> str:
    rule = binding.rule
    if rule.detector in FLAGS:
        return str(getattr(FLAGS[rule.detector], language))
    limit = _amount(binding, rule.threshold_at(binding.point), language)
    word = {"kk": "шек", "ru": "предел", "en": "limit"}[language]
    sure = ""
    if rule.measured():
        name = {"kk": "сенімділік ықтималдығы", "ru": "доверительная вероятность", "en": "confidence"}[
            language
        ]
        sure = f", {name} {number(100 * rule.confidence, language)} %"
    return f"{_statistic(binding, value, language)} ({word} {SIGNS[rule.comparison]} {limit}{sure})"


def _now(binding: Binding, value: float, language: str) -> str:
    detector = binding.rule.detector
    if detector in FLAGS or detector in TIMES:
        return str(getattr(AGAIN, language))
    return _statistic(binding, value, language)


def _statistic(binding: Binding, value: float, language: str) -> str:
    detector = binding.rule.detector
    name = STATISTICS.get(detector)
    said = getattr(name, language) if name else detector
    return f"{said} {_amount(binding, value, language)}"


def _amount(binding: Binding, value: float, language: str) -> str:
    rule = binding.rule
    if rule.detector in TIMES and math.isfinite(value):
        return duration(round(value * 1e9), language)
    unit = statistic_unit(rule.detector, binding.point.unit if rule.unit == EVERY else rule.unit)
    if language != "en" and unit.endswith("/min"):
        unit = unit.removesuffix("min") + "мин"
    return number(value, language) if unit == "1" else f"{number(value, language)} {unit}"
