"""Rejecting shapes that are not digits: `test` fits the detector, `predict` uses it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import write_idx
from lit_mnist.main import main
from lit_mnist.pictures.letters import draw_all
from tests.conftest import CONFIGS

DATA = ("--data.dataset", "EMNIST", "--data.data_dir", "data", "--data.download", "false")
SHORT = ("--trainer.max_epochs", "5", "--data.batch_size", "64", "--trainer.accelerator", "cpu")
RUN = ("--config", f"{CONFIGS}/fast.yaml", *DATA, *SHORT)


@pytest.fixture(scope="module")
def drawn_digits(tmp_path_factory):
    """A folder of EMNIST's form, whose digits are drawn in OpenCV's fonts."""
    folder, spec = tmp_path_factory.mktemp("drawn"), DATASETS["EMNIST"]
    spec.folder(folder / "data").mkdir(parents=True)
    for seed, (part, each) in enumerate({"train": 80, "test": 4}.items()):
        images, labels = draw_all("0123456789", each, seed)
        mixed = np.random.default_rng(seed).permutation(len(labels))
        stored = images[mixed].transpose(0, 2, 1), labels[mixed].astype(np.uint8)
        for name, values in zip(spec.files[part], stored, strict=True):
            write_idx(spec.folder(folder / "data") / name, torch.from_numpy(values.copy()))
    return folder


@pytest.fixture
def pictures(drawn_digits, monkeypatch, no_pictures):
    """Adds pictures of digits and letters in a Matplotlib font to the folder."""
    monkeypatch.chdir(drawn_digits)
    font = ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), 110)
    for sign in "2357HKMX":
        picture = Image.new("L", (160, 160), 235)
        ImageDraw.Draw(picture).text((80, 80), sign, 40, font, anchor="mm")
        picture.save(f"{sign}.png")
    return [f"{sign}.png" for sign in "2357HKMX"]


def read(run):
    with (run / "digits.csv").open(newline="") as file:
        return [row["digit"] for row in csv.DictReader(file)]


@pytest.mark.slow
def test_letters_are_rejected_and_digits_are_named(pictures, capsys):
    run, shifts = Path("tb_logs/fast/seed_42"), ("--model.shifts", "true")
    assert main(["fit", *RUN, *shifts]) == 0
    assert main(["predict", *RUN, *shifts, "--data.images", *pictures]) == 0
    assert "letters and other shapes may be read as digits" in capsys.readouterr().out
    before = read(run)[4:]

    assert main(["test", *RUN, *shifts]) == 0
    recorded = json.loads((run / "results.json").read_text())["novelty"]
    assert (recorded["features"], recorded["val_known"]) == ([128], 0.995)
    assert main(["predict", *RUN, *shifts, "--data.images", *pictures]) == 0

    digits, letters = read(run)[:4], read(run)[4:]
    assert digits == [*"2357"]
    assert letters.count("-") >= max(3, 1 + before.count("-"))  # a font that it was not fitted to
    assert "letters and other shapes" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_committee_of_folds_rejects_letters_too(pictures, in_process):
    assert main(["committee", *RUN, "--folds", "2"]) == 0
    run = Path("tb_logs/fast/committee_2_folds_2")
    assert json.loads((run / "results.json").read_text())["novelty"]["features"] == [128, 128]

    members = "tb_logs/fast/seed_*_fold_*/checkpoints/best.ckpt"
    own = ("--config", f"{CONFIGS}/ensemble.yaml", "--name", "fast", "--model.checkpoints", members)
    options = (*own, *DATA, "--data.folds", "2", "--trainer.accelerator", "cpu")
    assert main(["predict", *options, "--data.images", *pictures]) == 0
    digits, letters = read(run)[:4], read(run)[4:]
    assert digits == [*"2357"]
    assert letters.count("-") >= 3
