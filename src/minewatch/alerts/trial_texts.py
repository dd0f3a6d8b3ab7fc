"""What is said of calibration gas: why an alert waits, why it calls after all, the ledger; in kk, ru, en."""

from __future__ import annotations

import math

from minewatch.alerts.texts import duration, number
from minewatch.contracts import PointInfo, Text, TrialChange, TrialStage

MESSAGE = Text(
    kk="Датчик бақылау газымен тексеріліп жатқан сияқты: ешкім шақырылмайды. Тексеруді кім жүргізіп "
    "жатқанын біліңіз; ешкім болмаса, нағыз газ деп есептеңіз.",
    ru="Похоже, датчик проверяют контрольной смесью: никто не вызывается. Узнайте, кто проверяет; если "
    "никто — считайте газ настоящим.",
    en="The meter seems to be under test with calibration gas: nobody is called. Ask who tests it; if nobody "
    "does, take the gas for real.",
)
SUSPECTED = Text(
    kk="бақылау газы болуы мүмкін: шақыру бірнеше секунд күтеді",
    ru="возможно, контрольная смесь: вызов ждёт несколько секунд",
    en="it may be calibration gas: the call waits for some seconds",
)
# why a rise is no test; {w} is the witness, {v} what it shows, {u} what was usual there
REASONS = {
    "neighbour": Text(
        "{w} датчигінде де метан {u} % → {v} % өсті",
        "метан растёт и у датчика {w}: с {u} до {v} %",
        "methane rises at {w} too: from {u} to {v} %",
    ),
    "air-low": Text(
        "{w} нүктесінде ауа {v} м/с қана",
        "воздух у {w} всего {v} м/с",
        "the air at {w} is only {v} m/s",
    ),
    "air-fell": Text(
        "{w} нүктесінде ауа {u} → {v} м/с түсті",
        "воздух у {w} упал с {u} до {v} м/с",
        "the air at {w} fell from {u} to {v} m/s",
    ),
    "pressure": Text(
        "{w} нүктесінде қысым {u} → {v} гПа өзгерді",
        "давление у {w} изменилось с {u} до {v} гПа",
        "the pressure at {w} moved from {u} to {v} hPa",
    ),
    "level": Text(
        "{x} % — бақылау газы үшін тым жоғары", "{x} % — слишком много для контрольной смеси",
        "{x} % is too much for calibration gas",
    ),
    "creep": Text(
        "газ тұрған деңгейден әрі өсіп барады: {x} %", "газ продолжает расти с установившегося уровня: {x} %",
        "the gas goes on rising from where it stood: {x} %",
    ),
    "bound": Text("тексеру тым ұзаққа созылды", "проверка длится слишком долго", "the test lasts too long"),
    "shape": Text(
        "өсу тоқтамады: баллондағы газ бірден орнығады", "рост не выравнивается, как у газа из баллона",
        "the rise does not flatten as gas from a bottle does",
    ),
    "no-air": Text(
        "ауа жылдамдығын ешбір аспап көрсетпейді", "ни один прибор не показывает скорость воздуха",
        "no instrument shows the velocity of the air",
    ),
    "no-neighbour": Text(
        "көрші метан датчигі жоқ", "нет соседнего датчика метана", "there is no other methane meter near it"
    ),
    "silent": Text(
        "{w} өлшем бермей тұр", "{w} не даёт измерений", "{w} gives no measurement"
    ),
    "rises": Text(
        "тексеруден кейін газ қайтадан бар: {x} %", "после проверки газ снова есть: {x} %",
        "there is gas again after the test: {x} %",
    ),
    "gateway": Text(
        "шлюздің өзі де дабыл көтерді", "шлюз сам поднял тревогу", "the gateway has raised the alarm itself"
    ),
    "restart": Text(
        "қызмет қайта қосылғаннан кейін тексеру туралы ештеңе белгісіз",
        "после перезапуска службы о проверке ничего не известно",
        "nothing is known of a test after the service started anew",
    ),
}  # fmt: skip


def refuted(reason: str, change: TrialChange | None, witness: str) -> Text:
    """Say why a rise is no test."""
    text = REASONS.get(reason, REASONS["bound"])
    return Text(*(_filled(getattr(text, one), change, witness, one) for one in LANGUAGES))


def waits(change: TrialChange) -> Text:
    """Say until when nobody is called, and why."""
    left = max(0, change.until_ns - change.ts_ns)
    if change.stage is TrialStage.SUSPECTED:
        return SUSPECTED
    return Text(
        kk=f"бақылау газы: {duration(left, 'kk')} ішінде кетпесе, адам шақырылады",
        ru=f"контрольная смесь: если не уйдёт за {duration(left, 'ru')}, будет вызов",
        en=f"calibration gas: a person is called unless it is gone within {duration(left, 'en')}",
    )


def tagged(change: TrialChange, point: PointInfo) -> Text:
    """Say what makes it a test."""
    made = {
        "kk": "{b} %-дан {l} %-ға баллон газындай секіріс; ауа, қысым және көрші датчиктер өзгерген жоқ",
        "ru": "скачок с {b} до {l} %, как от газа из баллона; воздух, давление и соседние датчики спокойны",
        "en": "a step from {b} to {l} % as of gas from a bottle; air, pressure and other meters are quiet",
    }
    told = {"kk": " (хабарланған)", "ru": " (о проверке объявлено)", "en": " (announced)"}
    wait = waits(change)
    return Text(
        *(
            made[one].format(b=number(change.base, one), l=number(change.level, one))
            + (told[one] if change.announced else "")
            + "; "
            + getattr(wait, one)
            for one in LANGUAGES
        )
    )


def over(change: TrialChange) -> Text:
    """Write the line of the ledger: as found, response time, recovery."""
    lines = {
        "kk": "тексеру аяқталды: көрсеткені {l} %, t90 {t}, қайту {r}, барлығы {d}",
        "ru": "проверка окончена: показал {l} %, t90 {t}, возврат {r}, всего {d}",
        "en": "the test is over: found {l} %, t90 {t}, recovery {r}, {d} in all",
    }
    if change.reason == "hole":
        lines = {one: line + UNSEEN[one] for one, line in lines.items()}
    return Text(
        *(
            lines[one].format(
                l=number(change.level, one),
                t=_seconds(change.t90_s, one),
                r=_seconds(change.recovery_s, one),
                d=duration(change.ts_ns - change.since_ns, one),
            )
            for one in LANGUAGES
        )
    )


LANGUAGES = ("kk", "ru", "en")
UNSEEN = {
    "kk": " (соңы көрінбеді: көрсетімдер үзілді)",
    "ru": " (конец не виден: показания прерывались)",
    "en": " (its end was not seen: readings stopped)",
}


def _filled(text: str, change: TrialChange | None, witness: str, language: str) -> str:
    if change is None:
        return text.format(w=witness, v="—", u="—", x="—")
    values = (change.witness_value, change.witness_usual, change.value)
    shown, usual, x = (number(value, language) for value in values)
    return text.format(w=witness, v=shown, u=usual, x=x)


def _seconds(value: float, language: str) -> str:
    if not math.isfinite(value):
        return "—"
    return f"{number(round(value, 1), language)} {'с' if language != 'en' else 's'}"
