"""The spool keeps what nobody acknowledged, whatever happens to the disk, the file or the process."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minewatch_edge.errors import SpoolInUse, SpoolUnavailable
from minewatch_edge.gaps import Gap
from minewatch_edge.rows import Columns, NewRow, note_row, pack
from minewatch_edge.spool import Reject, Spool, SpoolLimits, SpoolPoint

POINTS = (SpoolPoint("d", "a", "{}"), SpoolPoint("d", "b", "{}"))
SECOND = 1_000_000_000


def row(value: float, *, n: int = 1, priority: int = 0) -> NewRow:
    """Return a row of ``n`` readings of point 0."""
    times = [int(value) * 1000 + i for i in range(n)]
    return NewRow("d", Columns([0] * n, times, [value] * n, [192] * n), priority)


def opened(path: Path, limits: SpoolLimits | None = None, boot: str = "boot") -> Spool:
    """Return an open spool."""
    spool = Spool(path, limits, boot=boot)
    spool.open(POINTS)
    return spool


def fill(spool: Spool) -> int:
    """Append until the disk refuses, and return how many rows it took."""
    for done in range(10_000):
        try:
            spool.append([row(float(done), n=100)], SECOND)
        except SpoolUnavailable:
            return done
    raise AssertionError("it never filled up")


def values(spool: Spool, after: int = 0) -> list[tuple[int, float]]:
    """Return (id, first value) of the rows held."""
    return [(r.id, r.columns.values[0]) for r in spool.unacknowledged(after, 10_000)]


def test_rows_stay_until_they_are_acknowledged(tmp_path: Path) -> None:
    """Ids rise from 1 without a gap, and only rows up to the acknowledged id are deleted."""
    spool = opened(tmp_path / "s")
    assert spool.append([row(1.0), row(2.0)], SECOND) == 1
    assert spool.append([row(3.0)], SECOND) == 3
    assert spool.acknowledge(spool.identity, 2) == 2
    assert values(spool) == [(3, 3.0)]
    assert (spool.first_id, spool.last_id, spool.held_rows) == (3, 3, 1)


def test_a_source_with_a_wrong_year_does_not_draw_the_clock_after_it(tmp_path: Path) -> None:
    """A restart goes on from the agent's own time, but for a minute of readings given in advance."""
    spool = opened(tmp_path / "s")
    spool.append([row(5.0)], 10 * SECOND)
    assert spool.last_ms == 5_000
    spool.append([row(30.0)], 10 * SECOND)
    assert spool.last_ms == 30_000
    spool.append([row(4e9), row(31.0)], 10 * SECOND)
    assert spool.last_ms == 70_000
    spool.close()
    assert opened(tmp_path / "s").last_ms == 70_000


def test_the_acknowledgement_of_another_spool_is_ignored(tmp_path: Path) -> None:
    """A host that remembers an older spool of this gateway deletes nothing."""
    spool = opened(tmp_path / "s")
    spool.append([row(1.0)], SECOND)
    assert spool.acknowledge("another", 1) == 0
    assert spool.held_rows == 1


def test_an_acknowledgement_beyond_the_end_deletes_what_there_is(tmp_path: Path) -> None:
    """Ids given later are not touched by an acknowledgement that ran ahead."""
    spool = opened(tmp_path / "s")
    spool.append([row(1.0)], SECOND)
    spool.acknowledge(spool.identity, 99)
    assert spool.append([row(2.0)], SECOND) == 2
    assert values(spool) == [(2, 2.0)]


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """Identity, ids, counters and bdSeq go on where they were, also when all rows were acknowledged."""
    spool = opened(tmp_path / "s")
    spool.append([row(1.0), row(2.0)], SECOND, sent=5, lost=Gap("memory", (), 1))
    spool.save_bd_seq(7)
    spool.acknowledge(spool.identity, 2)
    identity = spool.identity
    spool.close()
    again = opened(tmp_path / "s")
    assert (again.identity, again.bd_seq) == (identity, 7)
    assert (again.counters.sampled, again.counters.sent, again.counters.acked) == (3, 5, 2)
    assert again.counters.dropped == 1
    assert again.append([row(3.0)], SECOND) == 3


