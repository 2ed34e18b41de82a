"""One test per work-around: it fails once upstream is fixed and the work-around can be removed."""

import sys
import textwrap
import warnings
from pathlib import Path

import pytest
import torch
from lightning.fabric.loggers import csv_logs
from lightning.pytorch.accelerators import CUDAAccelerator
from lightning.pytorch.callbacks import (
    ModelCheckpoint,
    OnExceptionCheckpoint,
    StochasticWeightAveraging,
    WeightAveraging,
)
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loops import fit_loop, training_epoch_loop
from lightning.pytorch.plugins import Precision
from lightning.pytorch.plugins.io import AsyncCheckpointIO, TorchCheckpointIO
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import Strategy
from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors import (
    callback_connector,
    checkpoint_connector,
    signal_connector,
)
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector
from lightning.pytorch.trainer.connectors.logger_connector import result
from lightning.pytorch.tuner import lr_finder
from lightning.pytorch.utilities import rank_zero_info
from tensorboard.summary.writer import event_file_writer
from torch.optim import Optimizer

from lit_mnist.command_line.run_parser import CommandLineWins
from lit_mnist.errors import UserError
from lit_mnist.logs.run_logger import RunLogger
from lit_mnist.models.plateau import Plateau, PlateauBeforeCheckpoint
from lit_mnist.training.checkpoint_io import WholeFileCheckpointIO
from lit_mnist.workarounds import applied
from tests import warm
from tests.workarounds.stock import trainer


def failing_save(*_args, **_kwargs):
    raise OSError("disk full")


def test_upstream_still_prints_tips(here):
    code = """
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
Trainer(accelerator="cpu", max_steps=1).fit(BoringModel())
"""
    within = "from lit_mnist.workarounds.applied import applied\nwith applied():\n"
    Path("loud.py").write_text(code)
    Path("quiet.py").write_text(within + textwrap.indent(code, "    "))
    for script, loud in (("loud.py", True), ("quiet.py", False)):
        status, *output = warm.run([script])
        assert status == 0, output
        assert ("Tip" in "".join(output)) is loud


def test_only_known_noise_is_hidden(caplog):
    with warnings.catch_warnings(record=True) as caught, applied.quiet():
        rank_zero_info("GPU available: False, used: False")
        rank_zero_info("Metric val_loss improved. New best score: 0.5")
        warnings.warn("GPU available but not used. You can set it by doing", stacklevel=1)
        warnings.warn("something is wrong", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["something is wrong"]
    assert [record.message for record in caplog.records] == [
        "Metric val_loss improved. New best score: 0.5"
    ]
    rank_zero_info("GPU available: False, used: False")
    assert len(caplog.records) == 2  # it is over


def test_what_lightning_says_of_each_gpu_is_noise_unless_asked_for(caplog, monkeypatch):
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "")  # which is set here
    for without, told in (("", []), ("quiet", ["LOCAL_RANK: 1 - CUDA_VISIBLE_DEVICES: [0,1]"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        monkeypatch.setenv("LIT_MNIST_WITHOUT", without)
        with applied.applied():
            CUDAAccelerator.set_nvidia_flags(local_rank=1)
        assert [record.message for record in caplog.records] == told


def test_upstream_still_stages_checkpoints_in_another_folder(tmp_path, monkeypatch):
    staging = tmp_path / "staging"
    staging.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(staging / "gone"))  # a temp folder that fails
    target = tmp_path / "a.ckpt"
    with pytest.raises(OSError, match="gone"):
        TorchCheckpointIO().save_checkpoint({"a": 1}, target)
    WholeFileCheckpointIO().save_checkpoint({"a": 1}, target)
    assert torch.load(target, weights_only=True) == {"a": 1}


def test_a_failed_save_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    target = tmp_path / "a.ckpt"
    WholeFileCheckpointIO().save_checkpoint({"a": 1}, target)
    monkeypatch.setattr(torch, "save", failing_save)
    with pytest.raises(OSError, match="disk full"):
        WholeFileCheckpointIO().save_checkpoint({"a": 2}, target)
    assert torch.load(target, weights_only=True) == {"a": 1}
    assert list(tmp_path.iterdir()) == [target]


class Falling(BoringModel):
    """A plateau schedule, stepped by Lightning, that lowers the rate after each epoch."""

    def on_train_epoch_end(self):
        self.log("val_acc", 0.5)

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters())
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, mode="max", patience=0)
        return {"optimizer": adam, "lr_scheduler": {"scheduler": schedule, "monitor": "val_acc"}}


