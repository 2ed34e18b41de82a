"""What was logged before a resume can be read after it."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.resuming.last_metrics import PLACES, LastMetrics
from lit_mnist.runs import entries
from tests.fitting import fitted
from tests.stopping import STOP_AT, assert_same_end, checkpoint, folder, stopped

MODEL = "tests.stateful."


@pytest.mark.parametrize(
    ("name", "moment", "options"),
    [
        ("ReadsMetrics", "11", ()),  # of 9 a batch: within the second epoch
        ("PatientPlateau", "20", ("--trainer.check_val_every_n_epoch", "2")),
    ],
)
def test_what_reads_the_last_scores_resumes_bit_identically(
    run_cli, monkeypatch, name, moment, options
):
    same = ("--model", MODEL + name, STOP_AT, *options, "--trainer.max_epochs", "4")
    same += ("--every_n_train_steps", "1")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    (seen,) = checkpoint("last", folder("cut"))[entries.LAST_METRICS]
    assert {"val_acc", "train_loss", "lr"} <= seen["_callback_metrics"].keys()


@pytest.mark.parametrize(("ranks", "read"), [(2, 0.25), (3, 0.5)])
def test_each_rank_reads_its_own_or_what_the_first_has_logged(ranks, read):
    trainer = SimpleNamespace(
        world_size=ranks, global_rank=1, state=SimpleNamespace(fn=TrainerFn.FITTING),
        _logger_connector=SimpleNamespace(),
    )  # fmt: skip
    stored = [{place: {"own": torch.tensor(value)} for place in PLACES} for value in (0.5, 0.25)]
    metrics, module = LastMetrics(), LightningModule()
    metrics.on_load_checkpoint(trainer, module, {entries.LAST_METRICS: stored})
    metrics.on_fit_start(trainer, module)
    for place in PLACES:
        assert getattr(trainer._logger_connector, place)["own"].item() == read


def test_a_checkpoint_of_an_earlier_version_has_none():
    trainer = SimpleNamespace(world_size=1, state=SimpleNamespace(fn=TrainerFn.FITTING))
    trainer.global_rank = 0
    metrics = LastMetrics()
    metrics.on_load_checkpoint(trainer, LightningModule(), {"lit_mnist.generators": []})
    metrics.on_fit_start(trainer, LightningModule())  # and does not touch the trainer