def test_no_id_is_given_twice_after_a_power_cut(tmp_path: Path) -> None:
    """Numbering goes on beyond the reserved ids, the name stays, and a gap note tells which will not come."""
    spool = opened(tmp_path / "s", boot="monday")
    spool.append([row(1.0), row(2.0), row(3.0)], SECOND)
    spool.acknowledge(spool.identity, 1)
    identity = spool.identity
    spool._file.close()  # as a kill leaves it: not marked clean
    killed = opened(tmp_path / "s", boot="monday")
    assert killed.identity == identity
    killed._file.close()
    cut = opened(tmp_path / "s", boot="tuesday")
    assert cut.identity == identity
    assert values(cut) == [(2, 2.0), (3, 3.0)]
    fresh = cut.append([row(4.0)], SECOND)
    assert fresh > 10_000
    ((number, note),) = cut.tell_gaps(9 * SECOND)
    told = json.loads(note.note)
    assert (told["kind"], told["reason"], told["ids"]) == ("gap", "power-cut", [[4, fresh - 1]])
    assert (told["readings"], told["from_ms"], told["to_ms"]) == (None, 3_000, 9_000)
    assert cut.tell_gaps(9 * SECOND) == []
    assert cut.acknowledge(cut.identity, fresh) == 3
    assert [r.id for r in cut.unacknowledged(0, 9)] == [number]


def test_a_spool_that_waits_for_the_disk_keeps_its_identity(tmp_path: Path) -> None:
    """With full sync a power cut takes no commit, so ids go on without a gap."""
    limits = SpoolLimits(full_sync=True)
    spool = opened(tmp_path / "s", limits, boot="monday")
    spool.append([row(1.0)], SECOND)
    identity = spool.identity
    spool._file.close()
    again = opened(tmp_path / "s", limits, boot="tuesday")
    assert (again.identity, again.append([row(2.0)], SECOND)) == (identity, 2)
    assert again.tell_gaps(SECOND) == []


def test_two_agents_on_one_spool_are_refused(tmp_path: Path) -> None:
    """The second one is told; when the first is gone it may begin."""
    first = opened(tmp_path / "s")
    with pytest.raises(SpoolInUse, match="another agent"):
        opened(tmp_path / "s")
    first.close()
    opened(tmp_path / "s").close()


def test_points_no_driver_has_any_more_are_kept_while_rows_speak_of_them(tmp_path: Path) -> None:
    """Rows keep their points over a changed configuration; without rows the old points are forgotten."""
    spool = opened(tmp_path / "s")
    spool.append([NewRow("d", Columns([1], [1], [5.0], [192]))], SECOND)
    spool.close()
    new = (SpoolPoint("e", "x", "{}"),)
    changed = Spool(tmp_path / "s", boot="boot")
    changed.open(new)
    assert [(p.device, p.metric) for p in changed.points] == [("e", "x"), ("d", "a"), ("d", "b")]
    held = changed.unacknowledged(0, 1)[0]
    assert changed.points[held.columns.points[0]].metric == "b"
    changed.acknowledge(changed.identity, 1)
    changed.close()
    empty = Spool(tmp_path / "s", boot="boot")
    empty.open(new)
    assert empty.points == new


def test_a_full_spool_gives_up_the_oldest_and_counts_them(tmp_path: Path) -> None:
    """The file stays below its cap; what is given up is counted, the newest rows are held."""
    spool = opened(tmp_path / "s", SpoolLimits(max_bytes=200_000))
    for i in range(200):
        spool.append([row(float(i), n=100)], SECOND)
        spool.evict(SECOND)
    assert spool.figures()[0] <= 200_000
    counters = spool.counters
    assert counters.evicted_size > 0
    assert counters.sampled == 20_000 == counters.held + counters.evicted
    held = values(spool)
    assert held[-1] == (200, 199.0)
    assert held[0][0] == spool.first_id
    assert counters.held == 100 * len(held)