class OursFalling(Falling):
    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters())
        schedule = {"scheduler": Plateau(adam, patience=1), "monitor": "val_acc"}
        return {"optimizer": adam, "lr_scheduler": schedule}

    def configure_callbacks(self):
        return [PlateauBeforeCheckpoint()]


@pytest.mark.parametrize(("model", "steps"), [(Falling, 1), (OursFalling, 2)])
def test_upstream_still_steps_the_plateau_after_the_checkpoint(tmp_path, model, steps):
    saved = ModelCheckpoint(tmp_path, "last", save_on_train_epoch_end=True)
    trainer(tmp_path, max_epochs=2, callbacks=[saved]).fit(model())
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["lr_schedulers"][0]["last_epoch"] == steps
    rates = [group["lr"] for group in checkpoint["optimizer_states"][0]["param_groups"]]
    assert rates == checkpoint["lr_schedulers"][0]["_last_lr"]


class Improves(BoringModel):
    """Its first epoch is its best."""

    def on_train_epoch_end(self):
        self.log("val_acc", 1.0 - self.current_epoch / 10)


def test_upstream_save_last_still_stays_at_the_best_epoch(tmp_path):
    callback = ModelCheckpoint(tmp_path, monitor="val_acc", mode="max", save_last=True)
    trainer(tmp_path, max_epochs=3, callbacks=[callback]).fit(Improves())
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 0


