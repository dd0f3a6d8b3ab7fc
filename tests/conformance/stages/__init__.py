"""A stage for each kind of driver: the real peer that the conformance suite plays with.

A kind ``mqtt-in`` has the module ``mqtt_in`` here, with one class ``Stage`` that extends `stage.Stage`.
"""

from __future__ import annotations

import importlib
import importlib.util

from .stage import Stage

__all__ = ["Stage", "stage_of"]


def stage_of(kind: str) -> type[Stage] | None:
    """Return the stage of a kind; None when nobody wrote it."""
    name = f"{__name__}.{kind.replace('-', '_')}"
    if importlib.util.find_spec(name) is None:
        return None
    found: type[Stage] = importlib.import_module(name).Stage
    return found
