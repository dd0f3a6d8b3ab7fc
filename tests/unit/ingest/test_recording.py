"""A recording becomes batches; what is bad in it is counted and the rest goes on."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from minewatch.contracts import ReadingBatch
from minewatch.errors import MapError
from minewatch.ingest.map import load_map
from minewatch.ingest.recording import Recording

MAP = """
[file]
time = "t"
zone = "UTC"
missing = ["", "NA"]
{more}
[[point]]
column = "a"
place = "s/a"
quantity = "methane"
unit = "% CH4"
[[point]]
column = "b"
place = "s/b"
quantity = "current"
unit = "A"
scale = 2.0
offset = 1.0
"""


def recording(
    folder: Path, *texts: str, more: str = "", name: str = "r{}.csv", map_text: str = MAP
) -> Recording:
    """Open recordings of these texts under the map."""
    (folder / "map.toml").write_text(map_text.replace("{more}", more), encoding="utf-8")
    files = []
    for i, text in enumerate(texts):
        files.append(folder / name.format(i))
        body = text.encode()
        files[-1].write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    return Recording(load_map(folder / "map.toml"), files)


def read(recorded: Recording, rows: int = 16) -> ReadingBatch:
    """Read a recording as one batch."""
    return ReadingBatch.join(list(recorded.batches(rows)))


def rows_of(batch: ReadingBatch) -> list[tuple[int, int, float]]:
    """Return (point, second, value) rows."""
    return [
        (int(p), int(t) // 10**9, float(v))
        for p, t, v in zip(batch.point, batch.ts_ns, batch.value, strict=True)
    ]


def lines(n: int, start: int = 0) -> str:
    """Return n rows, one a second."""
    return "".join(f"1970-01-01 00:{i // 60:02d}:{i % 60:02d},{i},{i}\n" for i in range(start, start + n))


@pytest.mark.parametrize("name", ["r{}.csv", "r{}.csv.gz"])
def test_rows_become_readings(tmp_path: Path, name: str) -> None:
    """Each mapped field is a reading with its time, scaled, point after point."""
    recorded = recording(tmp_path, "x,t,b,a\n7,1970-01-01 00:00:05,10,1.5\n", name=name)
    assert rows_of(read(recorded)) == [(0, 5, 1.5), (1, 5, 21.0)]
    assert [p.place for p in recorded.points] == ["s/a", "s/b"]


@pytest.mark.parametrize("rows", [1, 2, 7, 1000])
def test_the_size_of_a_batch_changes_nothing(tmp_path: Path, rows: int) -> None:
    """The same readings come out whatever the size of a batch, footer left off."""
    text = "t,a,b\n" + lines(50) + "Min,,\nMax,,\n"
    got = read(recording(tmp_path, text, more="skip_footer = 2"), rows)
    assert got.ts_ns.tolist() == [i * 10**9 for i in range(50) for _ in "ab"]


def test_missing_is_no_reading(tmp_path: Path) -> None:
    """A field that says NA gives no reading and is no fault."""
    recorded = recording(tmp_path, "t,a,b\n1970-01-01 00:00:01,NA,1\n1970-01-01 00:00:02,3,\n")
    assert rows_of(read(recorded)) == [(1, 1, 3.0), (0, 2, 3.0)]
    assert (recorded.counted.missing, recorded.rejected, recorded.rejects) == (2, 0, [])


def test_bad_rows_are_kept_with_line_and_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Wrong width, unreadable time and text in a number each cost what they touch and nothing else."""
    text = (
        "t,a,b\n1970-01-01 00:00:01,1,1\n1970-01-01 00:00:02,1\n1970-13-01 00:00:03,1,1\n\n"
        "1970-01-01 00:00:04,spark,4\n1970-01-01 00:00:05,inf,5\n1970-01-01 00:00:06,6,6\n"
    )
    recorded = recording(tmp_path, text)
    got = rows_of(read(recorded))
    assert [(p, t) for p, t, _ in got] == [(0, 1), (1, 1), (1, 4), (1, 5), (0, 6), (1, 6)]
    said = [(r.line, r.kind, r.column, r.readings) for r in recorded.rejects]
    assert said == [(3, "fields", "", 2), (4, "time", "", 2), (6, "number", "a", 1), (7, "number", "a", 1)]
    assert "'spark' is not a finite number" in str(recorded.rejects[2])
    assert recorded.rejected == 6
    assert recorded.counted.rejects == {"fields": 1, "time": 1, "number": 2}


