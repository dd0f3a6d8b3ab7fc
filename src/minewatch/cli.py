"""The command `minewatch`. Heavy imports happen inside the commands, so that --help answers at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from minewatch import __version__
from minewatch.errors import ConfigError, MinewatchError

app = typer.Typer(
    name="minewatch",
    help="A real-time risk monitor for mines.\n\nExample: minewatch demo --minutes 1",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="Models of several sensors: fit them, check them.", no_args_is_help=True)
app.add_typer(models_app, name="models")
config_app = typer.Typer(help="Look at a configuration without running it.", no_args_is_help=True)
app.add_typer(config_app, name="config")

FAULT, WRONG, INTERRUPTED = 1, 2, 130
AsJson = Annotated[bool, typer.Option("--json", help="Print results as JSON, one object a line.")]


def say(line: str) -> None:
    """Tell the person at the terminal; results go to stdout, this does not."""
    print(line, file=sys.stderr, flush=True)


def result(line: str) -> None:
    """Print a result."""
    print(line, flush=True)


def show(found: dict[str, Any], as_json: bool, lines: Callable[[dict[str, Any]], list[str]]) -> None:
    """Print a summary as JSON or for a person."""
    for line in [json.dumps(found)] if as_json else lines(found):
        result(line)


@app.command()
def demo(
    minutes: Annotated[float | None, typer.Option(help="End after so many minutes.", min=0.05)] = None,
    speed: Annotated[float, typer.Option(help="How fast the simulated mine lives.", min=0.1, max=100)] = 1.0,
    port: Annotated[
        int, typer.Option(help="Port of the pages; 0 takes a free one.", min=0, max=65535)
    ] = 8000,
    data: Annotated[Path | None, typer.Option(help="Keep everything in this folder.")] = None,
    telemetry: Annotated[str, typer.Option(help="duckdb (embedded) or influxdb (a server).")] = "duckdb",
    influx_url: Annotated[
        str, typer.Option(help="Address of the InfluxDB server.")
    ] = "http://127.0.0.1:8086",
    scenario: Annotated[str, typer.Option(help="Scenario of the simulated mine, by name or file.")] = "demo",
    as_json: AsJson = False,
) -> None:
    """Run the whole system on this machine with a simulated mine.

    Example: minewatch demo --minutes 1 --json
    """
    from minewatch.app.demo import run_demo
    from minewatch.app.present import summary_lines

    if telemetry not in ("duckdb", "influxdb"):
        raise ConfigError(
            f"{telemetry!r} is no telemetry store", where="--telemetry", mend="Use duckdb or influxdb."
        )
    found, code = run_demo(
        minutes=minutes,
        speed=speed,
        port=port,
        data=data,
        telemetry=telemetry,
        influx_url=influx_url,
        scenario=scenario,
        say=say,
    )
    show(found, as_json, summary_lines)
    raise typer.Exit(code)


@app.command()
def serve(
    config: Annotated[Path, typer.Option("--config", help="The service's minewatch.toml.")],
) -> None:
    """Run the service until it is told to stop.

    Example: minewatch serve --config minewatch.toml
    """
    from minewatch.app.run import run_service

    raise typer.Exit(run_service(config, say))


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings: .csv or .csv.gz.")],
    map_file: Annotated[Path, typer.Option("--map", help="What the columns are (map.toml).")],
    rules: Annotated[list[Path] | None, typer.Option(help="Folder with more rules (*.toml).")] = None,
    speed: Annotated[str, typer.Option(help="max, or how many times faster than it happened.")] = "max",
    store: Annotated[Path | None, typer.Option(help="Keep readings and journal in this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play recordings through the same engine, alerts and stores as live data.

    Example: minewatch replay methane.csv --map simulators/recordings/methane_1hz.toml --json
    """
    from minewatch.app.logs import set_up_logs
    from minewatch.app.present import summary_lines
    from minewatch.app.replay import replay as play

    set_up_logs("error")
    found = play(
        files,
        map_file,
        rule_dirs=rules or [],
        speed=pace(speed),
        folder=store,
        as_json=as_json,
        out=result,
        note=say,
    )
    show(found, as_json, summary_lines)
    readings = found["summary"]["readings"]
    raise typer.Exit(FAULT if readings["lost"] or readings["duplicate"] else 0)


