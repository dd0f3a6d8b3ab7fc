"""A test of a meter that somebody announces: a row of the journal for each meter, and no alert.

It silences nothing: it lets a call wait for longer where everything speaks for a test.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

from minewatch.alerts.activation import key_text, remark
from minewatch.alerts.rule import key_of
from minewatch.alerts.texts import number
from minewatch.contracts import AlertEvent, Announcement, EventKind, PointInfo, Text

RULE_ID = "test-announced"
ENDS = Text(
    kk="Датчиктің хабарланған тексеруі {end} аяқталды.",
    ru="Объявленная проверка датчика закончена в {end}.",
    en="The announced test of the meter ends at {end}.",
)
BEGINS = Text(
    kk="Датчикті тексеру хабарланды: {begin} – {end}{gas}.",
    ru="Объявлена проверка датчика: с {begin} до {end}{gas}.",
    en="A test of the meter is announced from {begin} to {end}{gas}.",
)
GAS = Text(kk=", баллонда {x} %", ru=", в баллоне {x} %", en=", gas of {x} %")


def event(
    announced: Announcement, point: PointInfo, now_ns: int, *, actor: str, comment: str = "", key: str = ""
) -> AlertEvent:
    """Return the row of an announcement, or of its end; ``actor`` says so now, whoever announced it.

    ``key`` is that of the command, see ``row_name``.
    """
    row = remark(RULE_ID, point.place, now_ns, now_ns, detector="test-gas", text=_text(announced, now_ns))
    return AlertEvent(
        key=row_name(key or f"{now_ns}-{announced.from_ns}-{announced.to_ns}", point.place),
        event=EventKind.ANNOUNCED,
        alert=replace(row, site=point.site, zone=point.zone, quantity=point.quantity, unit=point.unit),
        time_ns=now_ns,
        service_ns=now_ns,
        actor=actor,
        comment=comment,
        announced=announced,
    )


def row_name(key: str, place: str) -> str:
    """Return what makes the announcement of one command about one place happen once."""
    return f"{key}|{EventKind.ANNOUNCED.value}|{key_text(key_of(RULE_ID, place))}"


def _text(announced: Announcement, now_ns: int) -> Text:
    text = BEGINS if announced.to_ns > now_ns else ENDS
    begin, end = (
        datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        for ns in (announced.from_ns, announced.to_ns)
    )
    said = []
    for one in ("kk", "ru", "en"):
        gas = str(getattr(GAS, one)).format(x=number(announced.gas_pct, one))
        gas = gas if math.isfinite(announced.gas_pct) else ""
        said.append(str(getattr(text, one)).format(begin=begin, end=end, gas=gas))
    return Text(*said)
