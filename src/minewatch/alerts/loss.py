"""Readings that a gateway lost: an alert of its own class, so that history says what is missing and why.

It is raised and over at once, calls nobody, and stays until a person has seen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from minewatch.alerts.texts import duration
from minewatch.contracts import Alert, AlertState, Text

RULE_ID = "readings-lost"
DETECTOR = "loss"
PRIORITY = 3

_MESSAGE = Text(
    kk="Шлюз көрсетімдердің бір бөлігін жоғалтты: бұл уақыттың тарихы толық емес. "
    "Себебін жойыңыз, осы уақытқа сенім артпаңыз.",
    ru="Шлюз потерял часть показаний: история за это время неполна. "
    "Устраните причину и не полагайтесь на это время.",
    en="The gateway lost some readings: history of that time is not whole. "
    "Mend the cause and do not rely on that time.",
)
_REASONS = {
    "size": Text(
        "шлюздың жинағышы толды, байланыс тым ұзақ болмады",
        "накопитель шлюза переполнился, связи не было слишком долго",
        "the spool of the gateway was full, the link was away for too long",
    ),
    "age": Text(
        "көрсетімдер рұқсат етілген мерзімнен ұзақ жатты",
        "показания пролежали дольше разрешённого срока",
        "readings waited for longer than they may",
    ),
    "memory": Text(
        "шлюздың дискісі жазуды қабылдамады, жад толды",
        "диск шлюза не принимал запись, память переполнилась",
        "the disk of the gateway refused and its memory was full",
    ),
    "power-cut": Text(
        "шлюздың қуаты өшті: соңғы секундтардың көрсетімдері дискіге жазылмай қалуы мүмкін",
        "у шлюза пропало питание: показания последних секунд могли не попасть на диск",
        "the gateway lost power: readings of the last seconds may not have reached its disk",
    ),
    "disk": Text(
        "шлюздың жинағыш файлы бүлінді",
        "файл накопителя шлюза повреждён",
        "the spool file of the gateway was damaged",
    ),
}
_OTHER = Text("себебі белгісіз", "причина неизвестна", "for a reason not known here")


@dataclass(frozen=True, slots=True)
class Loss:
    """What a gateway said it lost; ``cause`` names the telling, ``readings`` is None when nobody knows."""

    site: str
    gateway: str
    cause: str
    reason: str
    readings: int | None
    rows: int
    from_ns: int
    to_ns: int
    devices: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The place such an alert stands at."""
        return f"{self.site}/{self.gateway}"


def alert(loss: Loss, identity: str, old: Alert | None) -> Alert:
    """Return the alert of a loss: over, but seen by nobody; further losses join one that nobody has seen."""
    return Alert(
        id=old.id if old else identity,
        rule=RULE_ID,
        place=loss.place,
        site=loss.site,
        zone="",
        quantity="signal",
        priority=PRIORITY,
        paged=False,
        state=AlertState.RETURNED,
        active=False,
        raised_ns=old.raised_ns if old else loss.from_ns,
        changed_ns=loss.to_ns,
        value=float(loss.readings or 0),
        unit="1",
        limit=0.0,
        detector=DETECTOR,
        message=_MESSAGE,
        why=why(loss),
        citation="A reading that cannot be delivered is counted and said: docs/edge.md",
        verified=True,
        retrospective=True,
    )


def why(loss: Loss) -> Text:
    """Say how many readings of which time are lost, and because of what."""
    reason = _REASONS.get(loss.reason, _OTHER)
    span = _span(loss)
    known = loss.readings is not None
    devices = ", ".join(loss.devices[:5]) + (", ..." if len(loss.devices) > 5 else "")
    of = f" ({devices})" if devices else ""
    return Text(
        kk=(f"ең көбі {loss.readings} көрсетім жоғалды" if known else "жоғалған көрсетім саны белгісіз")
        + f"{of}, {span}, {duration(loss.to_ns - loss.from_ns, 'kk')}: {reason.kk}",
        ru=(
            f"потеряно не больше {loss.readings} показаний"
            if known
            else "число потерянных показаний неизвестно"
        )
        + f"{of}, {span}, {duration(loss.to_ns - loss.from_ns, 'ru')}: {reason.ru}",
        en=(f"at most {loss.readings} readings lost" if known else "the number of readings lost is not known")
        + f"{of}, {span}, {duration(loss.to_ns - loss.from_ns, 'en')}: {reason.en}",
    )


def _span(loss: Loss) -> str:
    first, last = (
        datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for ns in (loss.from_ns, loss.to_ns)
    )
    return f"{first} - {last} UTC"