class Sized(BoringModel):
    def __init__(self, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()


def parsed(kind, arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["cli.py"])
    cli = kind.__new__(kind)
    monkeypatch.setattr(kind, "instantiate_classes", lambda self: None)
    monkeypatch.setattr(kind, "_run_subcommand", lambda self, name: None)
    cli.__init__(Sized, BoringDataModule, args=arguments, auto_configure_optimizers=False)
    return cli.config["fit"]["model"]["lr"]


class Ours(CommandLineWins):
    """A copy, so that patching it does not change the original."""


class Theirs(LightningCLI):
    """Likewise."""


@pytest.mark.parametrize(("kind", "rate"), [(Theirs, 0.3), (Ours, 0.7)])
def test_upstream_configs_still_override_earlier_options(tmp_path, monkeypatch, kind, rate):
    config = tmp_path / "a.yaml"
    config.write_text("model:\n  lr: 0.3\n")
    arguments = ["fit", "--model.lr", "0.7", "--config", str(config)]
    assert parsed(kind, arguments, monkeypatch) == rate


@pytest.mark.parametrize(("kind", "rate"), [(Theirs, 0.3), (Ours, 0.7)])
def test_upstream_checkpoints_still_override_options(tmp_path, monkeypatch, kind, rate):
    path = tmp_path / "a.ckpt"
    torch.save({"hyper_parameters": {"lr": 0.3}}, path)
    arguments = ["fit", "--model.lr", "0.7", "--ckpt_path", str(path)]
    assert parsed(kind, arguments, monkeypatch) == rate


@pytest.mark.parametrize(("kind", "written"), [(TensorBoardLogger, True), (RunLogger, False)])
def test_upstream_still_writes_a_second_config(tmp_path, kind, written):
    logger = kind(tmp_path, "a", "b")
    logger.log_metrics({"x": 1})
    logger.finalize("success")
    assert (tmp_path / "a" / "b" / "hparams.yaml").exists() is written


def test_upstream_current_epoch_still_lags_when_batches_are_drawn(tmp_path):
    seen = []

    class Asking(BoringDataModule):
        def train_dataloader(self):
            data = self

            class Batches(list):
                def __iter__(self):
                    seen.append((data.trainer.current_epoch, epoch(data.trainer)))
                    return super().__iter__()

            return Batches([torch.randn(1, 32)])

    def epoch(trainer):
        return trainer.fit_loop.epoch_progress.current.processed

    checkpoint = tmp_path / "last.ckpt"
    first = trainer(tmp_path, max_epochs=1)
    first.fit(BoringModel(), Asking())
    keeper = ModelCheckpoint(tmp_path, "last", save_on_train_epoch_end=True)
    trainer(tmp_path, max_epochs=2, callbacks=[keeper]).fit(BoringModel(), Asking())
    seen.clear()
    trainer(tmp_path, max_epochs=3).fit(
        BoringModel(), Asking(), ckpt_path=checkpoint, weights_only=True
    )
    assert seen[0] == (1, 2)  # the third epoch begins; current_epoch still says 1


OF_AVERAGES = ("on_train_epoch_start", "on_train_end", "state_dict")
CHANGED = (
    (call, "_call_callback_hooks"),
    (call, "_call_lightning_module_hook"),
    (training_epoch_loop, "is_param_in_hook_signature"),
    (PassThroughProfiler, "profile"),
    (signal_connector._SignalConnector, "_sigterm_notifier_fn"),
    (training_epoch_loop._TrainingEpochLoop, "_broadcast_sigterm_tensor"),
    (call, "_interrupt"),
    (subprocess_script, "subprocess"),
    (fit_loop._FitLoop, "setup_data"),
    (fit_loop._FitLoop, "on_run_start"),
    (fit_loop._FitLoop, "_iteration_based_training"),
    (fit_loop._FitLoop, "skip"),
    (checkpoint_connector._CheckpointConnector, "restore_model"),
    (checkpoint_connector._CheckpointConnector, "dump_checkpoint"),
    (checkpoint_connector._CheckpointConnector, "_parse_ckpt_path"),
    (result._ResultMetric, "compute"),
    (Precision, "clip_grad_by_value"),
    (Optimizer, "_process_value_according_to_param_policy"),
    (Strategy, "load_optimizer_state_dict"),
    (training_epoch_loop._TrainingEpochLoop, "_get_monitor_value"),
    (training_epoch_loop._TrainingEpochLoop, "_should_check_val_fx"),
    (lr_finder._LRCallback, "on_train_batch_end"),
    (ModelCheckpoint, "on_exception"),
    (OnExceptionCheckpoint, "on_exception"),
    (lr_finder, "_try_loop_run"),
    (_CheckpointConnector, "restore"),
    *((StochasticWeightAveraging, name) for name in OF_AVERAGES),
    (WeightAveraging, "on_save_checkpoint"),
    (csv_logs._ExperimentWriter, "_check_log_dir_exists"),
    (event_file_writer._AsyncWriterThread, "run"),
    (event_file_writer.EventFileWriter, "__init__"),
    (event_file_writer._AsyncWriter, "_check_worker_status"),
    (callback_connector._CallbackConnector, "_attach_model_callbacks"),
    (AsyncCheckpointIO, "load_checkpoint"),
    (AsyncCheckpointIO, "remove_checkpoint"),
)


def lightning_now():
    return [getattr(place, name) for place, name in CHANGED]


def test_patches_are_removed_after_the_context():
    before, filters = lightning_now(), list(warnings.filters)
    with applied.applied():
        assert all(now is not was for now, was in zip(lightning_now(), before, strict=True))
    assert lightning_now() == before
    assert warnings.filters == filters


def test_patches_are_removed_after_an_exception():
    before = lightning_now()
    with pytest.raises(KeyError), applied.applied():
        raise KeyError
    assert lightning_now() == before


@pytest.mark.parametrize("name", applied.WORKAROUNDS)
def test_each_workaround_can_be_switched_off(name, monkeypatch):
    several = {"quiet": 0, "light_steps": 4, "agree_on_sigterm": 2, "no_rescue_by_one": 2}
    several |= {"written_first": 2, "writer_errors": 2, "start_of_epoch": 2, "late_averages": 3}
    several |= {"no_return_by_one": 2, "end_by_the_hooks": 2}
    before = lightning_now()
    others = [other for other in applied.WORKAROUNDS if other != name]
    monkeypatch.setenv(applied.SWITCH, ",".join(others))
    with applied.applied():
        changed = sum(now is not was for now, was in zip(lightning_now(), before, strict=True))
        assert changed == several.get(name, 1)


def test_switching_off_an_unknown_workaround_is_refused(monkeypatch):
    monkeypatch.setenv(applied.SWITCH, "light_step")
    named = pytest.raises(UserError, match="light_step; known are quiet, light_steps")
    with named, applied.applied():
        pass
