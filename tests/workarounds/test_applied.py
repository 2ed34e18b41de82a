"""One test per work-around: it fails once upstream is fixed and the work-around can be removed."""

import contextlib
import csv
import errno
import inspect
import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.fabric.loggers import csv_logs
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.accelerators import CUDAAccelerator
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint, OnExceptionCheckpoint
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loops import fit_loop, training_epoch_loop
from lightning.pytorch.plugins.io import AsyncCheckpointIO, TorchCheckpointIO
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors import (
    callback_connector,
    checkpoint_connector,
    signal_connector,
)
from lightning.pytorch.trainer.connectors.logger_connector import result
from lightning.pytorch.tuner import lr_finder
from lightning.pytorch.utilities import rank_zero_info
from tensorboard.summary.writer import event_file_writer

from lit_mnist.commands.run_parser import CommandLineWins
from lit_mnist.errors import UserError
from lit_mnist.logs.loggers import RunLogger
from lit_mnist.models.plateau import Plateau, PlateauBeforeCheckpoint
from lit_mnist.resuming.resumed_epoch import ResumedEpoch
from lit_mnist.runs.folder import Run
from lit_mnist.training.checkpoint_io import WholeFileCheckpointIO
from lit_mnist.training.checkpointing import LastCheckpoint
from lit_mnist.workarounds import applied
from tests import warm


def trainer(tmp_path, **options):
    return Trainer(
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        **{"logger": False, "limit_train_batches": 1, "limit_val_batches": 1} | options,
    )


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
        warnings.warn("Checkpoint directory /x/checkpoints exists and is not empty.", stacklevel=1)
        warnings.warn("GPU available but not used. You can set it by doing", stacklevel=1)
        warnings.warn("Glyph 21517 (\\N{CJK}) missing from font(s) DejaVu Sans.", stacklevel=1)
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


class Counted(BoringModel):
    """Has one step hook of its own."""

    def on_train_batch_start(self, batch, batch_idx):
        self.started = batch_idx + 1


class Asked(Callback):
    """Does nothing; counts the reads of `state_key`, by which Lightning names calls."""

    times = 0

    @property
    def state_key(self):
        Asked.times += 1
        return "asked"


class AlsoAsked(Asked):
    def on_train_batch_end(self, *_):
        self.ended = getattr(self, "ended", 0) + 1


def signatures_read(tmp_path, monkeypatch, callback):
    """Trains 50 steps; counts the reads of signatures and of the callback's `state_key`."""
    read = []
    original = inspect.getfullargspec
    monkeypatch.setattr(inspect, "getfullargspec", lambda fx: read.append(fx) or original(fx))
    Asked.times = 0
    model = Counted()
    many = trainer(
        tmp_path, max_steps=50, limit_train_batches=50, limit_val_batches=0, callbacks=[callback],
        enable_checkpointing=False,
    )  # fmt: skip
    many.fit(model)
    assert model.started == 50
    return len(read), Asked.times


def test_upstream_still_calls_empty_hooks_at_every_step(tmp_path, monkeypatch):
    reads, calls = signatures_read(tmp_path, monkeypatch, Asked())
    assert reads >= 50
    assert calls >= 50 * 6
    with applied.light_steps():
        reads, calls = signatures_read(tmp_path, monkeypatch, Asked())
    assert reads < 10
    assert calls < 50


def test_light_steps_call_every_overridden_hook(tmp_path, monkeypatch):
    with applied.light_steps():
        own, calls = AlsoAsked(), []
        signatures_read(tmp_path, monkeypatch, own)
        assert own.ended == 50
        late = LambdaCallback(on_before_zero_grad=lambda *_: calls.append(1))  # on the instance
        signatures_read(tmp_path, monkeypatch, late)
        assert len(calls) == 50


def test_light_steps_allow_logging_in_step_hooks(tmp_path):
    logs = LambdaCallback(on_train_batch_end=lambda t, module, *_: module.log("seen", 3.0))
    one = trainer(tmp_path, max_steps=2, limit_val_batches=0, callbacks=[logs])
    with applied.light_steps():
        one.fit(BoringModel())
    assert one.callback_metrics["seen"] == 3.0
    assert one.lightning_module._current_fx_name is None


class Timed(PassThroughProfiler):
    """A user's profiler."""

    def __init__(self):
        super().__init__()
        self.actions = []

    def start(self, action_name):
        self.actions.append(action_name)