def pace(speed: str) -> float | None:
    """Return the factor that --speed asks for, None for as fast as it goes."""
    if speed == "max":
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = 0.0
    if not factor > 0:
        raise ConfigError(f"{speed!r} is no speed", where="--speed", mend="Write max, or a number above 0.")
    return factor


@app.command()
def score(
    file: Annotated[Path, typer.Argument(help="A CSV with a time column and value columns.")],
    detector: Annotated[str, typer.Option(help="Name of a detector.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="A parameter, KEY=VALUE.")] = None,
    time: Annotated[str, typer.Option(help="Name of the time column; the first one by default.")] = "",
    interval_s: Annotated[float, typer.Option(help="Without times: seconds from row to row.")] = 0.0,
    columns: Annotated[str, typer.Option(help="Value columns A,B; all others by default.")] = "",
    train_rows: Annotated[int, typer.Option(help="First rows, for fitting only.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Write here instead of to stdout.")] = None,
) -> None:
    """Run one detector over a CSV: time,point,score,alarm for each row and column.

    Example: minewatch score pump.csv --detector cusum --columns vibration
    """
    from minewatch.app.score import score_file

    wanted = [name for name in columns.split(",") if name]
    note = score_file(
        file,
        detector,
        parameters=set_ or [],
        time_column=time,
        interval_s=interval_s,
        columns=wanted,
        train_rows=train_rows,
        out=out,
    )
    say(note)


@models_app.command("fit")
def models_fit(
    name: Annotated[str, typer.Argument(help="A folder of models/.")],
    reason: Annotated[str, typer.Option(help="Why it is fitted anew; it stands in the model for good.")],
    data: Annotated[Path | None, typer.Option(help="The folder of the recordings.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a model from its data into a new file beside the old ones; its card says which is in force.

    Example: minewatch models fit skab-pump --reason "new pump" --data recordings
    """
    from minewatch.app.models import fit_model

    found = fit_model(name, reason, data)
    show(found, as_json, lambda f: [f"{f['file']}: {f['digest']}", f"figures: {f['figures']}", f["next"]])


@models_app.command("check")
def models_check(
    name: Annotated[str, typer.Argument(help="A folder of models/.")],
    data: Annotated[Path | None, typer.Option(help="The folder of the recordings.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a model against its card: digest, data, a fit anew, figures.

    Example: minewatch models check skab-pump --data recordings
    """
    from minewatch.app.models import check_model

    found = check_model(name, data)
    show(found, as_json, lambda f: [f"{key}: {value}" for key, value in f.items()])
    raise typer.Exit(FAULT if found["faults"] else 0)


@config_app.command("check")
def config_check(
    file: Annotated[Path, typer.Argument(help="The service's minewatch.toml.")], as_json: AsJson = False
) -> None:
    """Read a configuration and everything it names, without touching the network.

    Example: minewatch config check minewatch.toml
    """
    from minewatch.app.run import check

    found = check(file)
    show(found, as_json, lambda f: [f"{f['config']}: good; {f['packs']} rule packs, {f['rules']} rules"])


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version.

    Example: minewatch version
    """
    show({"version": __version__}, as_json, lambda f: [f["version"]])


def main() -> None:
    """Run the command; a person's mistake ends in one line, never in a traceback."""
    try:
        code = app(standalone_mode=False)
    except (ConfigError, MinewatchError) as error:
        say(f"minewatch: {error}")
        sys.exit(WRONG if isinstance(error, ConfigError) else FAULT)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except Exception as error:
        # click's own errors (unknown option, missing argument): its text, our one line
        if not hasattr(error, "format_message"):
            raise
        text = str(error.format_message())
        say(text if text.startswith("Usage") else f"minewatch: {text} Try: minewatch --help")
        sys.exit(WRONG)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
