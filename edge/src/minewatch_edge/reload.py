"""A new edge.toml while the agent runs: read and checked aside, taken whole or refused whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields

from minewatch_edge.config import DeviceConfig, EdgeConfig
from minewatch_edge.drivers.driver import Driver
from minewatch_edge.errors import EdgeConfigError

log = logging.getLogger(__name__)

# What can change while the agent runs; whatever else differs takes a restart, which loses nothing either.
_LIVE = frozenset({"broker", "spool", "devices", "log_level", "log_format", "metrics", "folder"})


_SAFETY_NAMES = {"safety.rules": "rules", "safety.state": "state", "output": "outputs", "panel": "panels"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration that was checked as a whole, with a driver for each of its devices."""

    config: EdgeConfig
    drivers: tuple[Driver, ...]
    changed: tuple[str, ...]


class Reloader:
    """Prepares the next configuration in a thread, because sensors may not wait for it.

    ``ask`` may be called from a signal handler, everything else from the agent's thread. ``problem`` says
    why the last one was refused, and is empty when it was taken.
    """

    def __init__(
        self,
        config: EdgeConfig,
        drivers: Sequence[Driver],
        load: Callable[[], EdgeConfig],
        make: Callable[[DeviceConfig, EdgeConfig], Driver],
        check: Callable[[EdgeConfig], object] = lambda _config: None,
    ) -> None:
        """``load`` reads the file, ``make`` makes a driver, ``check`` raises for what only shows later."""
        self.problem = ""
        self.taken = 0
        self.refused = 0
        self._config = config
        self._drivers = tuple(drivers)
        self._load, self._make, self._check = load, make, check
        self._asked = False
        self._thread: threading.Thread | None = None
        self._found: Prepared | str = ""

    def ask(self) -> None:
        """Want the file read again; asked several times at once it is read once more."""
        self._asked = True

    def poll(self) -> Prepared | None:
        """Return a configuration that is ready to be taken, once."""
        if self._thread is None:
            if self._asked:
                self._asked = False
                self._thread = threading.Thread(target=self._prepare, name="reload", daemon=True)
                self._thread.start()
            return None
        if self._thread.is_alive():
            return None
        self._thread = None
        if isinstance(self._found, Prepared):
            return self._found
        self._refuse(self._found)
        return None

    @property
    def busy(self) -> bool:
        """Whether a configuration is asked for or being read."""
        return self._asked or self._thread is not None

    def done(self, prepared: Prepared) -> None:
        """Learn that the agent goes on with it."""
        self._config, self._drivers = prepared.config, prepared.drivers
        self.problem = ""
        self.taken += 1
        log.info("the configuration was read again: %s", ", ".join(prepared.changed) or "nothing changed")

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.problem = f"the new configuration is refused, the old one goes on: {why}"
        log.error("%s", self.problem)

    def _prepare(self) -> None:
        made: list[Driver] = []
        try:
            self._found = self._prepared(made)
        except EdgeConfigError as error:
            self._found = str(error)
        except Exception as error:
            log.exception("a new configuration could not be prepared")
            self._found = f"{type(error).__name__}: {error}"
        if not isinstance(self._found, Prepared):
            for driver in made:
                with suppress(Exception):
                    driver.close()

    def _prepared(self, made: list[Driver]) -> Prepared:
        new = self._load()
        _refuse_what_takes_a_restart(self._config, new)
        self._check(new)
        kept = {
            device.id: (device, driver)
            for device, driver in zip(self._config.devices, self._drivers, strict=True)
        }
        drivers, changed = [], []
        for device in new.devices:
            before, driver = kept.pop(device.id, (None, None))
            if driver is None or before is None or not _same(before, device, self._config, new):
                driver = self._make(device, new)
                made.append(driver)
                changed.append(f"{'changed' if before else 'new'} device {device.id}")
            drivers.append(driver)
        changed += [f"removed device {device}" for device in kept]
        changed += [
            f.name
            for f in fields(EdgeConfig)
            if f.name not in ("devices", "folder") and getattr(self._config, f.name) != getattr(new, f.name)
        ]
        return Prepared(new, tuple(drivers), tuple(changed))


def _same(before: DeviceConfig, after: DeviceConfig, old: EdgeConfig, new: EdgeConfig) -> bool:
    return before.options.values == after.options.values and old.folder == new.folder


def _refuse_what_takes_a_restart(old: EdgeConfig, new: EdgeConfig) -> None:
    different = [
        f.name
        for f in fields(EdgeConfig)
        if f.name not in _LIVE and getattr(old, f.name) != getattr(new, f.name)
    ]
    if "safety" in different:
        different.remove("safety")
        different += [
            name
            for name, key in _SAFETY_NAMES.items()
            if getattr(old.safety, key) != getattr(new.safety, key)
        ]
    if old.spool.path != new.spool.path:
        different.append("spool.path")
    if old.spool.full_sync != new.spool.full_sync:
        different.append("spool.sync")
    if different:
        raise EdgeConfigError(
            "it cannot change while the agent runs",
            where=", ".join(different),
            mend="Restart the agent for that: systemctl restart minewatch-edge",
        )
