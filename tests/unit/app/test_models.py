"""`minewatch models`: a fit is a new file with a reason, and an altered model is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from minewatch.app import models
from minewatch.detect.company.live import Company
from minewatch.detect.company.settings import CompanySettings, ModelInForce
from minewatch.errors import ModelError
from unit.app.calling import Shell

pytest.importorskip("sklearn", reason="absent part: scikit-learn (make test installs it)")
NAMES = ("mine-cooling", "skab-pump", "skab-pump-forest")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the models' folder."""
    shutil.copytree(models.shipped(), tmp_path / "models")
    return tmp_path / "models"


def test_the_models_there_are() -> None:
    """Models are a promise: none goes away unnoticed."""
    assert models.names() == ("incident-chance", *NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_model_fits_its_card(name: str, tmp_path: Path) -> None:
    """The digest is the card's, and the card says data, choices, figures and limits of use."""
    model, card = models.open_model(name)
    assert model.digest == card["digest"]
    assert card["data"]["sha256"] == model.about["data_sha256"]
    assert model.about["reason"]
    assert card["chosen"]["parameters"]
    assert card["use"]["limits"]
    found = models.check_model(name, tmp_path)
    assert found["data"].startswith("absent")
    assert not found["faults"]


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_anew_gives_the_same_model_and_figures(name: str, recordings: Path) -> None:
    """Everything the card says is found again from the data."""
    found = models.check_model(name, recordings)
    assert found["faults"] == []
    assert found["data"] == "as on the card"


def test_the_chance_of_an_alert_fits_its_card() -> None:
    """Its counts stand beside it: a fit anew and the figures on seeds it never saw are those of the card."""
    found = models.check_model("incident-chance", None)
    assert (found["faults"], found["data"]) == ([], "as on the card")
    assert found["figures"]["brier"] < found["figures"]["brier_of_base_rate"]
    _, card = models.open_model("incident-chance")
    assert "simulated" in card["use"]["limits"]
    chance = models.chance()
    said = [chance.of(facts) for facts in ((False, False), (False, True), (True, False), (True, True))]
    assert said == sorted(said)


def test_a_model_of_alerts_is_none_of_sensors(folder: Path) -> None:
    """Company refuses it where sensors are meant, and weights that are no numbers are refused anywhere."""
    file = folder / "incident-chance" / "model-1.json"
    digest = models.read(file).digest
    since = datetime(2026, 1, 1, tzinfo=UTC)
    entry = ModelInForce(device="s/g/d", file=file, digest=digest, valid_from=since, reason="a test")
    with pytest.raises(ModelError, match="a model of alerts"):
        Company(CompanySettings(models=(entry,)))
    model = models.read(file)
    models.write(replace(model, parameters={"bias": float("inf")}), file)
    with pytest.raises(ModelError, match="impossible weights"):
        models.read(file)


@pytest.mark.parametrize(("by", "faults"), [(1e-12, 0), (1e-6, 1)])
def test_a_fit_may_differ_by_rounding_only(folder: Path, recordings: Path, by: float, faults: int) -> None:
    """Another processor's last digits are the same model; anything larger is told."""
    write, name = models.write, "skab-pump"
    model, card = models.open_model(name, folder)
    centre = model.arrays["centre"] + by * abs(model.arrays["centre"]).max()
    other = write(replace(model, arrays={**model.arrays, "centre": centre}), folder / name / card["file"])
    text = (folder / name / models.CARD).read_text()
    (folder / name / models.CARD).write_text(text.replace(model.digest, other.digest))
    found = models.check_model(name, recordings, folder)
    assert sum("gives another model" in fault for fault in found["faults"]) == faults


def test_an_altered_model_is_refused(folder: Path) -> None:
    """A number changed in the file, or another file in its place: refused with both digests."""
    file = folder / "skab-pump" / "model-1.json"
    text = file.read_text()
    file.write_text(text.replace('"window": 30', '"window": 31'))
    with pytest.raises(ModelError, match="was altered: its own digest"):
        models.check_model("skab-pump", None, folder)
    shutil.copy(folder / "skab-pump-forest" / "model-1.json", file)
    with pytest.raises(ModelError, match="the promised digest"):
        models.check_model("skab-pump", None, folder)


def test_other_data_are_told(folder: Path, tmp_path: Path) -> None:
    """Data that are not the card's are a fault, not a comparison."""
    data = tmp_path / "skab" / "anomaly-free"
    data.mkdir(parents=True)
    (data / "anomaly-free.csv").write_text("x")
    found = models.check_model("skab-pump", tmp_path, folder)
    assert "the data are others" in found["faults"][0]


def test_a_fit_is_a_new_file_with_a_reason(folder: Path, recordings: Path) -> None:
    """A fit overwrites nothing and puts nothing in force; its reason stands in the file."""
    before = (folder / "skab-pump" / "model-1.json").read_bytes()
    found = models.fit_model("skab-pump", "a new impeller", recordings, folder)
    assert Path(found["file"]).name == "model-2.json"
    assert json.loads(Path(found["file"]).read_text())["about"]["reason"] == "a new impeller"
    assert (folder / "skab-pump" / "model-1.json").read_bytes() == before
    assert models.check_model("skab-pump", None, folder)["file"] == "model-1.json"
    with pytest.raises(ModelError, match="needs a reason"):
        models.fit_model("skab-pump", " ", recordings, folder)


def test_an_altered_model_in_force_is_found_before_a_start(minewatch: Shell, folder: Path) -> None:
    """What `serve` checks first: altered, cut off or another than promised is one line that names it."""
    model = folder / "skab-pump" / "model-1.json"
    digest = json.loads(model.read_text())["digest"]
    config = folder / "minewatch.toml"
    config.write_text(
        f'data = "{folder}/data"\n[[company.models]]\ndevice = "s/g/d"\nfile = "{model}"\n'
        f'digest = "{digest}"\nvalid_from = 2026-01-01T00:00:00Z\nreason = "x"\n'
    )
    assert minewatch("config", "check", config).code == 0
    text = model.read_text()
    for altered, says in (
        (text.replace('"window": 30', '"window": 31'), "was altered: its own digest"),
        (text[: len(text) // 2], "is cut off or no JSON"),
        ((folder / "skab-pump-forest" / "model-1.json").read_text(), "the promised digest"),
    ):
        model.write_text(altered)
        done = minewatch("config", "check", config)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert str(model) in done.err, done.err
        assert says in done.err, done.err


def test_wrong_calls_are_explained(minewatch: Shell, tmp_path: Path) -> None:
    """An unknown model and absent data are one line with the mend."""
    done = minewatch("models", "check", "nope")
    assert done.code == 2
    assert "Known: incident-chance, mine-cooling, skab-pump" in done.err
    done = minewatch("models", "fit", "skab-pump", "--reason", "x", "--data", tmp_path)
    assert done.code == 2
    assert "--data" in done.err
    done = minewatch("models", "check", "skab-pump", "--data", tmp_path, "--json")
    assert done.code == 0
    assert json.loads(done.out)["data"].startswith("absent")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "cannot be used"), ("file = 1", "cannot be used"), ("file = [", "cannot be used")],
)
def test_a_broken_card_is_refused(folder: Path, text: str, message: str) -> None:
    """A card that lacks something names the file and what it needs."""
    (folder / "skab-pump" / "card.toml").write_text(text)
    with pytest.raises(ModelError, match=message):
        models.open_model("skab-pump", folder)
