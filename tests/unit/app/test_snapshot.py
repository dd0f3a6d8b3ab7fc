"""Detector state on disk: whole or absent, and what cannot be used is moved aside."""

from __future__ import annotations

import errno
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acceptance.playing import SECOND, START, pipeline
from minewatch.app import snapshot
from minewatch.app.pipeline import NEVER, Pipeline
from minewatch.contracts import PointInfo, ReadingBatch
from minewatch.errors import StoreError

INFO = PointInfo(
    "karaganda-demo/ch4-face-60/ch4", "karaganda-demo", "gw", "ch4-face-60", "ch4", "methane", "% CH4",
    "longwall-7/face", interval_s=3.0,
)  # fmt: skip


def fed(seconds: int = 60) -> Pipeline:
    """Return a pipeline that has seen a minute."""
    made = pipeline()
    rows = made.register([INFO])
    n = seconds
    made.take(
        ReadingBatch(
            np.repeat(rows, n), START + np.arange(n) * SECOND, np.linspace(0.3, 0.4, n),
            np.zeros(n, np.uint8), np.zeros(n, np.bool_),
        ),
        START + n * SECOND,
    )  # fmt: skip
    made.flush()
    return made


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    """Both engines' state is the same to the byte."""
    old, path = fed(), tmp_path / "state.bin"
    snapshot.save(old, path, START + 60 * SECOND)
    new = pipeline(old.records, old.telemetry)
    snapshot.load(new, path, START + 61 * SECOND)
    assert new.engine.last_ns().tolist() == old.engine.last_ns().tolist()
    assert new.history.engine.snapshot() == old.history.engine.snapshot()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: b"",
        lambda raw: b"minewatch state 0\n" + raw[18:],
        lambda raw: raw[:200] + bytes([raw[200] ^ 1]) + raw[201:],
        lambda raw: raw[:20] + bytes([raw[20] ^ 1]) + raw[21:],
        lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
        lambda raw: raw + b"x",
    ],
    ids=["half", "empty", "version", "bit", "time", "last-part", "longer"],
)
def test_what_cannot_be_used_is_moved_aside(tmp_path: Path, spoil: object) -> None:
    """The service starts without it; the file is kept beside for whoever wants to know why."""
    assert callable(spoil)
    path = tmp_path / "state.bin"
    old = fed()
    snapshot.save(old, path, START)
    path.write_bytes(spoil(path.read_bytes()))
    new = pipeline(old.records)
    snapshot.load(new, path, START + 61 * SECOND)
    assert new.engine.last_ns().tolist() == [NEVER], "a part of it was taken over"
    assert new.engine.state.chart.seen[0] == 0
    assert not path.exists()
    assert (tmp_path / "state.unusable").exists()
    rows = new.register([INFO])
    events = new.take(ReadingBatch.of(rows.tolist(), [START + 70 * SECOND], [3.0]), START + 70 * SECOND)
    assert "methane-trip" in {event.alert.rule for event in events}


def test_without_a_file_it_starts_anew(tmp_path: Path) -> None:
    """The first start is no fault."""
    snapshot.load(pipeline(), tmp_path / "none.bin", START)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    """The path and the reason are in the error, and what was there before stays."""
    with pytest.raises(StoreError, match="none/state"):
        snapshot.save(fed(), tmp_path / "none/state.bin", START)


def test_a_point_replaced_after_the_snapshot_is_read_back_from_then_on(tmp_path: Path) -> None:
    """What its place measured before teaches the new one nothing: as if the service had never stopped."""
    old, path = fed(), tmp_path / "state.bin"
    snapshot.save(old, path, START + 60 * SECOND)
    ppm = replace(INFO, unit="ppm", valid_from_ns=START + 70 * SECOND)
    for first, info, value in ((60, INFO, 0.4), (70, ppm, 4000.0)):
        rows = old.register([info])
        for second in range(first, first + 10):
            now = START + second * SECOND
            old.take(ReadingBatch.of(rows.tolist(), [now], [value + second % 3 / 10]), now)
    old.flush()
    new = pipeline(old.records, old.telemetry)
    snapshot.load(new, path, START + 80 * SECOND)
    assert new.engine.state.chart.seen[0] == 10
    assert new.engine.state.chart.mean[0] == old.engine.state.chart.mean[0]


def test_state_is_written_aside_as_it_was_when_asked(tmp_path: Path) -> None:
    """A writer of its own keeps the moment that it was asked at; readings since then are not in its file."""
    mine, path = fed(), tmp_path / "state.bin"
    expected = mine.engine.snapshot()
    saver = snapshot.Saver(mine, path)
    saver.start(START + 60 * SECOND)
    mine.take(ReadingBatch.of([0], [START + 90 * SECOND], [0.9]), START + 90 * SECOND)
    saver.look(wait=True)
    assert expected in path.read_bytes()
    saver.finish(START + 90 * SECOND)
    new = pipeline(mine.records, mine.telemetry)
    snapshot.load(new, path, START + 91 * SECOND)
    assert new.engine.last_ns().tolist() == [START + 90 * SECOND]
    assert expected != mine.engine.snapshot()


def test_a_writer_that_fails_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log names the file and the reason once, however often it is tried."""
    saver = snapshot.Saver(fed(1), tmp_path / "none/state.bin")
    for second in range(3):
        saver.finish(START + second * SECOND)
    said = capsys.readouterr().out
    assert said.count("detector state not written") == 1
    assert "none/state.bin: detector state cannot be written (No such file or directory)" in said


def test_a_writer_that_is_killed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file of before stays, and the log says that the new one was not written."""
    mine, path = fed(1), tmp_path / "state.bin"
    saver = snapshot.Saver(mine, path)
    saver.finish(START + 60 * SECOND)
    before = path.read_bytes()
    saver.start(START + 61 * SECOND)
    os.kill(saver._child, signal.SIGSTOP)
    os.kill(saver._child, signal.SIGKILL)
    saver.look(wait=True)
    said = capsys.readouterr().out
    assert path.read_bytes() == before or "state not written" not in said  # it may have been quicker
    assert path.read_bytes() != before or f"{path}: its writer was ended by signal 9" in said


def test_no_process_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine that refuses a process costs the file, said once, and nothing else; then it goes on."""
    saver = snapshot.Saver(fed(1), tmp_path / "state.bin")
    open_before = len(list(Path("/proc/self/fd").iterdir()))

    def refused() -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", refused)
        saver.start(START)
        saver.finish(START + SECOND)
    assert capsys.readouterr().out.count("no process can be started") == 1
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    saver.finish(START + 2 * SECOND)
    assert (tmp_path / "state.bin").exists()


def test_a_writer_holds_nothing_open(tmp_path: Path) -> None:
    """A peer sees at once that the core has ended, though its writer still writes."""
    ours, theirs = socket.socketpair()
    saver = snapshot.Saver(fed(1), tmp_path / "state.bin")
    with theirs:
        saver.start(START)
        ours.close()
        theirs.settimeout(30)
        assert theirs.recv(1) == b""
        saver.look(wait=True)
