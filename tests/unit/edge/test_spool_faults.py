"""The spool on disks that fail: destroyed bytes, a vanished folder, a full and a read-only file system."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from minewatch_edge import salvage
from minewatch_edge.errors import SpoolUnavailable
from minewatch_edge.rows import Columns, NewRow
from minewatch_edge.spool import Spool
from minewatch_edge.spool_types import Mark, SpoolPoint
from unit.edge.test_spool import POINTS, SECOND, fill, opened, row, values

PAGE = 4096


def patiently(spool: Spool, value: float) -> int:
    """Append a row as the agent does: a refusal is followed by another try."""
    for _ in range(4):
        try:
            return spool.append([row(value)], SECOND)
        except SpoolUnavailable:
            continue
    raise AssertionError("the spool never took it")


def gap_ids(spool: Spool, reason: str) -> set[int]:
    """Return the ids that the spool's notes of a reason tell of."""
    spool.tell_gaps(SECOND)
    told = [json.loads(note.note) for note in spool.notes(0, 10_000)]
    return {i for t in told if t["reason"] == reason for a, b in t["ids"] for i in range(a, b + 1)}


@pytest.mark.parametrize("seed", range(6))
def test_destroyed_pages_cost_the_rows_in_them_and_no_more(tmp_path: Path, seed: int) -> None:
    """Of pages overwritten under a spool each row is taken over whole, or told by a gap note; none twice."""
    path = tmp_path / "s"
    spool = opened(path)
    for i in range(1, 301):
        spool.append([row(float(i), n=30)], SECOND)
    spool.acknowledge(spool.identity, 20)
    spool.close()
    spool = opened(path)
    identity, pages = spool.identity, path.stat().st_size // PAGE
    chance = random.Random(seed)
    with path.open("r+b") as file:
        for page in chance.sample(range(1 if seed else 0, pages), 6):
            file.seek(page * PAGE)
            file.write(chance.randbytes(PAGE))
    spool._file.db.execute("PRAGMA cache_size = 0")
    spool._file.db.execute("PRAGMA shrink_memory")
    for _ in range(4):
        try:
            spool.unacknowledged(0, 10_000)
            break
        except SpoolUnavailable:
            continue
    new = patiently(spool, 999.0)
    assert spool.identity == identity
    assert new > 300
    lost, held = gap_ids(spool, "disk"), dict(values_of_readings(spool))
    assert {*held} - {new} | (lost & set(range(21, 301))) == set(range(21, 301))
    assert not lost & {*held}
    assert all(value == float(i) for i, value in held.items() if i <= 300)
    counters = spool.counters
    assert counters.sampled == 300 * 30 + 1
    assert counters.held == sum(len(r.columns.points) for r in spool.unacknowledged(0, 10_000))
    if spool.moved_aside is not None:
        assert (tmp_path / "s.corrupt-1.taken").exists()


def values_of_readings(spool: Spool) -> list[tuple[int, float]]:
    """Return (id, first value) of the rows with readings."""
    return [(r.id, r.columns.values[0]) for r in spool.unacknowledged(0, 10_000) if not r.note]


def test_a_file_destroyed_while_the_agent_was_off_is_taken_over_too(tmp_path: Path) -> None:
    """What the file says of itself is enough to keep name and ids; new ids are far beyond the old ones."""
    path = tmp_path / "s"
    spool = opened(path)
    for i in range(1, 301):
        spool.append([row(float(i), n=30)], SECOND)
    identity = spool.identity
    spool.close()
    raw = bytearray(path.read_bytes())
    raw[-12 * PAGE :] = b"\xff" * (12 * PAGE)
    path.write_bytes(bytes(raw))
    spool = Spool(path, boot="boot")
    try:
        spool.open(POINTS)
        spool.unacknowledged(0, 10_000)
    except SpoolUnavailable:
        pass
    new = patiently(spool, 999.0)
    assert spool.identity == identity
    assert new > 300
    lost, held = gap_ids(spool, "disk"), {i for i, _ in values_of_readings(spool)}
    assert len(held) > 200
    assert (held - {new}) | (lost & set(range(1, 301))) == set(range(1, 301))
    assert "taken over" in spool.salvaged


