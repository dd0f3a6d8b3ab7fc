"""The command minewatch-sim: simulated mines and recordings through real edge agents."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from minewatch.errors import ConfigError
from minewatch.ingest.map import load_map
from minewatch.ingest.recording import Recording
from minewatch_edge.drivers.driver import Driver
from minewatch_edge.errors import EdgeConfigError, EdgeError
from minewatch_sim import driver as simulated
from minewatch_sim import player, scenario_file
from minewatch_sim.running import DRAIN_S, Agents, Place, broker_at, edge_config, summary
from minewatch_sim.timeline import Timeline
from minewatch_sim.uplink import Uplink

INTERRUPTED = 130
_LOOK_S = 0.1


class Ending:
    """Turns signals into one orderly end; the second signal ends at once."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.interrupted = False

    def install(self) -> None:
        """Take SIGINT and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.asked.is_set():
            os._exit(128 + number)  # what is not delivered waits in the spools
        self.interrupted = number == signal.SIGINT
        self.asked.set()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 done, 1 not all was delivered, 2 a wrong call or file, 130 interrupted."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=options.log.upper() if "log" in options else "WARNING", format="%(message)s")
    try:
        code: int = options.command(options)
    except (ConfigError, EdgeConfigError) as error:
        print(f"minewatch-sim: {error}", file=sys.stderr)
        return 2
    except (EdgeError, OSError) as error:
        print(f"minewatch-sim: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minewatch-sim",
        description="Simulated mines and recordings that drive real edge agents.",
        epilog="example: minewatch-sim run demo --broker mqtt://127.0.0.1:1883 --minutes 5",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run_it = commands.add_parser(
        "run", help="a simulated mine", epilog="example: minewatch-sim run methane-buildup --speed 10 --json"
    )
    run_it.add_argument("scenario", metavar="SCENARIO", help="a TOML file, or the name of one (see list)")
    run_it.add_argument("--seed", type=int, help="other noise than the scenario's own")
    run_it.set_defaults(command=_run)
    play = commands.add_parser(
        "play",
        help="a recording",
        epilog="example: minewatch-sim play events.csv --map methane_1hz.toml --speed 10",
    )
    play.add_argument("files", metavar="FILE", nargs="+", type=Path, help="csv or csv.gz")
    play.add_argument("--map", type=Path, required=True, help="which column is which point")
    play.add_argument(
        "--as-recorded", action="store_true", help="keep the recording's times, do not move them to now"
    )
    play.add_argument(
        "--longest-gap",
        type=_positive,
        default=60.0,
        metavar="S",
        help="cut longer silences to S seconds (60)",
    )
    play.set_defaults(command=_play)
    for command in (run_it, play):
        command.add_argument(
            "--speed", type=_positive, default=1.0, metavar="X", help="times faster than life (1)"
        )
        command.add_argument("--broker", default="mqtt://127.0.0.1:1883", metavar="URL", help="(%(default)s)")
        command.add_argument(
            "--data", type=Path, metavar="DIR", help="where the spools lie (a temporary folder)"
        )
        command.add_argument(
            "--minutes", type=_positive, metavar="M", help="end after M minutes of the wall clock"
        )
        command.add_argument(
            "--drain",
            type=_positive,
            default=DRAIN_S,
            metavar="S",
            help="wait at the end for the store (%(default)s)",
        )
        command.add_argument("--json", action="store_true", help="print the summary as one JSON object")
        command.add_argument("--log", default="warning", choices=("debug", "info", "warning", "error"))
    listed = commands.add_parser(
        "list", help="the scenarios that come with minewatch", epilog="example: minewatch-sim list"
    )
    listed.add_argument("--json", action="store_true", help="print one JSON object per line")
    listed.set_defaults(command=_list)
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _list(options: argparse.Namespace) -> int:
    for path in sorted(scenario_file.folder().glob("*.toml")):
        scenario = scenario_file.load(path)
        row = {"name": scenario.name, "minutes": scenario.minutes, "title": scenario.title.en}
        print(
            json.dumps(row)
            if options.json
            else f"{scenario.name:<20} {scenario.minutes:>5g} min  {scenario.title.en}"
        )
    return 0


def _run(options: argparse.Namespace) -> int:
    scenario = scenario_file.load(scenario_file.find(options.scenario))
    broker = broker_at(options.broker)
    timeline = Timeline(scenario)
    uplinks: dict[str, Uplink] = {}

    def uplink(name: str) -> Callable[[bool], None]:
        if not timeline.is_ever_cut_off(name):
            return lambda _: None
        uplinks[name] = Uplink(name, broker.host, broker.port)
        return uplinks[name].cut

    pace = simulated.Pace(options.speed)
    drivers = simulated.gateways(scenario, pace, seed=options.seed, uplink=uplink)
    ways = {name: Place("127.0.0.1", link.port) for name, link in uplinks.items()}
    try:
        return _drive(options, drivers, broker, ways, end=pace.end, finished=lambda: False)
    finally:
        for link in uplinks.values():
            link.close()


def _play(options: argparse.Namespace) -> int:
    recording_map = load_map(options.map)
    play = player.Play(options.speed, options.longest_gap, options.as_recorded)
    drivers = player.gateways(lambda: Recording(recording_map, options.files), play)
    return _drive(
        options,
        drivers,
        broker_at(options.broker),
        {},
        end=play.ended.set,
        finished=lambda: all(driver.finished for driver in drivers.values()),
    )


def _drive(
    options: argparse.Namespace,
    drivers: Mapping[tuple[str, str], Driver],
    broker: Place,
    ways: Mapping[str, Place],
    *,
    end: Callable[[], None],
    finished: Callable[[], bool],
) -> int:
    """Run the agents until a signal, the minutes, or the end of the recording; then drain and sum up."""
    ending = Ending()
    ending.install()
    with _folder(options.data) as data:
        configs = [
            edge_config(site, gateway, ways.get(f"{site}/{gateway}", broker), data)
            for site, gateway in drivers
        ]
        agents = Agents(configs, list(drivers.values()))
        agents.start()
        until = time.monotonic() + options.minutes * 60 if options.minutes else math.inf
        while not ending.asked.wait(_LOOK_S) and time.monotonic() < until and not finished():
            if agents.failed is not None:
                break
        end()
        agents.drain(options.drain)
        found = summary(agents.stop())
        if agents.failed is not None:
            raise agents.failed
        _tell(options, found)
    if ending.interrupted:
        return INTERRUPTED
    return 1 if found["held"] or found["dropped"] else 0


def _tell(options: argparse.Namespace, found: Mapping[str, Any]) -> None:
    if options.json:
        print(json.dumps(found), flush=True)
    else:
        for name, one in found["gateways"].items():
            print(f"{name}: {one['sent']} sent, {one['acknowledged']} acknowledged, {one['held']} held")
        print(
            f"in all: {found['sent']} sent, {found['acknowledged']} acknowledged, {found['held']} held",
            flush=True,
        )
    if found["held"]:
        where = (
            f"they wait in {options.data}"
            if options.data
            else "they are lost with the temporary folder: give --data"
        )
        print(
            f"minewatch-sim: {found['held']} readings not acknowledged within {options.drain:g} s; {where}",
            file=sys.stderr,
        )


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        try:
            data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{error.strerror}", where=f"--data {data}", mend="Name a folder that can be written."
            ) from error
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="minewatch-sim-", ignore_cleanup_errors=True) as made:
        yield Path(made)


if __name__ == "__main__":
    main()
