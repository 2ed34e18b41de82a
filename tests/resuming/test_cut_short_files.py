"""Files of a user's ModelCheckpoint where max_steps cut an epoch short and was raised."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.models import DenseModule
from lit_mnist.resuming.cut_short_files import CutShortFiles
from lit_mnist.runs import entries
from lit_mnist.runs.folder import Run
from tests.fitting import callback, fitted
from tests.stopping import STOP_AT, stopped

OWN = Path("own")
KINDS = {
    "the best two by the loss": {"monitor": "val_loss", "save_top_k": 2, "filename": "{epoch}"},
    "the newest": {"save_last": "true"},
    "all": {"save_top_k": -1, "filename": "{epoch}"},
    "the best of the training images": {"monitor": "train_acc", "mode": "max"},
    "over the old": {"filename": "{epoch}", "enable_version_counter": "false"},
    "after steps": {"every_n_train_steps": 4, "save_top_k": -1, "save_last": "true"},
}


class Judged(DenseModule):
    """Logs a score that is highest where an epoch is cut short, and lower in each epoch."""

    def on_train_epoch_end(self):
        whole = 1 / (2 + self.current_epoch)
        self.log("score", whole if self.trainer.is_last_batch else 1.0)

    def on_train_end(self):
        kept = self.trainer.checkpoint_callback
        print("best", Path(kept.best_model_path).name, float(kept.best_model_score))


def steps():
    """The step of each file."""
    files = {path.name: torch.load(path, weights_only=True) for path in OWN.iterdir()}
    return {name: saved["global_step"] for name, saved in files.items()}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_there_are_those_of_an_uninterrupted_run(run_cli, monkeypatch, options):
    own = callback("ModelCheckpoint", dirpath=OWN, **options)
    fit = ("fit", *own, STOP_AT, "--every_n_train_steps", "1", "--trainer.max_epochs", "-1")
    fitted(run_cli(*fit, "--trainer.max_steps", "27"))
    whole = steps()
    shutil.rmtree(OWN)
    shutil.rmtree("tb_logs")
    for limit in ("11", "13"):  # of which the second is in the same epoch
        fitted(run_cli(*fit, "--trainer.max_steps", limit))
    cut = steps()
    stopped(run_cli, monkeypatch, "3", *fit, "--trainer.max_steps", "27")
    assert cut.items() <= steps().items()  # they stay until those of the epoch's end are there
    fitted(run_cli(*fit, "--trainer.max_steps", "27"))
    assert steps() == whole


def test_one_who_keeps_all_files_keeps_those_whose_names_are_not_needed(run_cli):
    options = {"dirpath": OWN, "filename": "{step}", "save_top_k": -1}
    fit = ("fit", *callback("ModelCheckpoint", **options), "--trainer.max_epochs", "-1")
    limited = callback("ModelCheckpoint", dirpath=OWN, filename="new", every_n_epochs=2)
    for limit in ("13", "18"):
        fitted(run_cli(*fit, *limited, "--trainer.max_steps", limit))
    assert steps() == {"step=9.ckpt": 9, "step=13.ckpt": 13, "step=18.ckpt": 18, "new.ckpt": 18}


def test_a_file_in_whose_place_one_was_saved_is_the_best_no_more(run_cli):
    own = callback("ModelCheckpoint", dirpath=OWN, monitor="score", mode="max", filename="{epoch}")
    fit = ("fit", *own, "--model", f"{__name__}.Judged", "--trainer.max_epochs", "-1")
    assert "best epoch=1.ckpt 1.0" in fitted(run_cli(*fit, "--trainer.max_steps", "13"))
    output = fitted(run_cli(*fit, "--trainer.max_steps", "27"))
    assert "best epoch=1.ckpt 0.333" in output
    assert steps() == {"epoch=1.ckpt": 18}


@pytest.mark.parametrize(("saved_in", "files"), [("here", {"one": ["a.ckpt"]}), ("there", {})])
def test_a_checkpoint_that_was_copied_from_another_run_removes_nothing(tmp_path, saved_in, files):
    """As that of a run which began with it, and was killed before it had one of its own."""
    run = Run(tmp_path / "here")
    dirpath = {"dirpath": str(tmp_path / saved_in / run.last.parent.name)}
    checkpoint = {"callbacks": {entries.LAST: dirpath}, entries.CUT_SHORT: {"one": ["a.ckpt"]}}
    fitting = SimpleNamespace(state=SimpleNamespace(fn=TrainerFn.FITTING))
    kept = CutShortFiles(run)
    kept.on_load_checkpoint(fitting, None, checkpoint)
    assert kept.files == files


def test_those_of_another_run_are_left_to_it(run_cli):
    own = callback("ModelCheckpoint", dirpath=OWN, filename="{epoch}", save_top_k=-1)
    fit = ("fit", *own, "--trainer.max_epochs", "-1", "--trainer.max_steps")
    fitted(run_cli(*fit, "13"))
    start = ("--name", "other", "--ckpt_path", "tb_logs/dense/seed_42/checkpoints/last.ckpt")
    fitted(run_cli(*fit, "18", *start))
    assert steps() == {"epoch=0.ckpt": 9, "epoch=1.ckpt": 13, "epoch=1-v1.ckpt": 18}
