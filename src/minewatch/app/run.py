"""`minewatch serve` and `minewatch config check`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minewatch.alerts.packs import paths
from minewatch.alerts.rules import load as load_rules
from minewatch.app.demo import INTERRUPTED, Ending
from minewatch.app.logs import set_up_logs
from minewatch.app.service import data_folder, own_folder, service
from minewatch.config import load
from minewatch.detect.catalogue import NAMES
from minewatch.serve.server import address, bind


def run_service(file: Path, say: Callable[[str], None]) -> int:
    """Run the service until SIGTERM or Ctrl-C; return the exit code."""
    ending = Ending()
    ending.install()
    set_up_logs(os.environ.get("MINEWATCH_LOG", "info"))
    check(file)  # a mistake in a rule stops the start, not the running core
    config = load(file)
    config = config.model_copy(update={"data": data_folder(config.data)})
    with own_folder(config), bind(config.serve) as listener:
        keeper = service(config, listener)
        try:
            say(f"minewatch is starting at {address(listener)}")
            ending.at_once.append(keeper.kill)
            if keeper.start(float("inf"), ending.asked.is_set):
                say("minewatch is ready")
            while not ending.asked.is_set():
                keeper.look_after()
                time.sleep(0.1)
        finally:
            keeper.stop()
    return INTERRUPTED if ending.interrupted else 0


def check(file: Path) -> dict[str, Any]:
    """Read a configuration and its rules. Raises ConfigError for the first thing that is wrong."""
    config = load(file)
    packs = paths(config.alerts)
    rules = load_rules(packs, {name: index for index, name in enumerate(NAMES)})
    return {"config": str(file), "packs": len(packs), "rules": len(rules.rules)}
