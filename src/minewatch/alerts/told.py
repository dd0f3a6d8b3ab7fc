"""What a gateway tells about an alert that it judged by itself, and the words for what only it knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from minewatch.alerts import link, loss
from minewatch.alerts.rule import SIGNS, Binding, Match, Rule
from minewatch.alerts.texts import shown
from minewatch.contracts import Comparison, PointInfo, Text

KINDS = ("raised", "cleared", "withdrawn", "acknowledged", "test")
TEST_RULE = "output-test"
FAILED_RULE = "output-failed"
NO_DETECTOR = -1  # the engine never sees such a rule
COMPARISONS = {sign: comparison for comparison, sign in SIGNS.items()}
OF_THE_SERVICE = (link.RULE_ID, loss.RULE_ID)  # it alone judges by them; another's word could hide its own
LONGEST = 300  # characters of a name; a message of a rule may be longer
LATEST_NS = 1 << 62

_UNKNOWN = Text(
    kk="Шлюз өз ережесі бойынша дабыл көтерді; бұл ереже орталықта жоқ.",
    ru="Шлюз поднял тревогу по своему правилу; в центре такого правила нет.",
    en="The gateway raised an alert by a rule of its own that the centre does not have.",
)
_FAILED = Text(
    kk="Учаскедегі дабыл шығысы басқаруға бағынбайды: сирена не реле қосылмауы мүмкін. "
    "Учаскеге қоңырау шалыңыз, желі мен қуатты тексеріңіз.",
    ru="Выход тревоги на участке не подчиняется: сирена или реле могут не сработать. Позвоните на участок, "
    "проверьте линию и питание.",
    en="An alarm output at the site does not obey: a siren or relay may not work. Call the section, "
    "check line and power.",
)
TESTED = Text(
    kk="Шығыстар панельдегі батырмамен сыналды: бұл дабыл емес.",
    ru="Выходы проверены кнопкой на панели: это не тревога.",
    en="Outputs were tested by the button at the panel: this is no alert.",
)
WITHDRAWN = Text(
    kk="шлюз бұл ережемен енді бағаламайды: ереже оның файлдарынан алынды",
    ru="шлюз больше не судит по этому правилу: его нет в файлах шлюза",
    en="the gateway judges by this rule no longer: it is gone from its files",
)
OTHER_VERSION = Text(
    kk="; шлюз бұл ереженің басқа нұсқасымен бағалады (шегі {})",
    ru="; шлюз судил по другой версии правила (предел {})",
    en="; the gateway judged by another version of this rule (limit {})",
)


def of_another_version(why: Text) -> bool:
    """Say whether an alert's reason tells that its gateway judged by another version of the rule."""
    return OTHER_VERSION.en.partition("{}")[0] in why.en


@dataclass(frozen=True, slots=True)
class Told:
    """One step in the life of an alert at a gateway; ``cause_ns`` names the activation it belongs to."""

    kind: str
    gateway: str
    rule: str
    place: str
    zone: str
    priority: int
    cause_ns: int
    time_ns: int
    gateway_ns: int
    value: float
    actor: str
    digest: str = ""
    limit: float = math.nan
    comparison: Comparison = Comparison.AT_OR_ABOVE
    detector: str = ""
    quantity: str = ""
    unit: str = ""
    page: bool = False
    message: Text | None = None
    citation: str = ""
    verified: bool = False
    why: str = ""

    def binding(self) -> Binding:
        """Return the rule as the gateway tells it, for a rule or a point that the service does not know."""
        site, _, gateway = self.gateway.partition("/")
        failed = self.rule == FAILED_RULE
        rule = Rule(
            id=self.rule,
            quantity=self.quantity,
            unit=self.unit,
            detector=self.detector or "output",
            detector_id=NO_DETECTOR,
            comparison=self.comparison,
            threshold=self.limit,
            deadband=0.0,
            on_delay_s=0.0,
            off_delay_s=0.0,
            priority=self.priority,
            page=self.page or failed,
            jurisdiction="site",
            citation=self.citation,
            verified=self.verified,
            evidence="",
            effective_from=date(2025, 1, 1),
            match=Match(),
            message=self.message or (_FAILED if failed else _UNKNOWN),
        )
        device, metric = [*self.place.split("/", 2), "", ""][1:3]
        point = PointInfo(
            self.place, site, gateway, device, metric, self.quantity or "signal", self.unit, self.zone
        )
        return Binding(rule, point)


def read(content: Mapping[str, Any], gateway: str) -> Told:
    """Return what a note says; raises ValueError naming what in it cannot be used.

    A gateway speaks of places of its own site only, and only for its own panels.
    """
    told = Told(
        kind=_name(content, "event"),
        gateway=gateway,
        rule=_name(content, "rule"),
        place=_name(content, "place"),
        zone=_text(content, "zone"),
        priority=_whole(content, "priority", 1, 4),
        cause_ns=_whole(content, "cause_ns", 1, LATEST_NS),
        time_ns=_whole(content, "time_ns", 1, LATEST_NS),
        gateway_ns=_whole(content, "gateway_ns", 1, LATEST_NS),
        value=_number(content, "value"),
        actor=_name(content, "actor"),
        digest=_text(content, "digest"),
        limit=_number(content, "limit"),
        comparison=COMPARISONS.get(_text(content, "comparison"), Comparison.AT_OR_ABOVE),
        detector=_text(content, "detector"),
        quantity=_text(content, "quantity"),
        unit=_text(content, "unit"),
        page=content.get("page") is True,
        message=_message(content.get("message")),
        citation=_text(content, "citation"),
        verified=content.get("verified") is True,
        why=_text(content, "why"),
    )
    if told.rule in OF_THE_SERVICE:
        raise ValueError(f"the rule {told.rule!r} is the service's own")
    if told.kind not in KINDS:
        raise ValueError(f"there is no event {told.kind!r}")
    if not told.place.startswith(gateway.partition("/")[0] + "/"):
        raise ValueError(f"the place {told.place!r} is none of its site")
    if told.actor != "gateway" and not told.actor.startswith(f"panel:{gateway}/"):
        raise ValueError(f"the actor {told.actor!r} is none of its panels")
    return told


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key} {value!r:.60} is no text")
    return shown(value, LONGEST)


def _name(content: Mapping[str, Any], key: str) -> str:
    value = _text(content, key)
    if not value or "|" in value:
        raise ValueError(f"{key} {value!r} is no name")
    return value


def _whole(content: Mapping[str, Any], key: str, least: int, most: int) -> int:
    value = content.get(key)
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{key} {value!r:.60} is no whole number from {least} to {most}")
    return value


def _number(content: Mapping[str, Any], key: str) -> float:
    value = content.get(key, math.nan)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} {value!r:.60} is no number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{key} is a number of too many digits") from None


def _message(said: object) -> Text | None:
    if not isinstance(said, dict) or not all(isinstance(said.get(k), str) for k in ("kk", "ru", "en")):
        return None
    return Text(*(shown(said[k], 2000) for k in ("kk", "ru", "en")))
