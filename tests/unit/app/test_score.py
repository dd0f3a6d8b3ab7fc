"""`minewatch score`: one row out for each reading in, causal, finite, and plain words for what is wrong."""

from __future__ import annotations

import csv
import math
import random
from pathlib import Path

import pytest

from minewatch.app.score import SCORED
from minewatch.detect.catalogue import NAMES
from minewatch.detect.company.catalogue import OUTAGES
from unit.app.calling import Shell, one_line

ROWS = 300


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A file with a time column and two columns; one leaps at row 200, the other has holes."""
    noise = random.Random(1)
    path = tmp_path / "series.csv"
    with path.open("w", newline="") as out:
        write = csv.writer(out).writerow
        write(("when", "pump", "fan"))
        for i in range(ROWS):
            fan = ["", "nan", "none", "inf", f"{i:.2f}"][i % 5] if i < 50 else "1.0"
            when = f"2024-01-01T{i // 60:02}:{i % 60:02}:00+00:00"
            write((when, f"{noise.gauss(10 if i < 200 else 20, 1):.3f}", fan))
    return path


def scored(text: str) -> list[dict[str, str]]:
    """Return the rows of an answer."""
    return list(csv.DictReader(text.splitlines()))


def test_there_is_a_row_for_each_reading_in_input_order(minewatch: Shell, series: Path) -> None:
    """Columns, order and the texts of the times are those that were promised."""
    done = minewatch("score", series, "--detector", "cusum")
    assert done.code == 0
    assert done.out.splitlines()[0] == "time,point,score,alarm"
    rows = scored(done.out)
    times = [line.split(",")[0] for line in series.read_text().splitlines()[1:]]
    assert [row["time"] for row in rows] == [time for time in times for _ in range(2)]
    assert [row["point"] for row in rows] == ["pump", "fan"] * ROWS


# what a detector cannot do without
NEEDS = dict.fromkeys(NAMES, "threshold=5") | {"airflow-gas": "air=1", "mixture": "limits=20,5"}
NEEDS |= dict.fromkeys(OUTAGES, "interval_s=60")


THREE = ("drift", *OUTAGES)


def _with_a_third(series: Path) -> None:
    """Add a column to a file."""
    first, *rows = series.read_text(encoding="utf-8").splitlines()
    more = [f"{row},{i % 7}" for i, row in enumerate(rows)]
    series.write_text("\n".join([f"{first},valve", *more, ""]), encoding="utf-8")


@pytest.mark.parametrize("name", SCORED)
def test_scores_are_finite_and_alarms_are_bits(minewatch: Shell, series: Path, name: str) -> None:
    """Whatever the detector and the field, the score lies in 0..1 and the alarm is 0 or 1."""
    need = ["--set", NEEDS[name]] if name in NEEDS else []
    if name in THREE:
        _with_a_third(series)
    done = minewatch("score", series, "--detector", name, *need)
    assert done.code == 0, done.err
    rows = scored(done.out)
    assert len(rows) == ROWS * (2 if {row["point"] for row in rows} == {"pump", "fan"} else 1)
    for row in rows:
        assert 0 <= float(row["score"]) <= 1
        assert math.isfinite(float(row["score"]))
        assert row["alarm"] in ("0", "1")


@pytest.mark.parametrize("cut", [1, 40, 199, 205, 280])
def test_what_comes_later_changes_nothing_before_it(
    minewatch: Shell, series: Path, tmp_path: Path, cut: int
) -> None:
    """The rows of a file that was cut off are the first rows of the whole file, to the last digit."""
    part = tmp_path / "part.csv"
    part.write_text("\n".join(series.read_text().splitlines()[: cut + 1]) + "\n")
    call: list[str | Path] = ["--detector", "ewma", "--train-rows", "20"]
    whole, first = minewatch("score", series, *call).out, minewatch("score", part, *call).out
    assert first.splitlines() == whole.splitlines()[: 1 + 2 * cut]


def test_a_leap_is_an_alarm_and_training_is_none(minewatch: Shell, series: Path) -> None:
    """The leap at row 200 is found within five rows; the rows for fitting score 0."""
    call: list[str | Path] = ["score", series, "--detector", "cusum", "--columns", "pump"]
    rows = scored(minewatch(*call).out)
    assert next(i for i, row in enumerate(rows) if row["alarm"] == "1") in range(200, 206)
    trained = scored(minewatch(*call, "--train-rows", "250").out)
    assert {(row["score"], row["alarm"]) for row in trained[:250]} == {("0", "0")}


def test_columns_are_taken_in_the_order_asked(minewatch: Shell, series: Path) -> None:
    """--columns chooses and orders."""
    rows = scored(minewatch("score", series, "--detector", "ewma", "--columns", "fan,pump").out)
    assert [row["point"] for row in rows[:2]] == ["fan", "pump"]


def test_a_file_without_times_counts_rows(minewatch: Shell, tmp_path: Path) -> None:
    """--interval-s gives each row its time: a gap of a minute is seen, the label is the row."""
    path = tmp_path / "plain.csv"
    path.write_text("x\n" + "1.0\n2.0\n" * 20)
    call: list[str | Path] = ["score", path, "--detector", "rate-of-rise", "--set", "threshold=1"]
    call += ["--interval-s"]
    rows = scored(minewatch(*call, "30").out)
    assert [row["time"] for row in rows] == [str(i) for i in range(40)]
    assert [row["score"] for row in rows] != [row["score"] for row in scored(minewatch(*call, "3").out)]


def test_seconds_are_times_too(minewatch: Shell, tmp_path: Path) -> None:
    """A time column of seconds is read as such, wherever it stands."""
    path = tmp_path / "seconds.csv"
    path.write_text(
        "x,t\n" + "".join(f"1.0,{1_700_000_000 + 60 * i}\n" for i in range(5)) + "1.0,1700003600\n"
    )
    done = minewatch("score", path, "--detector", "gap", "--time", "t", "--set", "threshold=600")
    assert [row["alarm"] for row in scored(done.out)] == ["0", "0", "0", "0", "0", "1"]


def test_out_takes_the_rows_and_stderr_the_summary(minewatch: Shell, series: Path, tmp_path: Path) -> None:
    """With --out nothing goes to stdout; the summary says rows, seconds and readings a second."""
    to_file = minewatch("score", series, "--detector", "ewma", "--out", tmp_path / "scores.csv")
    plain = minewatch("score", series, "--detector", "ewma")
    assert to_file.out == ""
    assert (tmp_path / "scores.csv").read_text() == plain.out
    assert f"{ROWS} rows, {2 * ROWS} readings, " in to_file.err
    assert to_file.err.endswith("readings/s\n")


def test_sets_take_numbers_and_lists(minewatch: Shell, tmp_path: Path) -> None:
    """KEY=VALUE reaches the detector, lists too."""
    path = tmp_path / "codes.csv"
    path.write_text("t,x\n0,1.0\n1,-2\n2,-9\n3,1.5\n")
    done = minewatch("score", path, "--detector", "sentinel", "--set", "sentinels=-2,-9")
    assert [row["alarm"] for row in scored(done.out)] == ["0", "1", "1", "0"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--detector", "nope"], "there is no detector 'nope' for a file. Known detectors: value,"),
        (
            ["--detector", "gateway-clock"],
            "mixture, drift, response, gateway-silent, gateway-frozen, matrix-profile.",
        ),
        (["--detector", "cusum", "--set", "x=1"], "--set x: cusum has no parameter 'x'. Known: threshold,"),
        (
            ["--detector", "cusum", "--set", "threshold"],
            "'threshold' is no parameter. Write KEY=VALUE.",
        ),
        (["--detector", "cusum", "--set", "threshold=high"], "'high' is not a number"),
        (["--detector", "value"], "value needs a threshold above 0"),
        (["--detector", "cusum", "--columns", "zz"], "has no column 'zz'. Its columns: when, pump, fan."),
        (["--detector", "cusum", "--time", "zz"], "has no column 'zz'"),
        (["--detector", "cusum", "--time", "fan"], "row 1: '' is no time"),
        (["--detector", "cusum", "--interval-s", "-3"], "--interval-s: -3 does not fit"),
        (["--detector", "cusum", "--interval-s", "3", "--time", "when"], "--interval-s: 3 does not fit"),
        (["--detector", "cusum", "--train-rows", "-1"], "--train-rows"),
        (["--detector", "cusum", "--out", "/no/such/folder/x.csv"], "cannot be written"),
    ],
)
def test_wrong_calls_are_one_line(minewatch: Shell, series: Path, more: list[str], says: str) -> None:
    """What is wrong, where, and the mend."""
    assert says in one_line(minewatch("score", series, *more))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no rows"),
        (b"t,x\n", "holds no rows"),
        (b"t,x\n0,1\n1,2,3\n", "line 3: has 3 fields where the header has 2"),
        (b"t,x\nmorgen,1\n", "row 1: 'morgen' is no time. Use ISO 8601 or seconds"),
        (b"t,x\ninf,1\n", "row 1: 'inf' is no time"),
        (b"t,x\n\xff\xfe,1\n", "cannot be read"),
    ],
)
def test_wrong_files_are_one_line(minewatch: Shell, tmp_path: Path, content: bytes, says: str) -> None:
    """The file, the line, and the mend."""
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    assert says in one_line(minewatch("score", path, "--detector", "cusum"))


def test_a_file_that_is_not_there_is_one_line(minewatch: Shell, tmp_path: Path) -> None:
    """It is named."""
    assert "none.csv: cannot be read" in one_line(
        minewatch("score", tmp_path / "none.csv", "--detector", "gap")
    )


def test_a_detector_of_company_scores_the_row_once(minewatch: Shell, tmp_path: Path) -> None:
    """One row out for each row in, ``*`` for its point; the reason names the column; semicolons are read."""
    pytest.importorskip("sklearn", reason="absent part: scikit-learn (make test installs it)")
    noise = random.Random(2)
    path = tmp_path / "pump.csv"
    with path.open("w", newline="") as out:
        write = csv.writer(out, delimiter=";").writerow
        write(("when", "flow", "current"))
        for i in range(ROWS):
            flow = noise.gauss(30 if i < 250 else 20, 1)
            write((f"2024-01-01T{i // 60:02}:{i % 60:02}:00", f"{flow:.3f}", f"{noise.gauss(5, 0.2):.3f}"))
    done = minewatch("score", path, "--detector", "mahalanobis", "--train-rows", 200, "--set", "reasons=1")
    assert done.code == 0
    assert done.out.splitlines()[0] == "time,point,score,alarm,share.flow,share.current,why"
    rows = scored(done.out)
    assert len(rows) == ROWS
    assert {row["point"] for row in rows} == {"*"}
    assert {row["score"] for row in rows[:200]} == {"0"}
    assert [row["alarm"] for row in rows[:250]] == ["0"] * 250
    assert rows[-1]["alarm"] == "1"
    assert "flow" in rows[-1]["why"].split(" below ")[0]
    plain = minewatch("score", path, "--detector", "mahalanobis", "--train-rows", 200)
    assert plain.out.splitlines()[0] == "time,point,score,alarm"


@pytest.mark.parametrize("name", ["novelty", "matrix-profile"])
def test_what_is_new_is_an_alarm(minewatch: Shell, tmp_path: Path, name: str) -> None:
    """A series without times: something never seen before is found where it begins, finite and causal."""
    path = tmp_path / "waves.csv"
    values = [math.sin(i / 3) for i in range(400)]
    values[300:330] = [3 - x for x in values[300:330]] if name == "novelty" else [-x for x in values[300:330]]
    path.write_text("x\n" + "".join(f"{x:.6f}\n" for x in values))
    call: list[str | Path] = ["score", path, "--detector", name, "--interval-s", "30", "--train-rows", "100"]
    rows = scored(minewatch(*call).out)
    assert len(rows) == 400
    assert all(0 <= float(row["score"]) <= 1 for row in rows)
    assert 300 <= next(i for i, row in enumerate(rows) if row["alarm"] == "1") < 316
    path.write_text("\n".join(path.read_text().splitlines()[:311]) + "\n")
    assert scored(minewatch(*call).out) == rows[:310]


def test_a_forecast_is_of_the_first_column_and_adds_its_fields(minewatch: Shell, series: Path) -> None:
    """One row for each row of the file, of the first column named, with the four fields promised."""
    done = minewatch(
        "score", series, "--detector", "forecast", "--columns", "fan,pump", "--set", "horizon_s=180",
        "--set", "target=max", "--set", "limit=1.5", "--set", "coverage=0.8",
    )  # fmt: skip
    assert done.code == 0
    head = "time,point,score,alarm,forecast,forecast_low,forecast_high,minutes_to_limit"
    assert done.out.splitlines()[0] == head
    rows = scored(done.out)
    assert [row["point"] for row in rows] == ["fan"] * ROWS
    for row in rows[60:]:
        low, said, high = (float(row[name]) for name in ("forecast_low", "forecast", "forecast_high"))
        assert low <= said <= high


def _file(path: Path, rows: list[list[float]]) -> Path:
    """Write rows a minute apart; NaN is an empty field."""
    names = ",".join("abcdefgh"[: len(rows[0])])
    lines = [",".join("" if math.isnan(x) else f"{x:.4f}" for x in row) for row in rows]
    text = [f"t,{names}", *(f"{60 * i},{line}" for i, line in enumerate(lines)), ""]
    path.write_text("\n".join(text), encoding="utf-8")
    return path


def test_a_column_that_drifts_from_the_others_is_scored_with_its_reason(
    minewatch: Shell, tmp_path: Path
) -> None:
    """One of three creeps away after 60 steps: no alarm before, one at the end, causal, the column named."""
    dice = random.Random(4)
    rows = [
        [math.sin(i / 50) + dice.gauss(0, 0.05) + 0.002 * max(0, i - 700) * (j == 1) for j in range(3)]
        for i in range(1200)
    ]
    call = ["--detector", "drift", "--set", "step_s=600", "--set", "drift_warm_up=30", "--set", "reasons=1"]
    told = scored(minewatch("score", _file(tmp_path / "x.csv", rows), *call).out)
    assert {row["alarm"] for row in told[:700]} == {"0"}
    assert told[-1]["alarm"] == "1"
    assert told[-1]["why"].startswith("b reads 0.")
    assert "above what 2 neighbours let expect." in told[-1]["why"]
    part = scored(minewatch("score", _file(tmp_path / "y.csv", rows[:905]), *call).out)
    assert part == told[:905]


def test_a_column_that_no_longer_answers_the_first_is_scored(minewatch: Shell, tmp_path: Path) -> None:
    """The second column follows the first, until it is covered; the third always does."""
    dice = random.Random(4)
    rows = []
    for i in range(3000):
        moved = 3 * math.sin(i / 60)
        rows.append([1000 + moved, (0.5 * moved if i < 1800 else 0.2) + dice.gauss(0, 0.02), 0.1 * moved + 7])
    call = ["--detector", "response", "--set", "step_s=600", "--set", "reasons=1"]
    told = scored(minewatch("score", _file(tmp_path / "x.csv", rows), *call).out)
    assert {row["alarm"] for row in told[:1800]} == {"0"}
    assert told[-1]["alarm"] == "1"
    assert told[-1]["why"].startswith("b has not answered the last ")
    assert float(told[-1]["share.c"]) < 0.2


@pytest.mark.parametrize("name", OUTAGES)
def test_most_columns_silent_or_frozen_are_scored(minewatch: Shell, tmp_path: Path, name: str) -> None:
    """Four of five columns stop, or stand still, for an hour: that hour alarms, once it is long enough."""
    dice = random.Random(4)
    rows = [[dice.gauss(0, 1) for _ in range(5)] for _ in range(700)]
    for i in range(500, 560):
        rows[i][:4] = [math.nan] * 4 if name == "gateway-silent" else rows[499][:4]
    call = ["--detector", name, "--set", "interval_s=120", "--set", "reasons=1"]
    told = scored(minewatch("score", _file(tmp_path / "x.csv", rows), *call).out)
    alarms = [i for i, row in enumerate(told) if row["alarm"] == "1"]
    assert 500 < alarms[0] <= 518
    assert 558 <= alarms[-1] <= 561
    assert told[alarms[0]]["why"].startswith("4 of 5 points ")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--detector", "drift"], "--columns: drift needs 3 columns, there are 2. Name more."),
        (["--detector", "gateway-silent", "--set", "interval_s=9"], "needs 3 columns, there are 2"),
        (["--detector", "gateway-silent"], "--set interval_s: gateway-silent needs interval_s above 0"),
        (
            ["--detector", "response", "--set", "x=1"],
            "--set x: response has no parameter 'x'. Known: step_s,",
        ),
        (["--detector", "drift", "--set", "step_s=0"], "--set step_s: '0' does not fit."),
    ],
)
def test_wrong_calls_of_slow_detectors(minewatch: Shell, series: Path, more: list[str], says: str) -> None:
    """Each wrong call is one line with a mend."""
    done = minewatch("score", series, *more)
    assert done.code == 2
    assert says in one_line(done)
