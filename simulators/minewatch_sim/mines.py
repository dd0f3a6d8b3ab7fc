"""The simulated sites, and every name a scenario may speak of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from minewatch_sim import coal_longwall, open_pit
from minewatch_sim.physics import Physics, SiteSpec

SITES: Mapping[str, SiteSpec] = {spec.name: spec for spec in (coal_longwall.SPEC, open_pit.SPEC)}
PHYSICS: Mapping[str, Callable[[int], Physics]] = {
    coal_longwall.SITE: coal_longwall.CoalLongwall,
    open_pit.SITE: open_pit.OpenPit,
}

CAUSES: Mapping[str, float] = {name: value for site in SITES.values() for name, value in site.causes.items()}
GATEWAYS = tuple(f"{site.name}/{gateway}" for site in SITES.values() for gateway in site.gateways)
PLACES = tuple(
    f"{site.name}/{spec.device}/{spec.metric}"
    for site in SITES.values()
    for specs in site.gateways.values()
    for spec in specs
)