def test_a_full_spool_gives_up_what_matters_least_first(tmp_path: Path) -> None:
    """Ordinary rows go before those with a priority, notes last, and a note tells each id that is gone."""
    spool = opened(tmp_path / "s", SpoolLimits(max_bytes=150_000))
    spool.append([note_row({"kind": "alert"})], SECOND)
    for i in range(2, 200):
        spool.append([row(float(i), n=100, priority=int(i % 40 == 0))], SECOND)
        spool.evict(SECOND)
    held = [r.id for r in spool.unacknowledged(0, 1_000)]
    assert [i for i in held if i % 40 == 0] == [40, 80, 120, 160]
    assert held[0] == 1
    spool.tell_gaps(SECOND)
    (_, note) = spool.notes(0, 10)
    told = json.loads(note.note)
    gone = {i for a, b in told["ids"] for i in range(a, b + 1)}
    assert gone == set(range(1, 200)) - set(held)
    assert told["readings"] == spool.counters.evicted == 100 * len(gone)
    for _ in range(400):  # now nothing but rows that matter, until the oldest of them go too
        spool.append([row(500.0, n=100, priority=1)], SECOND)
        spool.evict(SECOND)
    held = [r.id for r in spool.unacknowledged(0, 1_000)]
    assert 40 not in held
    assert held[0] == 1
    assert [json.loads(n.note)["kind"] for n in spool.notes(0, 10)] == ["alert", "gap"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["row", "matters", "note", "ack", "evict", "age", "lose", "cut"]),
                  st.integers(0, 60)),
        max_size=40,
    )
)  # fmt: skip
def test_every_reading_is_in_one_place(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """In any order of events sampled = acked + held + evicted + dropped, and held is there."""
    path = tmp_path_factory.mktemp("spool") / "s"
    limits = SpoolLimits(max_bytes=80_000, max_age_ns=20 * SECOND)
    boot, now, given = 0, 100, 0
    spool = opened(path, limits, boot="0")
    for what, number in steps:
        now += 1
        if what in ("row", "matters"):
            spool.append([row(float(now), n=number + 1, priority=int(what == "matters"))], now * SECOND)
            given += number + 1
        elif what == "note":
            spool.append([note_row({"kind": "x", "n": number})], now * SECOND)
        elif what == "ack":
            spool.acknowledge(spool.identity, spool.owed_from + number)
        elif what == "evict":
            for _ in range(12):
                spool.append([row(float(now), n=100)], now * SECOND)
            given += 1_200
            spool.evict(now * SECOND)
            spool.tell_gaps(now * SECOND)
        elif what == "age":
            now += number
            spool.evict(now * SECOND)
        elif what == "lose":
            spool.count(now * SECOND, lost=Gap("memory", (), number, 0, 1, 2))
            given += number
        else:
            spool._file.close()
            boot += 1
            spool = opened(path, limits, boot=str(boot))
        counters = spool.counters
        assert counters.sampled == given
        assert counters.sampled == counters.acked + counters.held + counters.evicted + counters.dropped
        rows = spool.unacknowledged(0, 10_000)
        assert counters.held == sum(len(r.columns.points) for r in rows)
        assert (spool.held_rows, spool.first_id) == (len(rows), rows[0].id if rows else spool.last_id + 1)
    spool.close()


def test_a_cap_that_was_lowered_by_much_is_reached_over_several_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call gives up a bounded number of rows, so that the agent goes on; the next ones the rest."""
    monkeypatch.setattr("minewatch_edge.spool._EVICT_A_CALL", 200)
    spool = opened(tmp_path / "s", SpoolLimits(max_bytes=100_000))
    spool.append([row(float(i), n=20) for i in range(3_000)], SECOND)
    calls = 0
    while spool._file.used_bytes() > 100_000:
        before = spool.held_rows
        spool.evict(SECOND)
        calls += 1
        assert 0 < before - spool.held_rows <= 260
    assert calls > 3
    spool.close()


def test_old_readings_are_given_up_by_age(tmp_path: Path) -> None:
    """Rows beyond the age cap go, younger ones stay."""
    spool = opened(tmp_path / "s", SpoolLimits(max_age_ns=60 * SECOND))
    for t in (0, 30, 90):
        spool.append([row(float(t))], t * SECOND)
    assert spool.evict(100 * SECOND) == 2
    assert values(spool) == [(3, 90.0)]
    assert spool.counters.evicted_age == 2
    assert spool.evict(10_000 * SECOND, by_age=False) == 0


def test_a_corrupt_file_is_moved_aside(tmp_path: Path) -> None:
    """A file that is no database is kept under another name, and a new spool begins."""
    path = tmp_path / "s"
    path.write_bytes(b"not a database at all" * 500)
    spool = opened(path)
    assert spool.moved_aside == tmp_path / "s.corrupt-1"
    assert spool.moved_aside.read_bytes().startswith(b"not a database")
    assert spool.append([row(1.0)], SECOND) == 1


def test_a_file_that_turns_corrupt_in_use_is_moved_aside(tmp_path: Path) -> None:
    """A page destroyed under a running agent costs that file, not the agent; the caller tries again."""
    path = tmp_path / "s"
    spool = opened(path)
    identity = spool.identity
    for i in range(200):
        spool.append([row(float(i), n=50)], SECOND)
    spool.close()
    raw = bytearray(path.read_bytes())
    raw[20 * 4096 :] = b"\xff" * (len(raw) - 20 * 4096)
    path.write_bytes(bytes(raw))
    spool = Spool(path, boot="boot")
    with suppress(SpoolUnavailable):
        spool.open(POINTS)
    spool.append([row(1000.0)], SECOND)
    assert spool.moved_aside is not None
    assert spool.identity == identity


def test_a_full_disk_changes_nothing_and_is_recovered_from(tmp_path: Path) -> None:
    """A refused append leaves counters and ids as they were; after room was made it goes through."""
    spool = opened(tmp_path / "s", SpoolLimits(max_pages=40))
    done = fill(spool)
    assert (spool.last_id, spool.counters.sampled) == (done, 100 * done)
    spool.acknowledge(spool.identity, done // 2)
    assert spool.append([row(0.5)], SECOND) == done + 1


def test_a_disk_that_cannot_be_written_is_a_state(tmp_path: Path) -> None:
    """A path where no file can be made raises SpoolUnavailable, and works once it can."""
    (tmp_path / "blocked").write_text("a file, not a folder")
    spool = Spool(tmp_path / "blocked" / "s", boot="boot")
    with pytest.raises(SpoolUnavailable):
        spool.open(POINTS)
    with pytest.raises(SpoolUnavailable):
        spool.append([row(1.0)], SECOND)
    (tmp_path / "blocked").unlink()
    assert spool.append([row(1.0)], SECOND) == 1


def test_rows_with_a_priority_are_kept_as_others(tmp_path: Path) -> None:
    """A row that waits for the disk is an ordinary row afterwards."""
    spool = opened(tmp_path / "s")
    spool.append([row(1.0, priority=1), row(2.0)], SECOND)
    assert values(spool) == [(1, 1.0), (2, 2.0)]


def test_rejects_are_counted_and_the_newest_kept(tmp_path: Path) -> None:
    """Each rejected line is counted; only the newest thousand are kept to read."""
    spool = opened(tmp_path / "s")
    spool.reject([Reject(SECOND, "d", "time", f"line {i}") for i in range(1500)])
    spool.reject([Reject(SECOND, "d", "value", "last")])
    assert spool.counters.rejected == 1501
    found = spool.rejects(5000)
    assert len(found) == 1000
    assert (found[0].reason, found[0].text) == ("value", "last")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 5)),
            st.tuples(st.just("ack"), st.integers(0, 30)),
            st.tuples(st.sampled_from(["kill", "close", "power"]), st.just(0)),
        ),
        max_size=25,
    )
)
def test_whatever_happens_nothing_unacknowledged_is_missing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """In any order of appends, acknowledgements, kills and restarts the rows held are exactly those owed."""
    path = tmp_path_factory.mktemp("spool") / "s"
    boot, count, owed, given = "0", 0, list[float](), list[int]()
    spool = opened(path, boot=boot)
    for what, number in steps:
        if what == "append":
            fresh = [float(count + i) for i in range(number)]
            count += number
            first = spool.append([row(v) for v in fresh], SECOND)
            assert first > max(given, default=0)
            given += range(first, first + number)
            owed += fresh
        elif what == "ack":
            held = [i for i, _ in values(spool)]
            upto = held[min(number, len(held)) - 1] if held and number else spool.owed_from - 1
            spool.acknowledge(spool.identity, upto)
            owed = owed[sum(i <= upto for i in held) :]
        else:
            spool.close() if what == "close" else spool._file.close()
            boot = str(int(boot) + (what == "power"))
            spool = opened(path, boot=boot)
        found = values(spool)
        assert [v for _, v in found] == owed
        assert [i for i, _ in found] == sorted(set(given) & {i for i, _ in found})
        assert len(found) == spool.held_rows
        assert spool.counters.held == len(owed)
    spool.close()


WRITER = """
import sys
from pathlib import Path
from minewatch_edge.rows import Columns, NewRow
from minewatch_edge.spool import Spool, SpoolPoint
spool = Spool(Path(sys.argv[1]), boot="boot")
spool.open((SpoolPoint("d", "a", "{}"),))
n = 0
while True:
    n += 1
    spool.append([NewRow("d", Columns([0], [n], [float(n)], [192]))], n)
    print(n, flush=True)
"""


def test_kill_nine_loses_no_committed_row(tmp_path: Path) -> None:
    """A writer killed in the middle has on disk every row whose append returned."""
    path = tmp_path / "s"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(500):
        writer.stdout.readline()
    writer.kill()
    rest = writer.stdout.read().split()
    writer.wait(10)
    said = max([500, *(int(n) for n in rest[:-1])])
    spool = Spool(path, boot="boot")
    spool.open((SpoolPoint("d", "a", "{}"),))
    held = [v for _, v in values(spool)]
    assert held == [float(n) for n in range(1, len(held) + 1)]
    assert len(held) >= said
    assert spool.counters.sampled == len(held)


VERSION_1 = """
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), identity TEXT NOT NULL DEFAULT '',
    base INTEGER NOT NULL DEFAULT 0, bd_seq INTEGER NOT NULL DEFAULT -1, last_ms INTEGER NOT NULL DEFAULT 0,
    boot TEXT NOT NULL DEFAULT '', clean INTEGER NOT NULL DEFAULT 1,
    sampled INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0, acked INTEGER NOT NULL DEFAULT 0,
    evicted_size INTEGER NOT NULL DEFAULT 0, evicted_age INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0);
