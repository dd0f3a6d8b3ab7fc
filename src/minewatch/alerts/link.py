"""Loss of a gateway's signal: an alert of its own class, because silence hides every other alert."""

from __future__ import annotations

from datetime import date

from minewatch.alerts.rule import Binding, Match, Rule
from minewatch.alerts.settings import AlertSettings
from minewatch.contracts import Comparison, GatewayInfo, PointInfo, Text

RULE_ID = "gateway-offline"
DETECTOR = "link"
NO_DETECTOR = -1  # the engine never sees this rule


def place_of(gateway: GatewayInfo) -> str:
    """Return the place such an alert stands at."""
    return f"{gateway.site}/{gateway.gateway}"


def rule(settings: AlertSettings) -> Rule:
    """Return the rule of a silent gateway as the site has set it."""
    return Rule(
        id=RULE_ID,
        quantity="signal",
        unit="s",
        detector=DETECTOR,
        detector_id=NO_DETECTOR,
        comparison=Comparison.AT_OR_ABOVE,
        threshold=settings.gateway_offline_grace_s,
        deadband=0.0,
        on_delay_s=settings.gateway_offline_grace_s,
        off_delay_s=0.0,
        priority=settings.gateway_offline_priority,
        page=settings.gateway_offline_page,
        jurisdiction="minewatch",
        citation="Loss of signal is an alert of its own: settings alerts.gateway_offline_*",
        verified=True,
        evidence="a fact about the link, not a legal limit",
        effective_from=date(2025, 1, 1),
        match=Match(),
        message=Text(
            kk="Шлюзбен байланыс жоқ: оның бірде-бір датчигі көрінбейді. Учаскеге қоңырау шалыңыз, "
            "өлшеуді қолмен жүргізіңіз, қуат пен байланысты тексеріңіз.",
            ru="Нет связи со шлюзом: ни один его датчик не виден. Позвоните на участок, ведите замеры "
            "вручную, проверьте питание и связь.",
            en="No link to the gateway: none of its sensors can be seen. Call the section, measure by hand, "
            "check power and network.",
        ),
    )


def binding(gateway: GatewayInfo, settings: AlertSettings) -> Binding:
    """Return the rule bound to a gateway as if it were a point."""
    point = PointInfo(
        place=place_of(gateway),
        site=gateway.site,
        gateway=gateway.gateway,
        device="",
        metric="",
        quantity="signal",
        unit="s",
        zone="",
    )
    return Binding(rule(settings), point)
