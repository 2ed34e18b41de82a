"""The file of the options that a sweep searches."""

from pathlib import Path

import pytest

from lit_mnist.errors import UserError
from lit_mnist.sweep import space
from lit_mnist.sweep.space import Choices, Range

ROOT = Path(__file__).parents[2]


def read(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return space.read(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{log: [0.001, 0.1]}", Range(0.001, 0.1, True)),
        ("{log: [1e-3, 1e-1]}", Range(0.001, 0.1, True)),  # which YAML takes for texts
        ("{range: [32, 256]}", Range(32, 256, False)),
        ("{range: [0, 20], step: 5}", Range(0, 20, False, 5)),
        ("{range: [0, 1], step: 0.25}", Range(0.0, 1.0, False, 0.25)),
        ("[64, 128]", Choices((64, 128))),
        ("[true, false]", Choices((True, False))),
        ("[[[24], [32]], [[64]]]", Choices(([[24], [32]], [[64]]))),
    ],
)
def test_a_space_is_read_as_written(tmp_path, text, expected):
    assert read(tmp_path, f"model.lr: {text}\n") == {"model.lr": expected}


def test_whole_numbers_stay_whole(tmp_path):
    whole = read(tmp_path, "data.batch_size: {log: [32, 256]}")["data.batch_size"]
    assert [type(end) for end in whole.extremes] == [int, int]


BAD = {
    "nothing": ("", "holds no options"),
    "a value": ("model.lr: 0.1", "model.lr: give a list of values, {range: [low, high]} or"),
    "two kinds": ("model.lr: {log: [1, 2], range: [1, 2]}", "model.lr: give a list"),
    "a word too many": ("model.lr: {log: [1, 2], steps: 1}", "model.lr: give a list"),
    "three ends": ("model.lr: {log: [1, 2, 3]}", "model.lr: give a list"),
    "backwards": ("model.lr: {range: [2, 1]}", "model.lr: 2 is not below 1"),
    "log of nothing": ("model.lr: {log: [0, 1]}", "model.lr: log needs numbers above 0"),
    "no number": ("model.lr: {range: [a, 1]}", "model.lr: a is not a number"),
    "not finite": ("model.lr: {range: [0, .inf]}", "model.lr: inf is not a number"),
    "an odd step": (
        "model.lr: {range: [0, 5], step: 2}",
        "step 2 does not fit the range from 0 to 5",
    ),
    "a step of log": (
        "model.lr: {log: [1, 5], step: 2}",
        "step 2 does not fit the range from 1 to 5",
    ),
    "one value": ("model.lr: [1]", "model.lr: has 1 value(s); give two or more"),
    "a value twice": ("model.lr: [1, 2, 1]", "model.lr: 1 is given twice"),
    "the seed": ("seed_everything: [1, 2]", "seed_everything: is not searched"),
    "the split": ("data.split_seed: [1, 2]", "data.split_seed: is not searched"),
    "the images validated": ("trainer.limit_val_batches: [1, 2]", "is not searched"),
    "the same by size": ("data.eval_batch_size: [50, 100]", "data.eval_batch_size: is not"),
    "the same by overfitting": ("trainer.overfit_batches: [1, 2]", "is not searched"),
    "dashes": ("--model.lr: [1, 2]", "name an option without dashes"),
    "a date": (
        "model.word: [2026-01-02, b]",
        "model.word: 2026-01-02 is no text or number; put a text in",
    ),
    "bytes": ("model.word: [!!binary aGk=, b]", "is no text or number"),
    "a set": ("model.word: [[!!set {a, b}], b]", "is no text or number"),
    "an option twice": (
        "model.lr: [1, 2]\nmodel.init_args.lr: [1, 2]",
        "model.init_args.lr: is the same option as model.lr; leave one of them out",
    ),
    "the class twice": (
        "model: [DenseModule, SimpleConvModule]\nmodel.class_path: [DenseModule, DeepConvModule]",
        "model.class_path: is the same option as model;",
    ),
    "no YAML": ("model.lr: [1", "correct it"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_space_is_one_line(tmp_path, text, message):
    with pytest.raises(UserError, match=r"space\.yaml: ") as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match=f"--space {tmp_path}: is a folder; name a file"):
        space.read(tmp_path)


def test_the_example_is_a_space():
    found = space.read(ROOT / "examples" / "space.yaml")
    assert found["model.lr"] == Range(0.001, 0.05, True)
    assert found["data.batch_size"] == Choices((128, 256, 512))
