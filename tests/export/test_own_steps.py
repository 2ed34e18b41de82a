"""What is scored by a step of a user's own is not said of an exported file, which lacks it."""

from pathlib import Path

import pytest
import yaml

import lit_mnist
from lit_mnist.demo.model import Model
from lit_mnist.main import main
from lit_mnist.models import DenseModule
from tests.trained import change, put

MEMBER, COMMITTEE = Path("tb_logs/dense/seed_42"), Path("tb_logs/dense/committee_3")


class OwnTest(DenseModule):
    def test_step(self, batch, batch_idx):
        return super().test_step(batch, batch_idx)


class OwnPrediction(DenseModule):
    def predict_step(self, batch, batch_idx):
        return super().predict_step(batch, batch_idx)


class OwnValidation(DenseModule):
    def validation_step(self, batch, batch_idx):
        return super().validation_step(batch, batch_idx)


@pytest.fixture
def exported(trained, capsys):
    """Gives a run's network a class, exports the run; gives the card and standard error."""

    def call(kind, folder=MEMBER):
        name = f"{__name__}.{kind.__name__}"
        for seed in (42, 43, 44):
            path = Path(f"tb_logs/dense/seed_{seed}/checkpoints/best.ckpt")
            change(path, put("hyper_parameters", "_class_path", name))
        capsys.readouterr()
        options = ["--format", "safetensors", "--output", "out/it.safetensors"]
        assert main(["export", str(folder), *options]) == 0
        return Path("out/MODEL_CARD.md").read_text(), capsys.readouterr().err

    return call


def said(step, kind):
    return (
        f"{__name__}.{kind.__name__}: its own {step} is not called, as its answers are what"
        " `evaluate` returns"
    )


def scores(card):
    """The scores of the card's head, by split."""
    results = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"]
    return {one["dataset"]["split"]: one["metrics"][0]["value"] for one in results}


def test_a_test_by_a_step_of_its_own_is_left_out_of_the_card(exported):
    card, problems = exported(OwnTest)
    told = said("test_step", OwnTest)
    assert problems == f"{told}\n"
    assert f"\n{told}.\n" in card
    assert scores(card).keys() == {"validation"}
    assert "No test counts for this file: the test called a test_step of the run's own" in card
    assert "| test |" not in card
    assert "misclassified" not in card
    assert not list(Path("out").glob("*.png"))


def test_a_prediction_by_a_step_of_its_own_is_told_and_the_test_stands(exported):
    card, problems = exported(OwnPrediction)
    assert problems == f"{said('predict_step', OwnPrediction)}\n"
    assert said("predict_step", OwnPrediction) in card
    assert scores(card).keys() == {"test", "validation"}


def test_a_validation_by_a_step_of_its_own_is_left_out_of_the_card(exported):
    card, problems = exported(OwnValidation)
    assert problems == f"{said('validation_step', OwnValidation)}\n"
    assert scores(card).keys() == {"test"}
    assert "validation, which chose" not in card


def test_a_committee_s_test_calls_no_step_of_its_members(exported):
    card, problems = exported(OwnTest, COMMITTEE)
    assert (problems, "not called" in card) == ("", False)
    assert scores(card).keys() == {"test"}


@pytest.mark.parametrize("load", [lit_mnist.load, Model.load])
def test_load_and_demo_tell_what_they_do_not_call(exported, capsys, load):
    for kind, step in ((OwnTest, "test_step"), (OwnPrediction, "predict_step")):
        exported(kind)
        for path in (MEMBER, Path("out/it.safetensors")):
            load(path)
            assert capsys.readouterr().err == f"{said(step, kind)}\n"
    exported(OwnValidation)
    load(MEMBER)
    assert capsys.readouterr().err == ""
