"""The command minewatch-edge: run, check, status, spool."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minewatch_edge import (
    __version__,
    checks,
    checks_system,
    config,
    logs,
    runtime,
    spool_report,
    state,
    words,
)
from minewatch_edge.checks import Finding
from minewatch_edge.config import EdgeConfig
from minewatch_edge.errors import EdgeConfigError, EdgeError

_STALE_S = 10.0
_USUAL_FILE = "/etc/minewatch/edge.toml"
_PARTS = (checks, checks_system)  # imported, so that their parts of `check` are registered


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 done, 1 a fault was found, 2 call or file wrong, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        settings = config.load(Path(options.file))
        logs.begin(settings.log_level, settings.log_format)
        return int(options.command(settings, options))
    except EdgeConfigError as error:
        print(f"minewatch-edge: {error}", file=sys.stderr)
        return 2
    except EdgeError as error:
        print(f"minewatch-edge: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `minewatch-edge spool | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
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
        (
            "check",
            _check,
            "look once at every sensor, the broker, the spool and the clock, and say what is wrong",
        ),
        ("status", _status, "show how the running agent is"),
        ("spool", _spool, "show what is held, and lines that were rejected"),
    ):
        sub = commands.add_parser(
            name, help=text, description=text, epilog=f"Example: minewatch-edge {name} edge.toml"
        )
        sub.add_argument(
            "file", nargs="?", default=_USUAL_FILE, help=f"the configuration, {_USUAL_FILE} by default"
        )
        sub.add_argument("--json", action="store_true", help="print results as JSON, one object a line")
        sub.set_defaults(command=command)
    return parser


def _run(settings: EdgeConfig, options: argparse.Namespace) -> int:
    code, summary = runtime.run(settings, lambda: config.load(Path(options.file)))
    if options.json:
        _print({"summary": state.counted(summary.counters), "held_rows": summary.held_rows})
    return code


def _check(settings: EdgeConfig, options: argparse.Namespace) -> int:
    found: list[Finding] = []

    def take(finding: Finding) -> None:
        found.append(finding)
        if options.json:
            shown = {"part": finding.part, "place": finding.place, "ok": finding.fault < 2}
            _print({**shown, "level": finding.word, "text": finding.text, "mend": finding.mend})
        else:
            print(
                f"{finding.word.upper():<8} {words.printable(f'{finding.place}: {finding.text}')}", flush=True
            )
            if finding.mend:
                print(f"{'':<8} -> {finding.mend}", flush=True)

    worst = checks.run(settings, time.time_ns(), take)
    counts = [sum(f.fault == level for f in found) for level in range(3)]
    print(
        f"{len(found)} looked at: {counts[0]} ok, {counts[1]} warnings, {counts[2]} faults", file=sys.stderr
    )
    return 1 if worst == 2 else 0


def _status(settings: EdgeConfig, options: argparse.Namespace) -> int:
    found = state.read(state.state_path(settings.spool.path))
    try:
        age_s = (datetime.now(UTC) - datetime.fromisoformat(found["time"])).total_seconds()
        running = bool(found["pid"]) and age_s < _STALE_S and _alive(int(found["pid"]))
        problems = dict(found["problems"])
        found = {"running": running, **found}
        shown = words.status(found, age_s)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EdgeConfigError(
            f"is no state of an agent: {error!r}",
            where=str(state.state_path(settings.spool.path)),
            mend="Delete it and restart the agent",
        ) from error
    if options.json:
        _print(found)
    else:
        print(shown)
    return 0 if running and not problems else 1


def _spool(settings: EdgeConfig, options: argparse.Namespace) -> int:
    report = spool_report.read(settings.spool.path)
    if options.json:
        _print(report)
    else:
        print(words.spool(report, datetime.now(UTC)))
    return 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # it is there, and another user's
    return True


def _print(found: dict[str, Any]) -> None:
    print(json.dumps(found, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
