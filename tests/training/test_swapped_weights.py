"""Scores of weights that a callback puts in place for an evaluation, and of a module's own."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from PIL import Image

from lit_mnist.main import main
from lit_mnist.models import DenseModule
from tests.conftest import CONFIGS, TEST

HERE = "tests.training.test_swapped_weights"
RUN = Path("tb_logs/dense/seed_42")


class Negated(Callback):
    """Puts other weights of the same norms in place: no image is answered as before."""

    def swap(self, trainer, pl_module, *_):
        for one in pl_module.parameters():
            one.data.neg_()

    def back(self, trainer, pl_module, *_):
        for one in pl_module.parameters():
            one.data.neg_()


class AtStart(Negated):
    on_validation_start = on_test_start = on_predict_start = Negated.swap
    on_validation_end = on_test_end = Negated.back


class AtEpochStart(Negated):
    on_validation_epoch_start = on_test_epoch_start = on_predict_epoch_start = Negated.swap
    on_validation_epoch_end = on_test_epoch_end = Negated.back


class AtBatchStart(Negated):
    on_validation_batch_start = on_test_batch_start = on_predict_batch_start = Negated.swap
    on_validation_batch_end = on_test_batch_end = Negated.back


class AtLoading(Negated):
    on_load_checkpoint = Negated.swap


class Brings(DenseModule):
    """A module that brings such a callback, and has a hook of its own that swaps nothing."""

    def configure_callbacks(self):
        return [AtStart()] if self.trainer.state.fn != "fit" else []

    def on_test_start(self):
        self.batches = 0


class Counts(DenseModule):
    """A module whose own hook changes a buffer, beside a callback that only looks."""

    def __init__(self):
        super().__init__()
        self.register_buffer("tests", torch.zeros(()))

    def on_test_start(self):
        self.tests += 1


class Looks(Callback):
    def on_test_start(self, trainer, pl_module):
        pl_module.load_state_dict(pl_module.state_dict())


def results(folder=RUN):
    return json.loads((folder / "results.json").read_text())


def looks(folder=RUN):
    with (folder / "ledger.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def correct(table):
    """How many images a table of predictions has right."""
    with table.open(newline="") as file:
        return sum(row["label"] == row["prediction"] for row in csv.DictReader(file))


@pytest.mark.parametrize("kind", ["AtStart", "AtEpochStart", "AtBatchStart", "AtLoading"])
def test_what_a_callback_swaps_in_is_not_scored_as_the_checkpoint(fitted, run_cli, kind):
    swaps = f"--trainer.callbacks+={HERE}.{kind}"
    assert run_cli("test")[0] == 0
    before = {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()}
    known = results()

    status, output, problems = run_cli("test", swaps)
    assert (status, problems) == (0, "")
    score, line = output.splitlines()
    assert score.endswith("  (of other weights: a callback has swapped net.1.weight)")
    assert line == (
        "a callback has swapped net.1.weight, and no checkpoint holds what it put there:"
        f" nothing is recorded except a line in {RUN}/ledger.csv"
    )
    first, second = looks()
    assert first["weights_sha256"] == known["test_weights_sha256"]
    assert second["weights_sha256"] == ""  # not known
    assert float(second["test_acc"]) < 0.5 < float(first["test_acc"])
    del before[RUN / "ledger.csv"]
    assert {path: path.read_bytes() for path in before} == before

    output = run_cli("validate", swaps)[1]
    assert output.endswith("  (of other weights: a callback has swapped net.1.weight)\n")
    assert "of other weights" not in run_cli("validate")[1]


def test_a_callback_that_a_module_brings_is_seen(run_cli):
    named = ("--model", f"{HERE}.Brings")
    assert run_cli("fit", *named)[0] == 0
    assert "a callback has swapped net.1.weight, and no" in run_cli("test", *named)[1]
    assert not [name for name in results() if name.startswith("test_")]
    assert not (RUN / "predictions.csv").exists()


def test_a_module_s_own_hooks_and_callbacks_that_only_look_are_left_alone(run_cli):
    named = ("--model", f"{HERE}.Counts", f"--trainer.callbacks+={HERE}.Looks")
    assert run_cli("fit", *named)[0] == 0
    assert "swapped" not in run_cli("test", *named)[1]
    assert results()["test_errors"] == TEST - correct(RUN / "predictions.csv")


def test_an_average_of_lightning_s_that_is_saved_is_tested_as_the_checkpoint(run_cli, here):
    averaging = "--trainer.callbacks+=EMAWeightAveraging"
    assert run_cli("fit", averaging, "--trainer.callbacks.decay", "0.9")[0] == 0
    assert "swapped" not in run_cli("test", averaging, "--trainer.callbacks.decay", "0.9")[1]
    recorded, table = results(), (RUN / "predictions.csv").read_bytes()
    assert recorded["test_checkpoints"] == ["checkpoints/best.ckpt"]
    assert run_cli("test")[0] == 0  # without the callback
    assert results()["test_weights_sha256"] == recorded["test_weights_sha256"]
    assert (RUN / "predictions.csv").read_bytes() == table


def test_digits_that_other_weights_name_are_told(fitted, run_cli, here):
    picture = Image.new("L", (28, 28), 255)
    picture.paste(0, (12, 4, 15, 24))
    picture.save("one.png")
    assert run_cli("test")[0] == 0
    asked = ("--data.images", "one.png")
    told = "a callback has swapped net.1.weight: these are not the answers of the checkpoint's"
    status, output, problems = run_cli("predict", *asked)
    assert status == 0, problems
    assert told not in output
    assert "rule of thumb" not in output
    output = run_cli("predict", *asked, f"--trainer.callbacks+={HERE}.AtStart")[1]
    assert told in output
    assert "a rule of thumb" in output  # not the threshold of the checkpoint's weights


@pytest.mark.parametrize(
    ("command", "parts", "name"),
    [("test", (), "committee_3"), ("validate", ("--data.folds", "3"), "committee_3_folds_3")],
)
def test_a_committee_s_swapped_members_leave_no_record(
    request, here, members, capsys, command, parts, name
):
    source = request.getfixturevalue("folds" if parts else "three")
    shutil.copytree(source / "tb_logs", "tb_logs")
    folder = Path("tb_logs/dense") / name
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    at = members.index("--data.dataset")
    options = [
        *("--config", f"{CONFIGS}/ensemble.yaml", "--name", "dense", *members[at : at + 4]),
        *("--model.checkpoints", "tb_logs/dense/seed_*/checkpoints/best.ckpt", *parts),
        *("--trainer.accelerator", "cpu", f"--trainer.callbacks+={HERE}.AtStart"),
    ]
    assert main([command, *options]) == 0
    output = capsys.readouterr().out
    assert output.count("a callback has swapped nets.0.") == 2
    assert "nothing is recorded" in output
    if command == "test":
        before.pop(folder / "ledger.csv")
        assert looks(folder)[-1]["weights_sha256"] == ""
    assert {path: path.read_bytes() for path in before} == before
