"""The command `predict`: which files it replaces, and what it reads of a folder."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_mnist.models import DenseModule
from tests.trained import change, put

HERE = "tests.reports.test_digits_report"
RUN = Path("tb_logs/dense/seed_42")
NAMES = ("digits.csv", "digits.json", "digits.png")


def draw(path, shade=0):
    """Draws a dark bar on light ground."""
    image = np.full((60, 60), 255, np.uint8)
    image[10:50, 27:33] = shade
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def predict(run_cli, fitted):
    """Reads pictures; gives (exit status, output, problems)."""
    return lambda *options: run_cli("predict", "--data.images", *map(str, options))


def read(folder):
    with (folder / "digits.csv").open(newline="", encoding="utf-8") as file:
        return [row["file"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_users_is_not_replaced(predict, here, name):
    one, mine = draw(here / "one.png"), here / "mine" / name
    mine.parent.mkdir()
    mine.write_text("file,digit,my verdict\n")
    status, _, problems = predict(one, "--output", "mine")
    assert status == 2
    assert problems.startswith(f"error: mine/{name}: would be replaced, but")
    assert mine.read_text() == "file,digit,my verdict\n"
    assert [path.name for path in mine.parent.iterdir()] == [name]


def test_its_own_files_are_replaced(predict, here):
    one, two = draw(here / "one.png"), draw(here / "two.png")
    for picture in (one, two):
        assert predict(picture, "--output", "found")[0] == 0
        assert read(here / "found") == [str(picture)]


@pytest.mark.parametrize("named", ["folder/digits.png", "folder", "link.png"])
def test_a_picture_is_not_replaced_by_the_sheet(predict, here, named):
    picture = draw(here / "folder" / "digits.png")
    (here / "link.png").symlink_to(picture)
    assert predict(here / "folder", "--output", "other")[0] == 0
    for name in NAMES[:2]:  # so that the picture could be taken for the sheet beside them
        (here / "other" / name).rename(here / "folder" / name)
    before = picture.read_bytes()
    status, _, problems = predict(named, "--output", "folder")
    assert status == 2
    assert problems.startswith("error: folder/digits.png: is one of the pictures, and would be re")
    assert picture.read_bytes() == before


def test_the_sheet_of_an_earlier_call_is_no_picture(predict, here):
    picture = draw(here / "folder" / "one.png")
    for output in ("folder", "folder", "other"):
        assert predict("folder", "--output", output)[0] == 0
        assert read(here / output) == [f"folder/{picture.name}"]


@pytest.mark.parametrize("output", ["file", "file/folder"])
def test_an_output_that_is_a_file_is_told_before_pictures_are_read(predict, here, output):
    (here / "file").touch()
    (here / "no_picture.png").touch()
    status, _, problems = predict("no_picture.png", "--output", output)
    assert status == 2
    assert problems == f"error: --output {output}: file is a file; name a folder\n"


def test_a_name_that_is_no_utf_8_is_escaped(predict, here):
    picture = draw(here / "folder" / os.fsdecode(b"\xff\xe9.png"))
    status, output, problems = predict("folder", "--output", "found")
    assert (status, problems) == (0, "")
    assert read(here / "found") == [r"folder/\udcff\udce9.png"]
    assert output.splitlines()[1].startswith(r"folder/\udcff\udce9.png  ")
    status, _, problems = predict(picture.relative_to(here))
    assert status == 2
    named = r"error: --data.images 'folder/\udcff\udce9.png'"
    assert problems == f"{named}: is no UTF-8 name; name its folder\n"


class Labels(DenseModule):
    def predict_step(self, batch, batch_idx):
        return super().predict_step(batch, batch_idx).argmax(1)


class Reversed(DenseModule):
    def predict_step(self, batch, batch_idx):
        return super().predict_step(batch, batch_idx).flip(1)


@pytest.mark.parametrize(("name", "is_told"), [("Labels", True), ("Reversed", False)])
def test_an_own_step_that_gives_no_probabilities_is_told(predict, here, name, is_told):
    own = ("--model", f"{HERE}.{name}")
    change(RUN / "checkpoints/best.ckpt", put("hyper_parameters", "_class_path", own[1]))
    status, output, problems = predict(draw(here / "one.png"), *own)
    assert (status, problems) == (0, "")
    told = (
        f"{name}: its own predict_step returns no probabilities (N, 10), so these answers are what"
        " `evaluate` returns\n"
    )
    assert output.count(told) == is_told