def test_light_steps_skip_only_the_pass_through_profiler():
    with applied.light_steps():
        timed = Timed()
        with timed.profile("a step"), PassThroughProfiler().profile("another"):
            assert timed.actions == ["a step"]


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
    (checkpoint_connector._CheckpointConnector, "_parse_ckpt_path"),
    (result._ResultMetric, "compute"),
    (training_epoch_loop._TrainingEpochLoop, "_get_monitor_value"),
    (training_epoch_loop._TrainingEpochLoop, "_should_check_val_fx"),
    (lr_finder._LRCallback, "on_train_batch_end"),
    (ModelCheckpoint, "on_exception"),
    (OnExceptionCheckpoint, "on_exception"),
    (csv_logs._ExperimentWriter, "_check_log_dir_exists"),
    (event_file_writer._AsyncWriterThread, "run"),
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
    several |= {"written_first": 2, "writer_errors": 2}
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


def test_preexec_fn_is_used_on_posix_only(monkeypatch):
    monkeypatch.setattr(applied.os, "name", "nt")
    with applied.ranks_end_with_the_first():
        assert subprocess_script.subprocess is subprocess


def test_upstream_still_broadcasts_from_within_the_signal_handler():
    source = inspect.getsource(signal_connector._SignalConnector)
    assert "dist.broadcast" in source
    assert "_broadcast_sigterm_tensor" in inspect.getsource(
        training_epoch_loop._TrainingEpochLoop.advance
    )


def test_upstream_still_ignores_a_second_interrupt():
    assert "SIG_IGN" in inspect.getsource(call._call_and_handle_interrupt)


def test_upstream_still_lets_ranks_outlive_the_first():
    source = inspect.getsource(subprocess_script._SubprocessScriptLauncher._call_children_scripts)
    assert "subprocess.Popen(command, env=env_copy, cwd=cwd)" in source


class Placed(list):
    """Batches that resume from a position saved in a checkpoint."""

    place = 0

    def state_dict(self):
        return {"place": 1}

    def load_state_dict(self, state):
        self.place = state["place"]

    def __iter__(self):
        return iter(self[self.place :])


