import copy
import os
import pickle
import subprocess
import sys
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
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.modules import DenseModule
from lit_mnist.runs import entries
from lit_mnist.runs.folder import Run
from tests.conftest import SMALL
from tests.trained import change, put

COMMITTEE, MEMBER = Path("tb_logs/dense/committee_3"), Path("tb_logs/dense/seed_42")


def table(folder):
    """predictions.csv: index, label, prediction, p0 to p9; one row per image."""
    return np.loadtxt(folder / "predictions.csv", delimiter=",", skiprows=1)


@pytest.fixture
def images(hard_data):
    """The test images, uint8 (101, 28, 28)."""
    spec = DATASETS[SMALL]
    return read_idx(spec.folder(hard_data) / spec.files["test"][0]).numpy()


@pytest.mark.parametrize("folder", [MEMBER, COMMITTEE])
def test_predictions_equal_those_of_the_test(trained, images, folder):
    answer = lit_mnist.load(folder).predict(images)
    expected = table(folder)
    np.testing.assert_array_equal(answer.labels, expected[:, 2])
    np.testing.assert_allclose(answer.probabilities, expected[:, 3:], atol=1e-6)


def test_votes_are_the_members_predictions(trained, images):
    answer = lit_mnist.load(COMMITTEE).predict(images)
    for place in range(3):
        alone = table(Path(f"tb_logs/dense/seed_{42 + place}"))
        np.testing.assert_array_equal(answer.votes[:, place], alone[:, 2])


def test_a_moved_committee_can_be_loaded(trained, images):
    expected = lit_mnist.load(COMMITTEE).predict(images).probabilities
    Path("tb_logs").rename("elsewhere")
    moved = lit_mnist.load("elsewhere/dense/committee_3").predict(images)
    np.testing.assert_array_equal(moved.probabilities, expected)


def test_floats_tensors_and_single_images_give_equal_predictions(trained, images):
    digits = lit_mnist.load(MEMBER)
    expected = digits.predict(images[:3]).probabilities
    for same in (images[:3] / 255, torch.from_numpy(images[:3])):
        np.testing.assert_allclose(digits.predict(same).probabilities, expected, atol=1e-6)
    alone = digits.predict(images[0]).probabilities
    np.testing.assert_allclose(alone, expected[:1], atol=1e-6)


def test_half_precision_is_read_as_its_values_in_float32(trained, images):
    digits, pixels = lit_mnist.load(MEMBER), torch.from_numpy(images[:3] / 255)
    for kind in (torch.bfloat16, torch.float16):
        half = pixels.to(kind)
        expected = digits.predict(half.float()).probabilities
        for same in (half, list(half)):
            np.testing.assert_array_equal(digits.predict(same).probabilities, expected)


def test_lists_of_arrays_and_read_only_arrays_are_accepted(trained, images, recwarn):
    digits = lit_mnist.load(MEMBER)
    expected = digits.predict(images[:3]).probabilities
    frozen = images[:3].copy()
    frozen.flags.writeable = False
    backwards = images[2::-1][::-1]
    views = (memoryview(images[:3]), [*map(memoryview, images[:3])])
    pictures = [*map(Image.fromarray, images[:3])]  # whose pixels are read-only as arrays
    for same in (list(images[:3]), tuple(torch.from_numpy(images[:3])), frozen, backwards, *views):
        np.testing.assert_array_equal(digits.predict(same).probabilities, expected)
    np.testing.assert_array_equal(digits.predict(pictures).probabilities, expected)
    assert not [one for one in recwarn if "NumPy" in str(one.message)]


def test_an_interrupted_call_leaves_nothing_for_the_next(trained, images, monkeypatch):
    digits, many = lit_mnist.load(MEMBER), np.tile(images, (6, 1, 1))  # two batches
    log_probs, calls = digits.model.log_probs, []

    def fail_once(batch):
        calls.append(batch)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return log_probs(batch)

    monkeypatch.setattr(digits.model, "log_probs", fail_once)
    with pytest.raises(KeyboardInterrupt):
        digits.predict(many)
    seen = []
    monkeypatch.setattr(
        "lit_mnist.export.reader.novelty.no_digit",
        lambda probabilities, rule, features: seen.append(features) or features[:, 0] > 0,
    )
    digits.predict(images)
    lit_mnist.load(MEMBER).predict(images)
    np.testing.assert_array_equal(*seen)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_gives_equal_answers(trained, images, copied):
    digits = lit_mnist.load(COMMITTEE)
    for own, other in zip(digits.predict(images), copied(digits).predict(images), strict=True):
        np.testing.assert_array_equal(own, other)


def test_an_autocast_of_the_caller_changes_nothing(trained, images):
    digits = lit_mnist.load(MEMBER)
    expected = digits.predict(images).probabilities
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_array_equal(digits.predict(images).probabilities, expected)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_a_default_type_of_the_caller_changes_nothing(trained, images, kind):
    picture = Image.fromarray(images[0])
    expected = [lit_mnist.load(COMMITTEE).predict(one) for one in (images, picture)]
    torch.set_default_dtype(kind)
    try:
        found = [lit_mnist.load(COMMITTEE).predict(one) for one in (images, picture)]
    finally:
        torch.set_default_dtype(torch.float32)
    for own, other in zip(sum(expected, ()), sum(found, ()), strict=True):
        np.testing.assert_array_equal(own, other)