INSERT INTO state (one, identity, base, bd_seq, last_ms, sampled, acked, dropped)
    VALUES (1, 'old', 5, 7, 9000, 6, 4, 2);
CREATE TABLE point (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, birth TEXT NOT NULL,
    UNIQUE (device, metric));
INSERT INTO point VALUES (1, 'd', 'a', '{}');
CREATE TABLE row (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ts INTEGER NOT NULL, priority INTEGER NOT NULL,
    device TEXT NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE reject (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ts INTEGER NOT NULL, device TEXT NOT NULL,
    reason TEXT NOT NULL, text TEXT NOT NULL);
PRAGMA user_version = 1;
"""


def test_a_spool_of_version_1_is_taken_over_in_place(tmp_path: Path) -> None:
    """Rows keep the ids the host knows them by, counters go on, and new ids follow the last one given."""
    db = sqlite3.connect(tmp_path / "s")
    db.executescript(VERSION_1)
    for key, value in ((10, 3.0), (11, 4.0)):  # ids 5 and 6 of the spool "old"
        body = pack(Columns([1], [1000], [value], [192]))
        db.execute("INSERT INTO row VALUES (?, 1000, 0, 'd', 1, ?)", (key, body))
    db.commit()
    db.close()
    spool = opened(tmp_path / "s")
    assert (spool.identity, spool.bd_seq, spool.moved_aside) == ("old", 7, None)
    assert values(spool) == [(5, 3.0), (6, 4.0)]
    assert (spool.owed_from, spool.counters.sampled, spool.counters.held) == (5, 8, 2)
    assert spool.append([row(5.0)], SECOND) == 7
    assert spool.tell_gaps(SECOND) == []
    spool.close()
    assert opened(tmp_path / "s").held_rows == 3


def test_another_version_is_not_misread(tmp_path: Path) -> None:
    """A spool of a later version is set aside, not interpreted."""
    opened(tmp_path / "s").close()
    db = sqlite3.connect(tmp_path / "s")
    db.execute("PRAGMA user_version = 3")
    db.close()
    assert opened(tmp_path / "s").moved_aside is not None
