"""`minewatch serve` and `minewatch config check`."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from minewatch.alerts.packs import paths
from minewatch.alerts.rules import load as load_rules
from minewatch.app.demo import INTERRUPTED, Ending
from minewatch.app.logs import set_up_logs
from minewatch.app.processes import Supervisor
from minewatch.app.reload import accepted, hand_over
from minewatch.app.service import data_folder, own_folder, service
from minewatch.config import Config, load
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.company.model import read as read_model
from minewatch.errors import ConfigError
from minewatch.serve.server import address, bind

log = structlog.get_logger(__name__)


def run_service(file: Path, say: Callable[[str], None]) -> int:
    """Run the service until SIGTERM or Ctrl-C; return the exit code."""
    ending = Ending()
    ending.install()
    again = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: again.set())
    set_up_logs(os.environ.get("MINEWATCH_LOG", "info"))
    check(file)  # a mistake in a rule stops the start, not the running core
    config = _load(file)
    waiting = False  # changes of the settings that no core has taken yet
    with own_folder(config), bind(config.serve) as listener:
        keeper = service(config, listener)
        try:
            say(f"minewatch is starting at {address(listener)}")
            ending.at_once.append(keeper.kill)
            if keeper.start(float("inf"), ending.asked.is_set):
                say("minewatch is ready")
            while not ending.asked.is_set():
                if again.is_set():
                    again.clear()
                    config = _reload(file, config, keeper)
                    waiting = True
                waiting = waiting and not hand_over(config)
                keeper.look_after()
                time.sleep(0.1)
        finally:
            keeper.stop()
    return INTERRUPTED if ending.interrupted else 0


def _load(file: Path) -> Config:
    config = load(file)
    return config.model_copy(update={"data": data_folder(config.data)})


def _reload(file: Path, config: Config, keeper: Supervisor) -> Config:
    """Return the configuration in force after the file was read again; a wrong one changes nothing."""
    try:
        found = accepted(config, _load(file), str(file))
    except ConfigError as error:
        log.error("the configuration is not taken, the old one goes on", problem=str(error))
        return config
    keeper.renew("core", (found,))
    log.info("the configuration was read again", changes=len(found.detect.changes))
    return found


def check(file: Path) -> dict[str, Any]:
    """Read a configuration, its rules and its models. Raises ConfigError for the first that is wrong."""
    config = load(file)
    packs = paths(config.alerts)
    rules = load_rules(packs, BY_NAME)
    for model in config.company.models:
        read_model(model.file, model.digest)
    return {"config": str(file), "packs": len(packs), "rules": len(rules.rules)}
