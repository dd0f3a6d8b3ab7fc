"""Local safety on a timeline: readings drive outputs, buttons silence them, and every step is a note."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from minewatch_edge.clocks import Moment
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.rows import Columns
from minewatch_edge.safety.lines import FileLine
from minewatch_edge.safety.making import check, make
from minewatch_edge.safety.output import Output
from minewatch_edge.safety.panel import Debounce
from minewatch_edge.safety.positions import OutputConfig, Position
from minewatch_edge.safety.safety import Safety
from minewatch_edge.safety.settings import SafetyConfig, parse
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.tables import Table

MS = 1_000_000
S = 1_000 * MS
START = 1_800_000_000 * S
CH4 = PointBirth("gas", "CH4", "methane", "% CH4", "face", 0.0, 5.0, 1.0)
CO = PointBirth("gas", "CO", "carbon_monoxide", "ppm", "face", 0.0, 500.0, 1.0)
RULES = """
[pack]
jurisdiction = "site"
effective_from = 2025-01-01
[[rule]]
id = "methane-high"
quantity = "methane"
unit = "% CH4"
detector = "value"
comparison = ">="
threshold = 1.0
deadband = 0.1
priority = 1
page = true
citation = "the mine's own"
status = "unverified"
[rule.message]
kk = "метан"
ru = "метан"
en = "methane is high"
"""
TEXT = {"kind": "gpio-file", "file": "siren", "function": "siren", "id": "siren", "safe": "off"}


def until(what: str, test: Any) -> None:
    """Wait until a worker has done something."""
    for _ in range(500):
        if test():
            return
        threading.Event().wait(0.01)
    raise AssertionError(what)


class Site:
    """One gateway with a siren on a file, a relay on another, and two buttons."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = folder
        (folder / "rules.toml").write_text(RULES)
        for name, level in {"siren": "0", "relay": "0", "ack": "0", "test": "0"}.items():
            if not (folder / name).exists():
                (folder / name).write_text(level)
        relay = {**TEXT, "file": "relay", "function": "relay", "id": "relay"}
        button = {"kind": "gpio-file", "debounce_ms": 10, "poll_ms": 10}
        self.values: dict[str, Any] = {
            "safety": {"rules": ["rules.toml"]},
            "output": [{**TEXT, **more}, relay],
            "panel": [
                {**button, "id": "ack", "file": "ack", "action": "acknowledge"},
                {**button, "id": "test", "file": "test", "action": "test", "test_s": 2},
            ],
        }
        self.now = Moment(START, 0)
        self.begin()

    def begin(self) -> None:
        """Start, or start again with what was saved."""
        config = parse(Table(self.values, "edge.toml"), self.folder)
        made = make(config, "site", "gw", [CH4, CO], state=self.folder / "state", folder=self.folder)
        assert made is not None
        self.safety: Safety = made
        self.safety.start(self.now)

    def pass_(self, seconds: float) -> None:
        """Let time go by, and the workers keep up with it."""
        for _ in range(max(1, round(seconds / 0.02))):
            self.now = Moment(self.now.wall_ns + 20 * MS, self.now.mono_ns + 20 * MS)
            self.safety.step(self.now)
            threading.Event().wait(0.001)

    def read(self, value: float, *, quality: int = 192, point: int = 0) -> None:
        """Have the sampler hear a reading, and the outputs follow."""
        at_ms = self.now.wall_ns // MS
        self.safety.observe("gas", Columns([point], [at_ms], [value], [quality]))
        self.pass_(0.04)

    def level(self, name: str) -> str:
        """Return what a wire shows."""
        path = self.folder / name
        return path.read_text() if path.is_file() else ""

    def shows(self, name: str, level: str) -> None:
        """Wait until a wire shows a level."""

        def there() -> bool:
            self.pass_(0.02)
            return self.level(name) == level

        until(f"{name} is {level}", there)

    def press(self, name: str) -> None:
        """Press a button for a while and let it go."""
        before = len(self.notes())
        self.hold(name, "1")
        until(f"{name} is heard", lambda: self.pass_(0.02) or len(self.notes()) > before)
        self.hold(name, "0")

    def hold(self, name: str, level: str) -> None:
        """Set a button and give the panel the time to see it."""
        (self.folder / "level").write_text(level)
        (self.folder / "level").replace(self.folder / name)  # no button is ever half pressed
        for _ in range(20):
            self.pass_(0.02)

    def notes(self) -> list[dict[str, Any]]:
        """Return what waits for the spool."""
        return [json.loads(note) for note in self.safety.notes]

    def told(self) -> list[str]:
        """Return the kinds of what waits."""
        return [note["event"] for note in self.notes()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for wires, rules and state."""
    return tmp_path


def test_a_crossing_sounds_the_siren_and_the_button_silences_it(folder: Path) -> None:
    """Siren and relay on; acknowledged: siren off, relay on; over: relay off; each step is told once."""
    site = Site(folder)
    site.hold("ack", "0")
    site.read(1.4)
    site.shows("siren", "1")
    site.shows("relay", "1")
    site.press("ack")
    site.shows("siren", "0")
    assert site.level("relay") == "1"
    site.read(0.5)
    site.shows("relay", "0")
    assert site.told() == ["raised", "acknowledged", "cleared"]
    raised, acknowledged, _ = site.notes()
    assert (raised["place"], raised["rule"], raised["limit"]) == ("site/gas/CH4", "methane-high", 1.0)
    assert acknowledged["actor"] == "panel:site/gw/ack"
    assert {n["cause_ns"] for n in site.notes()} == {raised["cause_ns"]}
    assert site.safety.lives.held == {}
    site.safety.stop()


def test_a_new_alert_sounds_again_and_a_latched_relay_waits_for_a_person(folder: Path) -> None:
    """What was acknowledged does not silence the next crossing; the relay holds over until the button."""
    site = Site(folder)
    site.hold("ack", "0")
    site.read(1.4)
    site.press("ack")
    site.read(0.5)
    site.read(1.2)
    site.shows("siren", "1")
    site.read(0.5)
    site.shows("siren", "0")  # over, and a siren is not latched
    assert site.level("relay") == "1"
    site.press("ack")
    site.shows("relay", "0")
    site.safety.stop()


def test_a_restart_in_an_alarm_keeps_the_outputs_driven(folder: Path) -> None:
    """Killed and started again: siren and relay on at once, notes still there, and the same alert clears."""
    site = Site(folder)
    site.read(1.4)
    site.shows("siren", "1")
    (folder / "siren").write_text("0")  # what a watchdog's relay would do meanwhile
    site.begin()  # the first one is not stopped: it was killed
    site.shows("siren", "1")
    assert site.told() == ["raised"]
    site.read(0.5)
    assert site.told() == ["raised", "cleared"]
    site.safety.stop()
    assert site.level("relay") == "1"  # an alert that nobody has acknowledged holds it through a stop


def test_a_stop_takes_the_safe_position(folder: Path) -> None:
    """Without an alert an output that is safe when on is on after the end, and off while the agent lives."""
    site = Site(folder, safe="on", on_no_signal="hold")
    site.read(0.4)
    site.shows("siren", "0")
    site.safety.stop()
    assert site.level("siren") == "1"


@pytest.mark.parametrize(("choice", "level"), [("safe", "1"), ("on", "1"), ("off", "0"), ("hold", "0")])
def test_a_sensor_without_signal(folder: Path, choice: str, level: str) -> None:
    """Bad readings are no readings: after the patience the output takes the position chosen for that."""
    site = Site(folder, safe="on", on_no_signal=choice, no_signal_after_s=4)
    site.read(0.4)
    site.shows("siren", "0")
    for _ in range(6):
        site.read(float("nan"), quality=0)
        site.pass_(1)
    site.shows("siren", level)
    assert "site/gas/CH4" in site.safety.problems()["signal for siren"]
    site.read(0.4)
    site.pass_(0.3)
    site.shows("siren", "0")
    site.safety.stop()


def test_the_test_button_drives_every_output_and_raises_nothing(folder: Path) -> None:
    """Siren and relay on for two seconds, one note of a test, no alert."""
    site = Site(folder)
    site.hold("test", "0")
    site.press("test")
    site.shows("relay", "1")
    site.pass_(2.5)
    site.shows("siren", "0")
    site.shows("relay", "0")
    assert site.told() == ["test"]
    assert (site.notes()[0]["outputs"], site.safety.lives.held) == (["siren", "relay"], {})
    site.safety.stop()


def test_an_output_that_fails_is_told_and_tried_again(folder: Path) -> None:
    """The wire is gone: a problem and, after three tries, a note; it is back: driven, and told as over."""
    site = Site(folder)
    site.pass_(0.1)
    (folder / "siren").unlink()
    (folder / "siren").mkdir()
    site.read(1.4)
    until("it fails", lambda: site.pass_(0.5) or "raised" in site.told()[1:])
    assert "Is a directory" in site.safety.problems()["output siren"]
    assert site.notes()[-1]["rule"] == "output-failed"
    (folder / "siren").rmdir()
    site.shows("siren", "1")
    until("it is over", lambda: site.pass_(0.5) or site.told()[-1] == "cleared")
    assert "output siren" not in site.safety.problems()
    site.safety.stop()


def test_a_failed_output_stays_failed_over_a_restart(folder: Path) -> None:
    """Nobody says that it is over before the output has obeyed, and it is not told a second time."""
    (folder / "siren").mkdir()
    site = Site(folder)
    until("it fails", lambda: site.pass_(0.5) or "raised" in site.told())
    site.begin()  # killed, and started again
    site.pass_(5)
    assert site.told() == ["raised"]
    (folder / "siren").rmdir()
    until("it is over", lambda: site.pass_(0.5) or site.told()[-1] == "cleared")
    assert site.told() == ["raised", "cleared"]
    site.safety.stop()


def test_notes_leave_once_the_spool_holds_them(folder: Path) -> None:
    """What the spool has taken is not told again after a restart; what it has not, is."""
    site = Site(folder)
    site.read(1.4)
    site.read(0.5)
    assert len(site.safety.take_notes()) == 2
    site.safety.noted()
    site.read(1.4)
    site.pass_(1.5)
    site.begin()
    assert site.told() == ["raised"]
    site.safety.stop()


def test_a_state_file_that_is_damaged_is_said_and_stops_nothing(folder: Path) -> None:
    """Half a file: the agent begins anew, says so, and judges on."""
    (folder / "state").write_text('{"version": 1, "lives": [{"rul')
    site = Site(folder)
    assert "could not be read" in site.safety.problems()["safety state"]
    site.read(1.4)
    site.shows("siren", "1")
    site.safety.stop()


@pytest.mark.parametrize("part", ['"failed": []', '"notes": ["{"]', '"lives": 7'])
def test_a_state_file_of_another_shape_stops_nothing_either(folder: Path, part: str) -> None:
    """Whole JSON that holds something else is said, and no agent dies of it, now or when it tells."""
    (folder / "state").write_text(f'{{"version": 1, {part}}}')
    site = Site(folder)
    assert "could not be read" in site.safety.problems()["safety state"]
    site.read(1.4)
    assert [note["event"] for note in site.safety.take_notes()] == ["raised"]
    site.safety.stop()


def test_a_rule_that_is_taken_away_clears_its_alert(folder: Path) -> None:
    """Nobody would ever clear an alert whose rule is gone from the files: it is withdrawn at the start."""
    site = Site(folder)
    site.read(1.4)
    (folder / "rules.toml").write_text(RULES.replace("methane-high", "methane-other"))
    site.values["safety"] = {"rules": ["rules.toml"]}
    (site.folder / "rules.toml").write_text(RULES.replace("methane-high", "methane-other"))
    config = parse(Table(site.values, "edge.toml"), folder)
    made = make(config, "site", "gw", [CH4, CO], state=folder / "state", folder=folder)
    assert made is not None
    made.start(site.now)
    assert [json.loads(n)["event"] for n in made.notes] == ["raised", "withdrawn"]
    made.stop()
    site.safety.stop()


class Wire:
    """A line that hangs when it is told to."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.written: list[bool] = []
        self.beats: list[bool] = []

    def read(self) -> bool:
        return self.written[-1]

    def write(self, level: bool) -> None:
        if not self.free.wait(20):
            raise DriverError("it never came back")
        self.written.append(level)

    def beat(self, level: bool) -> None:
        self.beats.append(level)

    def close(self) -> None:
        self.free.set()


def config(**more: Any) -> OutputConfig:
    """Return the settings of an output."""
    values = {**TEXT, **more}
    wired = {"heartbeat_file": "beat"} if "heartbeat_s" in more else {}
    table = Table({"safety": {"rules": []}, "output": [values | wired]}, "edge.toml")
    outputs = table.tables("output")
    from minewatch_edge.safety.settings import _output

    return _output(outputs[0])


ON = Position(True, True, "alert")
OFF = Position(False, False, "")


def test_a_wire_that_hangs_holds_up_nobody_and_is_said() -> None:
    """Steps return while the line hangs; after a while it counts as failed; then the newest order counts."""
    wire = Wire()
    output = Output(config(), wire)
    output.start()
    wire.free.clear()
    for second in range(20):
        output.step(ON if second < 15 else OFF, second * S)
    assert output.failed
    assert output.problem == "its line hangs"
    wire.free.set()
    until("the newest order is done", lambda: wire.written and wire.written[-1] is False)
    output.stop()


def test_an_agent_that_hangs_lets_the_output_fall_to_safe() -> None:
    """When the loop says nothing for hang_s the thread takes the safe position; an alert's hold stays."""
    for wanted, after in ((OFF, True), (ON, True), (ON._replace(on=True), True)):
        wire = Wire()
        output = Output(config(safe="on", hang_s=0.05), wire)
        output.start()
        output.step(wanted, 0)
        until("safe", lambda wire=wire, after=after: wire.written and wire.written[-1] is after)
        output.stop()


def test_an_agent_that_hangs_between_two_flashes_leaves_an_alert_on() -> None:
    """A pulsed output in its dark half goes on, not off, when the loop hangs while an alert holds it."""
    wire = Wire()
    output = Output(config(pulse_s=2, hang_s=0.3), wire)
    output.start()
    output.step(ON, 0)
    until("lit", lambda: wire.written == [True])
    output.step(ON, S)
    until("dark", lambda: wire.written[:2] == [True, False])
    until("lit again", lambda: wire.written == [True, False, True])
    output.stop()


def test_a_line_that_always_has_something_to_do_does_not_hang() -> None:
    """Each step brings a new order, as with short pulses: the line answers all the time, so it is well."""
    wire = Wire()
    output = Output(config(pulse_s=0.2), wire)
    output.start()
    for tenth in range(300):
        output.step(ON, tenth * S // 10)
        until("written", lambda tenth=tenth: len(wire.written) == tenth + 1)
        assert not output.failed
    output.stop()


def test_the_watchdog_is_beaten_only_while_the_loop_lives() -> None:
    """The beat toggles with the steps, and stops with them."""
    wire = Wire()
    output = Output(config(heartbeat_s=1), wire)
    output.start()
    for second in range(1, 5):
        output.step(OFF, second * S)
        until("beat", lambda second=second: len(wire.beats) == second)
    assert wire.beats == [True, False, True, False]
    output.stop()
    assert len(wire.beats) == 4


def test_a_pulse_goes_on_and_off() -> None:
    """An alert's beacon flashes: on and off within each pulse, beginning with on."""
    wire = Wire()
    output = Output(config(pulse_s=2), wire)
    output.start()
    for half in range(4):
        output.step(ON, half * S)
        until("written", lambda half=half: len(wire.written) == half + 1)
    assert wire.written == [True, False, True, False]
    output.stop()


@pytest.mark.parametrize(
    ("levels", "presses"),
    [("0001111", 1), ("1111111", 0), ("0101010", 0), ("0001111000111", 2), ("00010001", 0)],
)
def test_only_a_steady_press_counts(levels: str, presses: int) -> None:
    """Bouncing is no press, a button stuck since the start is none, holding it is one."""
    debounce = Debounce(20 * MS)
    found = [debounce.take(level == "1", i * 10 * MS) for i, level in enumerate(levels)]
    assert sum(found) == presses


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"safe": "maybe"}, "output[0].safe: 'maybe' is not known"),
        ({"function": "horn"}, "output[0].function"),
        ({"heartbeat_s": 1}, "output[0].heartbeat_s: it goes with heartbeat_file"),
        ({"colour": "red"}, "output[0].colour: unknown key"),
        ({"id": "a/b"}, "output[0].id"),
    ],
)
def test_a_slip_in_the_tables_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """A wrong key or value of an output is told with its place and the mend."""
    (tmp_path / "r.toml").write_text(RULES)
    values = {"safety": {"rules": ["r.toml"]}, "output": [{**TEXT, **change}]}
    with pytest.raises(EdgeConfigError) as caught:
        parse(Table(values, "edge.toml"), tmp_path)
    assert said in str(caught.value)


def test_outputs_without_rules_are_refused(tmp_path: Path) -> None:
    """An output that nothing could ever drive is a mistake."""
    with pytest.raises(EdgeConfigError, match="no rule that could drive them"):
        parse(Table({"output": [TEXT]}, "edge.toml"), tmp_path)


def test_check_reads_wires_and_drives_nothing(folder: Path) -> None:
    """The installer is told what answers; no wire has moved."""
    site = Site(folder)
    site.safety.stop()
    before = site.level("siren")
    found = {
        r.place: (r.ok, r.text)
        for r in check(parse(Table(site.values, "e"), folder), "site", [CH4, CO], folder)
    }
    assert found["output siren"] == (True, "answers: off now")
    assert "judged here at 1 points: site/gas/CH4" in found["rule methane-high"][1]
    assert site.level("siren") == before
    (folder / "siren").write_text("x")
    with pytest.raises(DriverError, match="neither 0 nor 1"):
        FileLine(folder / "siren").read()


def test_nothing_is_made_where_nothing_is_asked(tmp_path: Path) -> None:
    """A gateway without rules and buttons judges nothing and pays nothing."""
    assert make(SafetyConfig(), "s", "g", [CH4], state=tmp_path / "s", folder=tmp_path) is None