def test_lines_are_counted_through_quoted_line_breaks(tmp_path: Path) -> None:
    """The line that a reject names is the line of the file, also after a field of two lines."""
    text = 't,a,b,note\n1970-01-01 00:00:01,1,1,"two\nlines"\n1970-01-01 00:00:02,x,1,-\n'
    recorded = recording(tmp_path, text)
    read(recorded)
    assert [r.line for r in recorded.rejects] == [4]


def test_time_going_backwards_is_kept_and_counted(tmp_path: Path) -> None:
    """A row earlier than the one above stays where it stands and is counted, across batches too."""
    text = "t,a,b\n" + lines(3, 10) + lines(2, 5) + lines(1, 20)
    for rows in (2, 100):
        recorded = recording(tmp_path, text)
        assert [t for p, t, _ in rows_of(read(recorded, rows)) if p == 0] == [10, 11, 12, 5, 6, 20]
        assert recorded.counted.backward == 1


def test_files_that_overlap_are_merged_by_time(tmp_path: Path) -> None:
    """Two files of one recording come out as one stream in time order."""
    odd, even = "t,a,b\n", "t,a,b\n"
    for i in range(60):
        if i % 2:
            odd += lines(1, i)
        else:
            even += lines(1, i)
    recorded = recording(tmp_path, odd, even)
    got = read(recorded, 8)
    assert got.ts_ns.tolist() == [i * 10**9 for i in range(60) for _ in "ab"]
    assert len(recorded.points) == 2


def test_each_file_has_points_of_its_own_when_the_place_names_it(tmp_path: Path) -> None:
    """With {file} in the places, files are different points with dense indices."""
    text = MAP.replace("s/a", "s/{file}/a").replace("s/b", "s/{file}/b")
    recorded = recording(tmp_path, "t,a,b\n" + lines(1), "t,a,b\n" + lines(1), map_text=text)
    assert [p.place for p in recorded.points] == ["s/r0/a", "s/r0/b", "s/r1/a", "s/r1/b"]
    assert read(recorded).point.tolist() == [0, 1, 2, 3]


def test_a_missing_column_names_those_there_are(tmp_path: Path) -> None:
    """A file without a mapped column is refused before the first reading."""
    with pytest.raises(MapError, match=r"r0.csv: lacks the mapped column 'b'.*'t', 'a', 'c'"):
        recording(tmp_path, "t,a,c\n1970-01-01 00:00:01,1,1\n")


def test_an_optional_column_may_be_absent(tmp_path: Path) -> None:
    """An optional point stands in the recording only when its column does."""
    recorded = recording(tmp_path, "t,a\n1970-01-01 00:00:01,1\n", map_text=MAP + "optional = true\n")
    assert [p.place for p in recorded.points] == ["s/a"]


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    """A file without a header is an error that says so."""
    with pytest.raises(MapError, match="is empty"):
        recording(tmp_path, text)


def test_no_such_file(tmp_path: Path) -> None:
    """A recording that is not there is an error that names it."""
    recorded = recording(tmp_path, "t,a,b\n")
    with pytest.raises(MapError, match=r"gone\.csv: there is no such file"):
        Recording(recorded.map, [tmp_path / "gone.csv"])


def test_a_cut_file_gives_what_it_has(tmp_path: Path) -> None:
    """A gz that ends in the middle gives its readings, and a reject says that it ended."""
    recorded = recording(tmp_path, "t,a,b\n" + lines(3000), name="r{}.csv.gz")
    file = tmp_path / "r0.csv.gz"
    file.write_bytes(file.read_bytes()[:-2000])
    got = read(recorded, 512)
    assert 0 < len(got) < 6000
    assert recorded.counted.rejects["file"] == 1
    assert np.all(np.diff(got.ts_ns) >= 0)


def test_bytes_that_are_no_text_cost_one_field(tmp_path: Path) -> None:
    """A broken byte is a broken field, not the end of the recording."""
    recorded = recording(tmp_path, "t,a,b\n" + lines(2))
    file = tmp_path / "r0.csv"
    file.write_bytes(file.read_bytes().replace(b",1,1", b",\xff,1"))
    assert len(read(recorded)) == 3
    assert recorded.counted.rejects == {"number": 1}
