"""A recording through drivers of the edge agent."""

from pathlib import Path

from minewatch.ingest.map import load_map
from minewatch.ingest.recording import Recording
from minewatch_edge.drivers.driver import Reading
from minewatch_sim.player import Play, RecordedGateway, gateways

MAP = """
[file]
time = "t"
format = "unix_s"
[[point]]
column = "a"
place = "s/deep/dev/a"
quantity = "methane"
unit = "% CH4"
interval_s = 10
[[point]]
column = "b"
place = "s2/dev/b"
quantity = "current"
unit = "A"
"""
S = 10**9
NOW = 2_000_000_000 * S


def opened(folder: Path, play: Play) -> dict[tuple[str, str], RecordedGateway]:
    """Open a recording of five rows: two seconds, then a gap of 1,000."""
    (folder / "m.toml").write_text(MAP)
    (folder / "r.csv").write_text("t,a,b\n100,1,10\n101,2,20\n102,3,30\n1102,4,40\n1103,5,50\n")
    return gateways(lambda: Recording(load_map(folder / "m.toml"), [folder / "r.csv"]), play)


def played(driver: RecordedGateway, until_s: float) -> list[Reading]:
    """Poll a driver whenever it is due, until a second of the playing."""
    found: list[Reading] = []
    now = NOW
    while now <= NOW + until_s * S and not driver.finished:
        found += driver.poll(now)
        now = max(driver.due_ns(now), now + 1)
    return found


def test_each_site_is_a_gateway_of_its_own(tmp_path: Path) -> None:
    """Points are filed under their sites; a path of a device becomes one name."""
    found = opened(tmp_path, Play())
    assert list(found) == [("s", "recording"), ("s2", "recording")]
    [birth] = found["s", "recording"].points()
    assert (birth.device, birth.metric, birth.interval_s) == ("deep-dev", "a", 10)


def test_times_are_moved_to_now(tmp_path: Path) -> None:
    """Readings come at their pace, stamped as if it happened now."""
    got = played(opened(tmp_path, Play())["s", "recording"], 5)
    assert [(r.value, r.ts_ns - NOW) for r in got] == [(1.0, 0), (2.0, S), (3.0, 2 * S)]


def test_faster_and_with_long_gaps_cut(tmp_path: Path) -> None:
    """Ten times as fast a second is a tenth; a silence of 1,000 s is cut to 60."""
    driver = opened(tmp_path, Play(speed=10.0, longest_gap_s=60.0))["s", "recording"]
    got = played(driver, 100)
    assert [round((r.ts_ns - NOW) / S, 3) for r in got] == [0.0, 0.1, 0.2, 6.2, 6.3]
    assert driver.finished
    assert driver.taken == 5


def test_recorded_times_can_be_kept(tmp_path: Path) -> None:
    """As recorded means the times of the file."""
    got = played(opened(tmp_path, Play(as_recorded=True, longest_gap_s=1.0))["s2", "recording"], 10)
    assert [(r.ts_ns // S, r.value) for r in got] == [(100, 10), (101, 20), (102, 30), (1102, 40), (1103, 50)]


def test_gateways_of_one_recording_begin_together(tmp_path: Path) -> None:
    """The second gateway counts from when the first began."""
    found = opened(tmp_path, Play())
    found["s", "recording"].poll(NOW)
    late = found["s2", "recording"].poll(NOW + S)
    assert [r.ts_ns - NOW for r in late] == [0, S]


def test_an_ended_playing_gives_nothing_more(tmp_path: Path) -> None:
    """At the end no reading is taken, so that the spools can run empty."""
    play = Play()
    driver = opened(tmp_path, play)["s", "recording"]
    driver.poll(NOW)
    play.ended.set()
    assert driver.poll(NOW + 5 * S) == ()
    assert driver.taken == 1