def test_no_images_give_empty_predictions(trained):
    for none in ([], np.zeros((0, 28, 28), np.uint8)):
        answer = lit_mnist.load(COMMITTEE).predict(none)
        assert [part.shape for part in answer] == [(0,), (0, 10), (0, 3), (0,)]


def test_pictures_are_not_segmented_if_classes_are_not_digits(trained, here):
    picture = Image.fromarray(np.full((40, 40), 30, np.uint8))  # in which no digit is found
    picture.save("flat.png")
    digits = lit_mnist.load(MEMBER)  # of KMNIST
    expected = digits.predict(np.full((28, 28), 30, np.uint8)).probabilities
    for each in (picture, "flat.png"):
        np.testing.assert_allclose(digits.predict(each).probabilities, expected, atol=1e-6)


def test_a_url_is_not_a_folder():
    with pytest.raises(UserError, match=r"^https://example.com/run: is a URL; give a path"):
        lit_mnist.load("https://example.com/run")


LOADS = """
from tests import small_nets
small_nets.resize(small_nets.SMALL)
import sys
import numpy as np
import torch
import lit_mnist
before = torch.get_rng_state()
for run in sys.argv[1:]:
    lit_mnist.load(run).predict(np.zeros((2, 28, 28), np.uint8))
assert torch.equal(torch.get_rng_state(), before)
print("lightning" in sys.modules)
"""


def test_loading_imports_no_lightning_draws_no_numbers_prints_nothing(trained):
    done = subprocess.run(
        [sys.executable, "-c", LOADS, MEMBER, COMMITTEE],
        env=os.environ | {"PYTHONPATH": str(Path(lit_mnist.__file__).parent.parent)},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_pictures_are_read_from_files_and_from_pillow(trained):
    pixels = np.zeros((60, 90), np.uint8)
    pixels[10:50, 40:48] = 255  # a one
    picture = Image.fromarray(255 - pixels)
    picture.save("one.png")
    digits = lit_mnist.load(MEMBER)
    answers = [digits.predict(each).probabilities for each in ("one.png", picture, [picture])]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


@pytest.mark.parametrize("kind", [np.uint8, np.float64, np.float16])
def test_images_of_several_kinds_in_one_list_are_read_as_each_alone(trained, images, kind):
    inverted = Image.fromarray(255 - images[1])
    inverted.save("dark.png")
    array = images[0] if kind == np.uint8 else (images[0] / 255).astype(kind)
    mixed = [array, inverted, torch.from_numpy(images[2]), "dark.png", images[3] / 255]
    digits = lit_mnist.load(MEMBER)
    alone = np.concatenate([digits.predict(each).probabilities for each in mixed])
    np.testing.assert_allclose(digits.predict(mixed).probabilities, alone, atol=1e-6)
    np.testing.assert_allclose(digits.predict(mixed[::-1]).probabilities, alone[::-1], atol=1e-6)
    own = digits.predict(images[:4]).probabilities[[0, 1, 2, 1, 3]]
    np.testing.assert_allclose(alone, own, atol=1e-3 if kind == np.float16 else 1e-6)


def test_a_reader_can_be_shared_by_threads(trained, images):
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
    ("wrong", "message"),
    [
        (np.zeros((2, 10, 10), np.uint8), "shape"),
        (np.zeros((2, 28, 28), np.int64), "type"),
        (np.full((1, 28, 28), 255.0), "float from 0 to 1"),
        ("nowhere.png", "nowhere.png"),
        (Image.new("L", (1, 90), 255), "too narrow"),
        (Image.new("L", (0, 5)), "cannot read the picture"),
        (Image.new("LAB", (50, 50)), "cannot read the picture"),
        (torch.zeros(2, 9, requires_grad=True), "shape"),
        ([np.zeros((28, 28), np.uint8), np.zeros((2, 28), np.uint8)], r"shape \(2, 28\)"),
        ([np.zeros((1, 28, 28)), np.zeros((1, 28, 28))], r"among several: give each as \(28, 28\)"),
        ([np.zeros((28, 28), np.uint8), "nowhere.png"], "nowhere.png"),
        ([np.zeros((28, 28), np.uint8), np.full((28, 28), 255.0)], "float from 0 to 1"),
        ([np.array([[None]])], "not an array of numbers"),
        ([None], "NoneType among the images"),
        (np.full((1, 28, 28), np.nan), "float from 0 to 1"),
    ],
    ids=[
        *("shape", "type", "range", "missing", "narrow", "empty", "lab", "grad"),
        *("uneven", "stacks", "mixed", "range of one", "objects", "none", "nan"),
    ],
)
def test_refuses_unusable_images(trained, wrong, message):
    with pytest.raises(UserError, match=message):
        lit_mnist.load(MEMBER).predict(wrong)


