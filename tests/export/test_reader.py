import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lit_mnist
from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import read_idx
from lit_mnist.errors import UserError
from tests.conftest import SMALL

COMMITTEE, MEMBER = Path("tb_logs/dense/committee_3"), Path("tb_logs/dense/seed_42")


def table(folder):
    """predictions.csv: index, label, prediction, p0 to p9, an image a row."""
    return np.loadtxt(folder / "predictions.csv", delimiter=",", skiprows=1)


@pytest.fixture
def images(hard_data):
    """The test images, uint8 (101, 28, 28)."""
    spec = DATASETS[SMALL]
    return read_idx(spec.folder(hard_data) / spec.files["test"][0]).numpy()


@pytest.mark.parametrize("folder", [MEMBER, COMMITTEE])
def test_reads_as_the_test_did(trained, images, folder):
    answer = lit_mnist.load(folder).predict(images)
    expected = table(folder)
    np.testing.assert_array_equal(answer.labels, expected[:, 2])
    np.testing.assert_allclose(answer.probabilities, expected[:, 3:], atol=1e-6)


def test_votes_are_the_members(trained, images):
    answer = lit_mnist.load(COMMITTEE).predict(images)
    for place in range(3):
        alone = table(Path(f"tb_logs/dense/seed_{42 + place}"))
        np.testing.assert_array_equal(answer.votes[:, place], alone[:, 2])


def test_a_committee_that_was_moved_is_read(trained, images):
    expected = lit_mnist.load(COMMITTEE).predict(images).probabilities
    Path("tb_logs").rename("elsewhere")
    moved = lit_mnist.load("elsewhere/dense/committee_3").predict(images)
    np.testing.assert_array_equal(moved.probabilities, expected)


def test_floats_tensors_and_single_images_are_the_same(trained, images):
    digits = lit_mnist.load(MEMBER)
    expected = digits.predict(images[:3]).probabilities
    for same in (images[:3] / 255, torch.from_numpy(images[:3])):
        np.testing.assert_allclose(digits.predict(same).probabilities, expected, atol=1e-6)
    alone = digits.predict(images[0]).probabilities
    np.testing.assert_allclose(alone, expected[:1], atol=1e-6)


def test_pictures_are_read_from_files_and_from_pillow(trained):
    pixels = np.zeros((60, 90), np.uint8)
    pixels[10:50, 40:48] = 255  # a one
    picture = Image.fromarray(255 - pixels)
    picture.save("one.png")
    digits = lit_mnist.load(MEMBER)
    answers = [digits.predict(each).probabilities for each in ("one.png", picture, [picture])]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


def test_threads_may_share_it(trained, images):
    digits, answers = lit_mnist.load(COMMITTEE), {}

    def ask(place):
        answers[place] = digits.predict(images).probabilities

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    for answer in answers.values():
        np.testing.assert_array_equal(answer, answers[0])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (np.zeros((2, 10, 10), np.uint8), "shape"),
        (np.zeros((2, 28, 28), np.int64), "type"),
        (np.full((1, 28, 28), 255.0), "float from 0 to 1"),
        ("nowhere.png", "nowhere.png"),
        (Image.new("L", (50, 50), 255), "no digit"),
    ],
    ids=["shape", "type", "range", "missing", "blank"],
)
def test_refuses_what_it_cannot_read(trained, wrong, told):
    with pytest.raises(UserError, match=told):
        lit_mnist.load(MEMBER).predict(wrong)


def test_refuses_a_folder_without_a_run(here):
    with pytest.raises(UserError, match="no trained run"):
        lit_mnist.load("tb_logs/nothing")