class AsksForLength(BoringModel):
    """Records the batches that it is trained with."""

    def train_dataloader(self):
        return Placed(torch.full((1, 32), float(number)) for number in range(3))

    def configure_optimizers(self):
        assert self.trainer.estimated_stepping_batches in (1, 3)
        return super().configure_optimizers()

    def training_step(self, batch, batch_idx):
        self.seen = [*getattr(self, "seen", []), int(batch[0, 0])]
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize(("changed", "seen"), [(False, [0, 1]), (True, [1, 2])])
def test_upstream_still_loses_the_position_when_the_length_is_read(tmp_path, changed, seen):
    options = {"max_epochs": 1, "limit_train_batches": 3, "limit_val_batches": 0}
    keeper = ModelCheckpoint(tmp_path, "one", every_n_train_steps=1)
    trainer(tmp_path, **options, max_steps=1, callbacks=[keeper]).fit(AsksForLength())
    model = AsksForLength()
    with applied.place_in_epoch() if changed else contextlib.nullcontext():
        trainer(tmp_path, **options).fit(model, ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert model.seen == seen


class Ends(Callback):
    """Records the end of each epoch, and the initial weights."""

    def on_train_start(self, trainer, module):
        self.began, self.ends = module.layer.weight.detach().clone(), []

    def on_train_epoch_end(self, trainer, module):
        self.ends.append((trainer.current_epoch, trainer.global_step))


@pytest.mark.parametrize(("changed", "ends"), [(False, [(0, 2), (1, 4)]), (True, [(1, 4), (2, 6)])])
def test_upstream_still_ends_an_epoch_twice_under_max_steps(tmp_path, changed, ends):
    keeper = ModelCheckpoint(tmp_path, "one", save_on_train_epoch_end=True)
    batches = {"limit_train_batches": 2}
    trainer(tmp_path, max_epochs=1, callbacks=[keeper], **batches).fit(BoringModel())
    seen = Ends()
    with applied.whole_epochs() if changed else contextlib.nullcontext():
        limits = {"max_epochs": 3, "max_steps": 99}
        trainer(tmp_path, callbacks=[seen], **limits, **batches).fit(
            BoringModel(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
        )
    assert seen.ends == ends


@pytest.mark.parametrize("changed", [False, True])
def test_upstream_still_rounds_doubles_when_it_reads_them(tmp_path, changed):
    options = {"precision": "64-true", "max_epochs": 1}
    keeper, seen = ModelCheckpoint(tmp_path, "one", save_on_train_epoch_end=True), Ends()
    trainer(tmp_path, callbacks=[keeper], **options).fit(BoringModel())
    with applied.whole_doubles() if changed else contextlib.nullcontext():
        trainer(tmp_path, callbacks=[seen], **options | {"max_epochs": 2}).fit(
            BoringModel(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
        )
    saved = torch.load(tmp_path / "one.ckpt", weights_only=True)["state_dict"]["layer.weight"]
    assert saved.dtype == torch.float64
    assert torch.equal(seen.began, saved) is changed


@pytest.mark.parametrize("changed", [False, True])
def test_upstream_still_resumes_from_an_unnamed_checkpoint(tmp_path, changed):
    keeper = ModelCheckpoint(tmp_path, "on_exception", save_on_train_epoch_end=True)
    trainer(tmp_path, max_epochs=1, callbacks=[keeper]).fit(BoringModel())
    seen = Ends()
    callbacks = [seen, OnExceptionCheckpoint(tmp_path)]
    with applied.only_what_is_named() if changed else contextlib.nullcontext():
        trainer(tmp_path, max_epochs=2, callbacks=callbacks).fit(BoringModel(), weights_only=True)
    assert seen.ends == ([(0, 1), (1, 2)] if changed else [(1, 2)])


@pytest.mark.parametrize(("changed", "kept"), [(False, []), (True, ["1.0"])])
def test_upstream_still_deletes_the_rows_of_an_earlier_csv_logger(tmp_path, changed, kept):
    for name in ("before", "now"):
        with applied.kept_rows() if changed else contextlib.nullcontext():
            logger = CSVLogger(tmp_path, "x", 0)
            logger.log_metrics({name: 1.0})
            logger.save()
    with open(tmp_path / "x" / "version_0" / "metrics.csv", newline="") as file:
        assert [row["before"] for row in csv.DictReader(file) if row.get("before")] == kept


@pytest.mark.parametrize(("changed", "saved"), [(False, [0, 2]), (True, [1, 2])])
def test_upstream_still_saves_before_the_module_s_hook(tmp_path, changed, saved):
    class Counting(BoringModel):
        batches, seen = 0, ()

        def on_train_batch_end(self, *_):
            self.batches += 1

        def on_save_checkpoint(self, checkpoint):
            self.seen += (self.batches,)

    last, model = LastCheckpoint(Run(tmp_path), every_n_train_steps=1), Counting()
    with applied.applied() if changed else contextlib.nullcontext():
        trainer(tmp_path, callbacks=[last], max_epochs=1, limit_train_batches=2).fit(model)
    assert list(model.seen) == saved


@pytest.mark.parametrize(("changed", "begun"), [(False, [1]), (True, [0, 1])])
def test_upstream_still_leaves_out_the_start_of_a_resumed_epoch(tmp_path, changed, begun):
    limits = {"limit_train_batches": 4, "limit_val_batches": 0}
    keeper = ModelCheckpoint(tmp_path, "one", every_n_train_steps=2)
    trainer(tmp_path, max_steps=2, callbacks=[keeper], **limits).fit(BoringModel())
    epochs = []
    seen = LambdaCallback(on_train_epoch_start=lambda one, _: epochs.append(one.current_epoch))
    with applied.start_of_epoch() if changed else contextlib.nullcontext():
        trainer(tmp_path, max_epochs=2, callbacks=[seen, ResumedEpoch()], **limits).fit(
            BoringModel(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
        )
    assert epochs == begun


@pytest.mark.parametrize(("changed", "ended"), [(False, 0), (True, 1)])
def test_upstream_still_leaves_out_the_end_of_a_run_that_was_killed_there(tmp_path, changed, ended):
    keeper = ModelCheckpoint(tmp_path, "one", save_on_train_epoch_end=True)
    trainer(tmp_path, max_epochs=1, callbacks=[keeper]).fit(BoringModel())
    ends = []
    seen = LambdaCallback(on_train_end=lambda *_: ends.append(1))
    with applied.end_by_the_hooks() if changed else contextlib.nullcontext():
        trainer(tmp_path, max_epochs=1, callbacks=[seen]).fit(
            BoringModel(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
        )
    assert len(ends) == ended


class FullDisk:
    """A file that nothing can be written to."""

    filename = b"events"

    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def failed_writer():
    """The error that a writer of TensorBoard's tells of a full disk, after its thread's end."""
    record_writer = SimpleNamespace(_writer=FullDisk(), write=FullDisk().write)
    writer = event_file_writer._AsyncWriter(record_writer)
    with pytest.raises(OSError, match="No space") as caught:  # noqa: PT012 # by either write
        writer.write(b"one")
        writer._worker.join()
        writer.write(b"two")
    return caught.value.filename


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_upstream_still_does_not_name_a_file_that_cannot_be_written():
    assert failed_writer() is None


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_file_of_tensorboard_s_that_cannot_be_written_is_named_once():
    with applied.applied():
        assert failed_writer() == b"events"
