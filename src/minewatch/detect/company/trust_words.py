"""Why a sensor is not trusted, in words: what it drifted by, what it no longer answers."""

from __future__ import annotations

from minewatch.contracts import PointInfo, Text
from minewatch.detect.company.neighbours import Sensor
from minewatch.detect.kernels.trust_layout import BY_BAROMETER, BY_NEIGHBOURS

HOUR_NS, DAY_NS = 3_600_000_000_000, 86_400_000_000_000
MOVERS = {
    BY_NEIGHBOURS: Text("көршілерінің соңғы", "изменения у соседей", "changes of its neighbours"),
    BY_BAROMETER: Text("барометрдің соңғы", "изменения барометра", "changes of the barometer"),
}


def drifted(info: PointInfo, off: float, others: int, lasted_ns: int = 0) -> Text:
    """Say by how much a sensor reads above or below its neighbours, and for how long already, if known."""
    sensor, above = Sensor(info.device or info.place, info.unit), off > 0
    by = sensor.amount(abs(off))
    kk, ru, en = _lasted(lasted_ns) if lasted_ns else ("", "", "")
    return Text(
        kk=f"{sensor.name} бұрынғымен салыстырғанда {others} көршісінің айтқанынан {by}"
        f" {'жоғары' if above else 'төмен'}{kk}.",
        ru=f"{sensor.name} показывает на {by} {'больше' if above else 'меньше'}, чем следует из показаний"
        f" соседей ({others}){ru}.",
        en=f"{sensor.name} reads {by} {'above' if above else 'below'} what {others} neighbours let expect"
        f"{en}.",
    )


def unanswered(info: PointInfo, stimulus: int, lost: float, missed: int) -> Text:
    """Say what a sensor no longer answers, and how much of its usual answer is left."""
    name, left = info.device or info.place, f"{1.0 - lost:.0%}"
    if stimulus not in MOVERS:
        return Text(
            kk=f"{name} сынақ газының әдеттегі көрсетімінен {left} ғана көрсетеді.",
            ru=f"{name} показывает лишь {left} от того, что обычно показывал на проверочном газе.",
            en=f"{name} shows only {left} of what it usually showed of test gas.",
        )
    mover = MOVERS[stimulus]
    so_many = f" ({missed})" if missed else ""  # in brackets: right in every language for every number
    return Text(
        kk=f"{name} {mover.kk} өзгерістеріне{so_many} әдеттегідей жауап бермеді: жауабының {left} қалды.",
        ru=f"{name} не ответил как обычно на последние {mover.ru}{so_many}: от его ответа осталось {left}.",
        en=f"{name} has not answered the last {mover.en}{so_many} as usual: {left} of its answer is left.",
    )


def _lasted(nanoseconds: int) -> tuple[str, str, str]:
    if nanoseconds >= 2 * DAY_NS:
        days = nanoseconds // DAY_NS
        return f", {days} тәулік бойы", f", уже {days} сут", f", for {days} days"
    hours = max(1, nanoseconds // HOUR_NS)
    return f", {hours} сағат бойы", f", уже {hours} ч", f", for {hours} h"