def test_refuses_a_folder_without_a_run(here):
    with pytest.raises(UserError, match="no trained run"):
        lit_mnist.load("tb_logs/nothing")


@pytest.mark.parametrize(
    "news",
    [{"test_checkpoints": []}, {"test_average": "median"}, {"test_average": ["vote"]}],
    ids=str,
)
def test_refuses_results_without_members(trained, news):
    Run(COMMITTEE).update_results(**news)
    message = "no trained run and no tested committee|its entry test_average"
    with pytest.raises(UserError, match=message):
        lit_mnist.load(COMMITTEE)


@pytest.mark.parametrize("dataset", ["Foo", "MNIST"])
def test_refuses_members_of_unknown_or_different_datasets(trained, dataset):
    change(MEMBER / "checkpoints/best.ckpt", put("MNISTDataModule", "dataset", dataset))
    with pytest.raises(UserError, match=f"data set 'Foo'|several data sets, .* on {dataset}"):
        lit_mnist.load(COMMITTEE)


def test_sure_predictions_equal_those_of_predict(trained, images):
    digits = lit_mnist.load(COMMITTEE)
    facts = Run(COMMITTEE).results()["calibration"]
    sure = digits.sure(digits.predict(images).probabilities)
    row = next(
        row
        for row in facts["abstention"]
        if row["val_errors_allowed"] == facts["val_errors_allowed"]
    )
    assert sure.sum() == row["test_answered"]
    assert digits.labels[1] == "ki"


def test_a_file_for_another_runtime_is_refused(here):
    Path("model.onnx").touch()
    with pytest.raises(UserError, match="is for its own runtime"):
        lit_mnist.load("model.onnx")


def test_a_checkpoint_is_refused_naming_its_run(trained):
    path = MEMBER / "checkpoints" / "best.ckpt"
    with pytest.raises(UserError, match=f"is a checkpoint; give its run's folder, as {MEMBER}$"):
        lit_mnist.load(path)


def test_home_is_found(trained, images, monkeypatch):
    monkeypatch.setenv("HOME", str(trained))
    found = lit_mnist.load(f"~/{MEMBER}").predict(images[:5]).probabilities
    np.testing.assert_array_equal(found, lit_mnist.load(MEMBER).predict(images[:5]).probabilities)


@pytest.mark.parametrize(
    ("name", "argument"),
    [("gone.Net", "gone.Net"), ("__main__.Net", "Net"), ("", "my_module.Net")],
)
def test_an_unknown_class_is_to_be_named_in_python(trained, name, argument):
    def of_another_class(checkpoint):
        checkpoint["hyper_parameters"] |= {"_class_path": name}
        for key in (entries.MODEL_OPTIONS, entries.MODEL_CLASS):
            checkpoint.pop(key, None)

    change(MEMBER / "checkpoints/best.ckpt", of_another_class)
    with pytest.raises(UserError) as error:
        lit_mnist.load(MEMBER)
    assert f"; pass load the class, classes=[{argument}], if you trust it" in str(error.value)
    assert "--" not in str(error.value)


def test_another_class_than_the_one_that_is_named_does_not_make_it_known(trained):
    def of_another_class(checkpoint):
        checkpoint["hyper_parameters"] |= {"_class_path": "gone.Net"}
        for key in (entries.MODEL_OPTIONS, entries.MODEL_CLASS):
            checkpoint.pop(key, None)

    change(MEMBER / "checkpoints/best.ckpt", of_another_class)
    told = (
        r"trained with gone\.Net, which is not known here; .* the class, classes=\[gone\.Net\], if"
    )
    with pytest.raises(UserError, match=told):
        lit_mnist.load(MEMBER, classes=[DenseModule])


@pytest.mark.parametrize("named", ["examples.my_net.TinyModule", ["DenseModule"], [DenseModule, 1]])
def test_a_name_is_no_class(trained, named):
    told = r"^classes: \S+ is no class; import it, and give that$"
    with pytest.raises(UserError, match=told):
        lit_mnist.load(MEMBER, named)
    with pytest.raises(UserError, match=told):
        EnsembleModule(str(MEMBER / "checkpoints" / "best.ckpt"), classes=named)


def test_one_class_needs_no_list(trained, images):
    class Nameless(DenseModule):
        """Known by no name but this one."""

    def of_it(checkpoint):
        checkpoint["hyper_parameters"] |= {"_class_path": "__main__.Nameless"}
        for key in (entries.MODEL_OPTIONS, entries.MODEL_CLASS):
            checkpoint.pop(key, None)

    expected = lit_mnist.load(MEMBER).predict(images[:5]).probabilities
    change(MEMBER / "checkpoints/best.ckpt", of_it)
    found = lit_mnist.load(MEMBER, Nameless).predict(images[:5]).probabilities
    np.testing.assert_array_equal(found, expected)


def test_weights_that_do_not_fit_the_class_name_no_option(trained):
    change(MEMBER / "checkpoints/best.ckpt", put("state_dict", "net.1.bias", torch.zeros(3)))
    with pytest.raises(UserError, match=r"which do not fit \w+: .*; use the class as it was in"):
        lit_mnist.load(MEMBER)
