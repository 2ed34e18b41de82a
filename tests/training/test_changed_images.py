"""Scores of images that a callback changes as each batch begins."""

import json
from pathlib import Path

from lightning.pytorch import Callback
from PIL import Image

from lit_mnist.main import main
from lit_mnist.training import changed_images
from tests.conftest import CONFIGS
from tests.training.test_swapped_weights import RUN, Looks, looks, results

HERE = "tests.training.test_changed_images"
NOTE = "a callback has changed the images"
SEVERAL = ("--data.eval_batch_size", "50")  # batches, of which the callback changes one


class Blank(Callback):
    """Edits the second of the batches in place, so that a look at the first would find nothing."""

    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        if batch_idx == 1:
            batch.images.mul_(0)

    on_validation_batch_start = on_test_batch_start


class Relabels(Callback):
    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        batch.labels = batch.labels * 0


class Inverts(Callback):
    def on_predict_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        batch.images.neg_().add_(1)


class Reads(Looks):
    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.mean = batch.images.mean()


def test_images_that_a_callback_changes_are_not_scored_as_those_on_disk(fitted, run_cli):
    assert run_cli("test", f"--trainer.callbacks+={HERE}.Reads")[0] == 0
    before = {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()}
    for kind in ("Blank", "Relabels"):
        status, output, problems = run_cli("test", f"--trainer.callbacks+={HERE}.{kind}", *SEVERAL)
        assert (status, problems) == (0, "")
        score, line = output.splitlines()
        assert score.endswith(f"  ({NOTE})")
        assert line == f"{NOTE}: nothing is recorded except a line in {RUN}/ledger.csv"
    first, *others = looks()
    assert first["weights_sha256"] == results()["test_weights_sha256"]
    assert [one["weights_sha256"] for one in others] == ["", ""]
    del before[RUN / "ledger.csv"]
    assert {path: path.read_bytes() for path in before} == before
    output = run_cli("validate", f"--trainer.callbacks+={HERE}.Blank", *SEVERAL)[1]
    assert output.endswith(f"  ({NOTE})\n")


def test_images_that_change_on_another_rank_alone_are_told(fitted, run_cli, monkeypatch):
    monkeypatch.setattr(changed_images, "of_each_rank", lambda _, own: [own, ("", NOTE)])
    line = run_cli("test")[1].splitlines()[1]
    assert line == f"{NOTE}: nothing is recorded except a line in {RUN}/ledger.csv"


def test_training_tells_once_that_it_validates_on_other_images(run_cli):
    told = "Blank changes the images of a validation in on_validation_batch_start"
    status, _, problems = run_cli("fit", f"--trainer.callbacks+={HERE}.Blank", *SEVERAL)
    assert (status, problems.count(told)) == (0, 1)


def test_pictures_that_a_callback_changes_are_told(fitted, run_cli, here):
    Image.new("L", (28, 28), 255).save("one.png")
    asked = ("--data.images", "one.png", f"--trainer.callbacks+={HERE}.Inverts")
    assert f"{NOTE}: these are not the answers to your pictures" in run_cli("predict", *asked)[1]


def test_a_committee_s_changed_images_leave_no_record(trained, members, capsys):
    at = members.index("--data.dataset")
    folder = Path("tb_logs/dense/committee_3")
    before = json.loads((folder / "results.json").read_text())
    options = [
        *("--config", f"{CONFIGS}/ensemble.yaml", "--name", "dense", *members[at : at + 4]),
        *("--model.checkpoints", "tb_logs/dense/seed_*/checkpoints/best.ckpt"),
        *("--trainer.accelerator", "cpu", f"--trainer.callbacks+={HERE}.Relabels"),
    ]
    assert main(["test", *options]) == 0
    assert f"{NOTE}: nothing is recorded" in capsys.readouterr().out
    assert json.loads((folder / "results.json").read_text()) == before
