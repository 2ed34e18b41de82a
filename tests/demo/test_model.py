"""The page's answers agree with `lit_mnist.load` and `predict`."""

import base64
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import lit_mnist
from examples.my_net import TinyModule
from lit_mnist.demo.model import Model
from lit_mnist.errors import UserError
from lit_mnist.export import safetensors_file
from lit_mnist.export.facts import Facts
from lit_mnist.export.reader import Answer
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.models.novelty import no_digit
from lit_mnist.models.sureness import Abstention
from lit_mnist.runs.folder import Run
from tests.demo.drawn import SEVEN, picture, png

COMMITTEE = "tb_logs/dense/committee_3"


def test_a_drawn_seven_is_read_as_by_predict(model, handwriting_run):
    seven = picture(SEVEN)
    answer, expected = model.answer(png(seven)), lit_mnist.load(handwriting_run).predict(seven)
    assert (answer["best"], answer["votes"], answer["verdict"]) == (7, [7], "sure")
    np.testing.assert_array_equal(answer["probabilities"], expected.probabilities[0].tolist())


def test_the_displayed_image_is_the_network_s_input(model):
    answer = model.answer(png(picture(SEVEN)))
    image = np.frombuffer(base64.b64decode(answer["image"]), np.uint8).reshape(28, 28).copy()
    read = model.reader.predict(image)
    np.testing.assert_array_equal(read.probabilities[0].tolist(), answer["probabilities"])


@pytest.mark.filterwarnings("error")
def test_an_image_in_mnist_s_form_is_unchanged_without_a_warning(model):
    shown = model.answer(png(picture(SEVEN)))["image"]
    image = np.frombuffer(base64.b64decode(shown), np.uint8).reshape(28, 28)
    assert model.answer(png(Image.fromarray(image)))["image"] == shown


def test_a_committee_returns_every_member_s_vote(three):
    folder = three / COMMITTEE
    model, seven = Model.load(folder), picture(SEVEN)
    answer, expected = model.answer(png(seven)), lit_mnist.load(folder).predict(seven)
    assert answer["votes"] == expected.votes[0].tolist()
    assert len(answer["votes"]) == model.about()["members"] == 3
    assert answer["best"] == expected.labels[0]


def test_about_names_the_run_and_its_classes(model, three):
    about = model.about()
    assert (about["title"], about["members"]) == ("simple_plateau/seed_42", 1)
    assert about["names"] == tuple("0123456789")
    assert Model.load(three / COMMITTEE).about()["names"][1] == "ki"  # KMNIST's


def test_a_blank_sheet_has_no_digit(model):
    answer = model.answer(png(Image.new("L", (280, 280), 255)))
    assert (answer["image"], answer["verdict"]) == (None, "no digit")
    assert "probabilities" not in answer


@pytest.mark.parametrize(
    ("highest", "digits", "verdict"),
    [
        (0.81, True, "sure"),
        (0.79, True, "not sure"),
        (0.51, True, "not sure"),
        (0.49, True, "no digit"),
        (0.49, False, "not sure"),  # of clothes: predict names them all
    ],
)
def test_the_verdict_equals_that_of_predict(model, highest, digits, verdict):
    probabilities = np.full((1, 10), (1 - highest) / 9, np.float32)
    probabilities[0, 3] = highest
    rejected = no_digit(probabilities, None, np.zeros((1, 0))) & digits
    answer = Answer(np.array([3]), probabilities, np.array([[3]]), rejected)
    assert model.reader.abstention == Abstention()  # as the run was not tested
    assert model.verdict(answer) == verdict


def test_the_threshold_is_that_of_the_run_s_validation(three):
    """The committee and its member were tested, so their results hold a threshold."""
    for name in ("committee_3", "seed_42"):
        folder = three / "tb_logs/dense" / name
        known = json.loads((folder / "results.json").read_text())["calibration"]
        abstention = Model.load(folder).reader.abstention
        assert abstention.threshold == known["threshold"]
        assert abstention.source.endswith("validation images")


def test_a_safetensors_file_is_served_like_its_run(three, tmp_path):
    """With the user's labels, and the same verdicts."""
    run, names = three / COMMITTEE, [*"abcdefghij"]
    file = tmp_path / "it.safetensors"
    trained = TrainedRun.read(Run(run))._replace(own_labels=names)
    file.write_bytes(
        safetensors_file.content(trained, Facts.of(Run(run), trained).metadata("uint8"))
    )
    model, own = Model.load(file), Model.load(run)
    assert model.about()["names"] == tuple(names)
    assert model.about()["what"] == "an image"
    assert model.reader.abstention == own.reader.abstention
    answers = [one.answer(png(picture(SEVEN))) for one in (model, own)]
    assert len({json.dumps(answer | {"seconds": 0}) for answer in answers}) == 1


def test_a_user_s_net_from_an_interrupted_run_is_served(here):
    module = TinyModule()
    checkpoint = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    run = Run(here / "tiny/seed_1")
    run.best.parent.mkdir(parents=True)
    torch.save(checkpoint, run.best)
    run.update_results(status="interrupted")
    model = Model.load(run.folder, [TinyModule], "abcdefghij")
    assert model.about()["title"] == "tiny/seed_1 (training interrupted)"
    assert model.about()["names"] == tuple("abcdefghij")
    assert model.answer(png(picture(SEVEN)))["votes"]


@pytest.mark.parametrize("content", [b"", b"%!PS-Adobe-3.0", png(picture(SEVEN))[:300]], ids=len)
def test_a_body_that_is_not_a_picture_is_refused_in_one_line(model, content):
    with pytest.raises(UserError, match=r"^cannot read the picture \(.+\): give a whole image"):
        model.answer(content)


def test_an_untrained_run_is_reported(here, three):
    with pytest.raises(UserError, match="tb_logs/none: holds no trained run"):
        Model.load(here / "tb_logs/none")
    shutil.copytree(three / COMMITTEE, here / "alone")  # its members stay behind
    with pytest.raises(UserError, match=r"best\.ckpt"):
        Model.load(here / "alone")
