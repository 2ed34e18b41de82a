"""Resumed runs: after an epoch that `on_train_batch_start` ended with -1, and on a GPU."""

from types import SimpleNamespace

import torch
from lightning.pytorch.callbacks import SpikeDetection

from lit_mnist.training.resumed_epoch import ResumedEpoch
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


def test_the_mean_of_spike_detection_is_where_the_losses_are():
    spikes, gpu = SpikeDetection(), torch.device("meta")
    strategy, loop = SimpleNamespace(root_device=gpu), SimpleNamespace(restarted_mid_epoch=True)
    trainer = SimpleNamespace(callbacks=[spikes], strategy=strategy, fit_loop=loop)
    ResumedEpoch().on_train_start(trainer, None)
    assert spikes.running_mean.base_metric.mean_value.device == gpu
