"""What Lightning skips when a run is resumed; most cases are in `tests/test_recipes_resumed.py`."""

import copy
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import SpikeDetection
from lightning.pytorch.trainer.states import TrainerFn, TrainerStatus

from lit_mnist.models import DenseModule
from lit_mnist.resuming.resumed_epoch import ResumedEpoch
from lit_mnist.runs import entries
from tests.test_recipes import fitted, recipe
from tests.test_stopping import STOP_AT, assert_same_end, folder, rows, stopped


def test_a_resumed_run_validates_after_a_skipped_epoch(run_cli, monkeypatch):
    same = (*recipe("SkipsAnEpoch"), STOP_AT, "--every_n_train_steps", "3")
    same += ("--trainer.max_epochs", "3", "--data.augment", "false")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "13", "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    table = rows(folder("cut"))
    known = [{name for name in ("train_loss", "val_acc") if row[name]} for row in table]
    assert known == [{"train_loss", "val_acc"}, set(), {"train_loss", "val_acc"}]


class TakesOut(DenseModule):
    """Counts an epoch's steps, in an entry that it takes out of the checkpoint as it loads it."""

    steps = 0

    def on_train_epoch_start(self):
        self.steps = 0

    def training_step(self, batch, batch_idx):
        self.steps += 1
        self.log("counted", float(self.steps), on_step=False, on_epoch=True, reduce_fx="max")
        return super().training_step(batch, batch_idx)

    def on_save_checkpoint(self, checkpoint):
        checkpoint["own"] = {"steps": self.steps}

    def on_load_checkpoint(self, checkpoint):
        self.steps = checkpoint["own"].pop("steps")


def test_what_a_module_takes_out_of_its_checkpoint_is_kept(run_cli, monkeypatch):
    same = ("--model", f"{__name__}.TakesOut", STOP_AT, "--every_n_train_steps", "1")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "13", "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    counted = [[row["counted"] for row in rows(folder(name))] for name in ("whole", "cut")]
    assert counted[0] == counted[1] == ["9.0", "9.0"]


def test_the_mean_of_spike_detection_is_where_the_losses_are():
    spikes, gpu = SpikeDetection(), torch.device("meta")
    strategy, loop = SimpleNamespace(root_device=gpu), SimpleNamespace(restarted_mid_epoch=True)
    trainer = SimpleNamespace(callbacks=[spikes], strategy=strategy, fit_loop=loop)
    ResumedEpoch().on_train_start(trainer, None)
    assert spikes.running_mean.base_metric.mean_value.device == gpu


def detector():
    """A SpikeDetection of three losses, and a trainer's callback that completes its state."""
    spikes, resumed = SpikeDetection(window=3), ResumedEpoch()
    batches = SimpleNamespace(ready=4, started=4, processed=4, completed=4)
    loop = SimpleNamespace(batch_progress=SimpleNamespace(current=batches))
    fit_loop = SimpleNamespace(_should_accumulate=lambda: False, epoch_loop=loop)
    state = SimpleNamespace(fn=TrainerFn.FITTING, status=TrainerStatus.RUNNING)
    trainer = SimpleNamespace(
        callbacks=[spikes], fit_loop=fit_loop, state=state, optimizers=[], lr_scheduler_configs=[]
    )
    resumed.setup(trainer, None, "fit")
    return spikes, resumed, trainer


def test_a_loss_takes_the_place_of_the_oldest_after_a_resume_too():
    whole, resumed, trainer = detector()
    for loss in (1.0, 2.0, 3.0, 4.0):
        whole._update_stats(torch.tensor(loss))
    batches = {"total": {"processed": 4, "started": 4, "completed": 4}}
    checkpoint = {"loops": {"fit_loop": {"epoch_loop.batch_progress": batches}}}
    resumed.on_save_checkpoint(trainer, None, checkpoint)
    state = copy.deepcopy(whole.state_dict())

    cut, resumed, trainer = detector()
    resumed.on_load_checkpoint(trainer, None, checkpoint)
    cut.load_state_dict(state)
    for spikes in (whole, cut):
        spikes._update_stats(torch.tensor(8.0))
        assert spikes.running_mean.compute() == (3 + 4 + 8) / 3


@pytest.mark.parametrize(
    ("processed", "validating", "lacks"),
    [(4, False, None), (3, False, "end of step"), (4, True, "end of step")],
)
def test_a_checkpoint_saved_within_a_step_says_so(processed, validating, lacks):
    _, resumed, trainer = detector()
    trainer.fit_loop.epoch_loop.batch_progress.current.processed, checkpoint = processed, {}
    trainer.state.status, trainer.validating = TrainerStatus.INTERRUPTED, validating
    resumed.on_save_checkpoint(trainer, None, checkpoint)
    assert checkpoint.get(entries.LACKS) == lacks
