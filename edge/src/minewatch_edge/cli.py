"""The command minewatch-edge: run, check, status, spool."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minewatch_edge import __version__, config, runtime, spool_report, state
from minewatch_edge import drivers as kinds
from minewatch_edge.config import EdgeConfig
from minewatch_edge.drivers import CheckResult
from minewatch_edge.errors import EdgeConfigError, EdgeError

_STALE_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 done, 1 a fault was found, 2 call or file wrong, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        settings = config.load(Path(options.file))
        logging.basicConfig(
            level=settings.log_level.upper(),
            format="%(asctime)s %(levelname)s %(message)s",
            stream=sys.stderr,
        )
        return int(options.command(settings, options.json))
    except EdgeConfigError as error:
        print(f"minewatch-edge: {error}", file=sys.stderr)
        return 2
    except EdgeError as error:
        print(f"minewatch-edge: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minewatch-edge",
        description="The agent of a site gateway: sensors in, a spool that loses nothing, Sparkplug B out.",
        epilog="Example: minewatch-edge check /etc/minewatch/edge.toml",
    )
    parser.add_argument("--version", action="version", version=f"minewatch-edge {__version__}")
    commands = parser.add_subparsers(required=True, metavar="run|check|status|spool")
    for name, command, text in (
        ("run", _run, "run the agent until Ctrl-C (once: end in order, twice: at once)"),
        ("check", _check, "read every sensor once and say what is wrong"),
        ("status", _status, "show how the running agent is"),
        ("spool", _spool, "show what is held, and lines that were rejected"),
    ):
        sub = commands.add_parser(
            name, help=text, description=text, epilog=f"Example: minewatch-edge {name} edge.toml"
        )
        sub.add_argument("file", help="the configuration, edge.toml")
        sub.add_argument("--json", action="store_true", help="print results as JSON, one object a line")
        sub.set_defaults(command=command)
    return parser


def _run(settings: EdgeConfig, as_json: bool) -> int:
    code, summary = runtime.run(settings)
    if as_json:
        _print({"summary": state.counted(summary.counters), "held_rows": summary.held_rows})
    return code


def _check(settings: EdgeConfig, as_json: bool) -> int:
    results: list[CheckResult] = []
    now_ns = time.time_ns()
    settings.broker.password()
    for device in settings.devices:
        driver = kinds.make(device, settings.folder, lambda _reject: None)
        results += driver.check(now_ns)
        driver.close()
    for result in results:
        if as_json:
            _print(result._asdict())
        else:
            print(f"{'ok   ' if result.ok else 'FAULT'} {result.place}: {result.text}")
    faults = sum(not result.ok for result in results)
    print(f"{len(results)} sensors read, {faults} with a fault", file=sys.stderr)
    return 1 if faults else 0


def _status(settings: EdgeConfig, as_json: bool) -> int:
    found = state.read(state.state_path(settings.spool.path))
    age_s = (datetime.now(UTC) - datetime.fromisoformat(found["time"])).total_seconds()
    running = bool(found["pid"]) and age_s < _STALE_S and _alive(int(found["pid"]))
    found = {"running": running, **found}
    if as_json:
        _print(found)
    else:
        for key, value in found.items():
            if key != "problems":
                print(f"{key:14} {value}")
        for part, text in found["problems"].items():
            print(f"problem        {part}: {text}")
    return 0 if running and not found["problems"] else 1


def _spool(settings: EdgeConfig, as_json: bool) -> int:
    report = spool_report.read(settings.spool.path)
    if as_json:
        _print(report)
        return 0
    for key, value in report.items():
        if key not in ("devices", "rejects"):
            print(f"{key:14} {value}")
    for device in report["devices"]:
        span = f"{device['oldest']} to {device['newest']}"
        print(f"held           {device['device']}: {device['readings']} readings, {span}")
    for reject in report["rejects"]:
        print(f"rejected       {reject['time']} {reject['device']} ({reject['reason']}): {reject['text']}")
    return 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is there, and another user's
    return True


def _print(found: dict[str, Any]) -> None:
    print(json.dumps(found, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