def test_a_file_of_which_nothing_can_be_read_is_told(tmp_path: Path) -> None:
    """A spool that begins from nothing says that an unknown number of readings is lost."""
    path = tmp_path / "s"
    path.write_bytes(b"not a database at all" * 500)
    spool = opened(path)
    ((_, note),) = spool.tell_gaps(7 * SECOND)
    told = json.loads(note.note)
    assert (told["reason"], told["ids"], told["readings"]) == ("disk", [], None)


def test_a_vanished_folder_loses_nothing(tmp_path: Path) -> None:
    """A folder deleted under the running spool is noticed; the rows go into a new file, with their ids."""
    folder = tmp_path / "var"
    spool = opened(folder / "s")
    for i in range(1, 51):
        spool.append([row(float(i))], SECOND)
    spool.acknowledge(spool.identity, 10)
    identity = spool.identity
    shutil.rmtree(folder)
    with pytest.raises(SpoolUnavailable, match="vanished"):
        spool.evict(SECOND)
    new = patiently(spool, 51.0)
    assert spool.identity == identity
    assert values_of_readings(spool) == [*((i, float(i)) for i in range(11, 51)), (new, 51.0)]
    assert spool.counters.dropped == 0
    assert (folder / "s").exists()
    spool.close()
    assert len(values(opened(folder / "s"))) == 41


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    """Mount a small file system of its own; skip where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("mounting needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting needs root"
)


@needs_mount
def test_a_really_full_disk_is_borne(tmp_path: Path) -> None:
    """On a file system without room an append changes nothing; acknowledged rows make room again."""
    with tmpfs(tmp_path / "small", "9m") as folder:
        spool = opened(folder / "s")
        done = fill(spool)
        assert spool.counters.sampled == 100 * done
        assert [i for i, _ in values(spool)] == list(range(1, done + 1))
        spool.close()
        again = opened(folder / "s")
        assert again.held_rows == done
        again.acknowledge(again.identity, done // 2)
        assert again.append([row(0.5)], SECOND) == done + 1
        again.close()


@needs_mount
def test_a_disk_that_turns_read_only_is_borne(tmp_path: Path) -> None:
    """A read-only file system refuses, keeps what it had, and is used again when it can be written."""
    with tmpfs(tmp_path / "flips", "8m") as folder:
        spool = opened(folder / "s")
        spool.append([row(1.0)], SECOND)
        spool.close()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        spool = Spool(folder / "s", boot="boot")
        with pytest.raises(SpoolUnavailable):
            spool.open(POINTS)
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        assert spool.append([row(2.0)], SECOND) == 2
        assert values(spool) == [(1, 1.0), (2, 2.0)]
        spool.close()


@pytest.mark.parametrize("free", [0, 10**9])
def test_rows_are_taken_over_only_where_the_disk_has_room(tmp_path: Path, free: int) -> None:
    """Without room a copy would fail for ever: the rows are told as lost, sources go on where they were."""
    old = Spool(tmp_path / "old", boot="a")
    old.open([SpoolPoint("gas", "CH4", "{}")])
    rows = [NewRow("gas", Columns([0], [at], [1.0], [192]), mark=str(at)) for at in range(1, 2_001)]
    old.append(rows, 10**9)
    old.close()
    new = Spool(tmp_path / "new", boot="a")
    new.open()
    worked = []
    with (
        closing(sqlite3.connect(tmp_path / "old")) as source,
        closing(sqlite3.connect(tmp_path / "new", isolation_level=None)) as db,
    ):
        gap, said = salvage.take_over(source, db, Mark(), free=free, working=lambda: worked.append(1))
    marks = new.marks()
    new.close()
    assert marks == {"gas": "2000"}
    assert (gap and gap.readings, "no room" in said) == ((None, False) if free else (2_000, True))
    assert len(worked) == (4 if free else 0)  # once each 500 rows
