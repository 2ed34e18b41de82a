"""What validate and test print of an evaluation."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lit_mnist.commands import evaluation
from lit_mnist.models import DenseModule
from tests.fitting import fitted


class OwnNames(DenseModule):
    """Scores its images under names of its own."""

    def validation_step(self, batch, batch_idx):
        self.log("val/f1", 0.25)
        self.log("val/size", float(len(batch.labels)), on_step=True, on_epoch=True)

    def test_step(self, batch, batch_idx):
        self.log("test/f1", 0.5)


class MoreNames(OwnNames):
    """Scores them under the program's names, too."""

    def validation_step(self, batch, batch_idx):
        OwnNames.validation_step(self, batch, batch_idx)
        DenseModule.validation_step(self, batch, batch_idx)


@pytest.mark.parametrize(
    ("name", "validated"),
    [
        ("OwnNames", "val/f1 0.2500  val/size 100.0000"),
        ("MoreNames", r"val_acc 0\.\d{4}  val_loss \d\.\d{4}  val/f1 0.2500  val/size 100.0000"),
    ],
)
def test_all_that_a_module_logs_is_told(run_cli, name, validated):
    options = ("--model", f"{__name__}.{name}", "--trainer.max_epochs", "1")
    fitted(run_cli("fit", *options))
    assert re.search(f"ckpt: {validated}\n", fitted(run_cli("validate", *options)))
    assert "ckpt: test/f1 0.5000\n" in fitted(run_cli("test", *options))


def test_scores_are_printed_as_they_are_recorded():
    exact = torch.tensor(0.90965)  # in float32 a little more, but recorded with seven digits
    trainer = SimpleNamespace(
        callback_metrics={"val_acc": exact}, val_dataloaders=[0], num_val_batches=[1], callbacks=[]
    )
    assert f"{float(exact):.4f}" == "0.9097"
    assert evaluation.scores(trainer, "val") == "val_acc 0.9096"


def test_a_link_to_a_run_s_own_checkpoint_is_of_the_run(run_cli):
    epochs = ("--trainer.max_epochs", "1")
    for name in ("one", "other"):
        fitted(run_cli("fit", "--name", name, *epochs))
    best = Path("tb_logs/one/seed_42/checkpoints/best.ckpt").resolve()
    Path("link.ckpt").symlink_to(best)
    kept = best.parents[1] / "kept"  # of the user's own ModelCheckpoint
    kept.mkdir()
    shutil.copy(best, kept / "epoch_0.ckpt")
    for path in ("link.ckpt", str(kept / "epoch_0.ckpt")):
        own = run_cli("validate", "--name", "one", "--ckpt_path", path)
        assert (own[0], own[2]) == (0, "")
        problems = run_cli("validate", "--name", "other", "--ckpt_path", path)[2]
        assert f"{path}: not of tb_logs/other/seed_42; --ckpt_path best takes" in problems
