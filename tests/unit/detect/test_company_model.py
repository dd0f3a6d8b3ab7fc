"""The file of a model: what is written is read back; what was altered is refused."""

import json

import numpy as np
import pytest

import unit.detect.fitting  # noqa: F401  # skips where there is no scikit-learn
from minewatch.detect.company.fit import Choice, fit
from minewatch.detect.company.model import KINDS, read, write
from minewatch.detect.company.scorer import Scorer
from minewatch.errors import ModelError
from unit.detect.test_company_fit import NAMES, rows


@pytest.fixture(params=KINDS)
def file(request, tmp_path):
    """A model of each kind in a file."""
    model = fit(request.param, NAMES, rows(), Choice(window=4), about={"reason": "a test"})
    write(model, tmp_path / "model.json")
    return tmp_path / "model.json"


def test_a_model_read_back_scores_the_same_bits(file, tmp_path):
    """Nothing is lost on the way through the file, and its text is the same again."""
    model = read(file)
    again = tmp_path / "again.json"
    write(model, again)
    assert again.read_bytes() == file.read_bytes()
    original = fit(model.kind, NAMES, rows(), Choice(window=4), about={"reason": "a test"})
    assert model.digest == original.digest
    for name, array in original.arrays.items():
        assert np.array_equal(array, model.arrays[name])
        assert array.dtype == model.arrays[name].dtype
    test = rows(100, 5)
    assert np.array_equal(Scorer(model).take(test).score, Scorer(original).take(test).score)


def test_an_altered_number_is_refused(file):
    """One digit changed by hand: the digest does not fit, and the error says both."""
    document = json.loads(file.read_text())
    document["arrays"]["scale"]["values"][0] *= 2
    file.write_text(json.dumps(document))
    with pytest.raises(ModelError, match=r"was altered: its own digest is sha256:.*contents give sha256:"):
        read(file)


def test_another_model_than_the_promised_is_refused(file):
    """A card or a setting that promises a digest gets that model or none."""
    read(file, read(file).digest)
    with pytest.raises(ModelError, match="the promised digest is sha256:beef"):
        read(file, "sha256:beef")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cut off or no JSON"),
        ("[1, 2]", "format None"),
        ('{"format": "minewatch model 9"}', "'minewatch model 9', this minewatch reads"),
        ('{"format": "minewatch model 1"}', "altered: its own digest is absent"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, text, message):
    """Empty, cut off, of another version, or without a digest: one clear error."""
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=message):
        read(path)
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path / "absent.json")


def test_a_truncated_file_is_refused(file):
    """A file cut anywhere is no model."""
    whole = file.read_bytes()
    for share in (0.1, 0.5, 0.99):
        file.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ModelError):
            read(file)


SPOILED = {
    "kept": lambda d: d.__setitem__("kept", [9]),
    "window": lambda d: d.__setitem__("window", 0),
    "kind": lambda d: d.__setitem__("kind", "magic"),
    "arrays": lambda d: d["arrays"].pop("centre"),
    "scale": lambda d: d["arrays"]["scale"]["values"].__setitem__(0, 0.0),
    "centre": lambda d: d["arrays"]["centre"].update(shape=[1], values=[1.0]),
    "top": lambda d: d["arrays"]["top"]["values"].__setitem__(0, float("nan")),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_kernel_never_sees_an_impossible_model(file, what, tmp_path):
    """Even with a digest that fits, indices out of bounds and impossible numbers are refused."""
    from minewatch.detect.company import model as module

    document = json.loads(file.read_text())
    document.pop("digest")
    SPOILED[what](document)
    document["digest"] = module._digest(document)
    file.write_text(json.dumps(document))
    with pytest.raises(ModelError, match="lacks something or holds it otherwise"):
        read(file)


@pytest.mark.parametrize("name", ["child", "feature", "root"])
def test_a_forest_that_leads_nowhere_is_refused(tmp_path, name):
    """A node that points out of the arrays never reaches a kernel, which checks no bounds."""
    from dataclasses import replace

    model = fit("isolation-forest", NAMES, rows(), Choice(trees=3))
    arrays = {key: value.copy() for key, value in model.arrays.items()}
    arrays[name][0] = 10**6
    write(replace(model, arrays=arrays), tmp_path / "model.json")
    with pytest.raises(ModelError, match=f"impossible {name}"):
        read(tmp_path / "model.json")
