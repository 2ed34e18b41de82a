"""One test a work-around: it fails once upstream is mended, so that the work-around can go."""

import inspect
import logging
import subprocess
import sys
import warnings

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, LambdaCallback, ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loops import training_epoch_loop
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors import signal_connector

from lit_mnist.training import workarounds
from lit_mnist.training.workarounds import PlainTensorBoardLogger, WholeFileCheckpointIO, quieten


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


def test_upstream_still_advertises(tmp_path):
    code = f"""
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
Trainer(accelerator="cpu", max_steps=1, default_root_dir={str(tmp_path)!r}).fit(BoringModel())
"""
    loud = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Tip" in loud.stdout + loud.stderr
    code = "from lit_mnist.training.workarounds import quieten; quieten()" + code
    quiet = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Tip" not in quiet.stdout + quiet.stderr


def test_quieten_leaves_errors_and_other_warnings():
    with warnings.catch_warnings(record=True) as caught:
        quieten()
        warnings.warn("Checkpoint directory /x exists and is not empty.", stacklevel=1)
        warnings.warn("Glyph 21517 (\\N{CJK}) missing from font(s) DejaVu Sans.", stacklevel=1)
        warnings.warn("something is wrong", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["something is wrong"]
    assert logging.getLogger("lightning.pytorch").isEnabledFor(logging.WARNING)


def test_upstream_still_stages_checkpoints_elsewhere(tmp_path, monkeypatch):
    staging = tmp_path / "staging"
    staging.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(staging / "gone"))  # a temp folder that fails
    target = tmp_path / "a.ckpt"
    with pytest.raises(OSError, match="gone"):
        TorchCheckpointIO().save_checkpoint({"a": 1}, target)
    WholeFileCheckpointIO().save_checkpoint({"a": 1}, target)
    assert torch.load(target, weights_only=True) == {"a": 1}


def test_a_failing_save_keeps_the_old_checkpoint(tmp_path, monkeypatch):
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


class MendedFalling(workarounds.PlateauBeforeCheckpoint, Falling):
    def on_train_epoch_end(self):
        super().on_train_epoch_end()
        self.step_plateau()


class Saved(Checkpoint):
    """Notes what a checkpoint at the end of the epoch would hold."""

    def on_train_epoch_end(self, trainer, pl_module):
        self.epochs = trainer.lr_scheduler_configs[0].scheduler.last_epoch


@pytest.mark.parametrize(("model", "steps"), [(Falling, 1), (MendedFalling, 2)])
def test_upstream_still_steps_the_plateau_after_the_checkpoint(tmp_path, model, steps):
    saved = Saved()
    trainer(tmp_path, max_epochs=2, callbacks=[saved]).fit(model())
    assert saved.epochs == steps


class Improves(BoringModel):
    """Its first epoch is its best."""

    def on_train_epoch_end(self):
        self.log("val_acc", 1.0 - self.current_epoch / 10)


def test_upstream_still_leaves_last_at_the_best_epoch(tmp_path):
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


class Ours(workarounds.CommandLineWins):
    """So that patching it leaves the original alone."""


class Theirs(LightningCLI):
    """Likewise."""


@pytest.mark.parametrize(("kind", "rate"), [(Theirs, 0.3), (Ours, 0.7)])
def test_upstream_still_lets_a_file_beat_an_earlier_option(tmp_path, monkeypatch, kind, rate):
    config = tmp_path / "a.yaml"
    config.write_text("model:\n  lr: 0.3\n")
    arguments = ["fit", "--model.lr", "0.7", "--config", str(config)]
    assert parsed(kind, arguments, monkeypatch) == rate


@pytest.mark.parametrize(("kind", "rate"), [(Theirs, 0.3), (Ours, 0.7)])
def test_upstream_still_lets_a_checkpoint_beat_the_options(tmp_path, monkeypatch, kind, rate):
    path = tmp_path / "a.ckpt"
    torch.save({"hyper_parameters": {"lr": 0.3}}, path)
    arguments = ["fit", "--model.lr", "0.7", "--ckpt_path", str(path)]
    assert parsed(kind, arguments, monkeypatch) == rate


@pytest.mark.parametrize(
    ("kind", "written"), [(TensorBoardLogger, True), (PlainTensorBoardLogger, False)]
)
def test_upstream_still_writes_a_second_config(tmp_path, kind, written):
    logger = kind(tmp_path, "a", "b")
    logger.log_metrics({"x": 1})
    logger.finalize("success")
    assert (tmp_path / "a" / "b" / "hparams.yaml").exists() is written


def test_upstream_still_has_an_epoch_that_lags_when_batches_are_drawn(tmp_path):
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


def test_modules_are_lightning_modules():
    assert issubclass(workarounds.PlateauBeforeCheckpoint, LightningModule)


class Counted(BoringModel):
    """Has one step hook of its own."""

    def on_train_batch_start(self, batch, batch_idx):
        self.started = batch_idx + 1


class Asked(Callback):
    """Does nothing; notes how often it was asked who it is, as Lightning does to name a call."""

    times = 0

    @property
    def state_key(self):
        Asked.times += 1
        return "asked"


class AlsoAsked(Asked):
    def on_train_batch_end(self, *_):
        self.ended = getattr(self, "ended", 0) + 1


def signatures_read(tmp_path, monkeypatch, callback):
    """Trains 50 steps; gives how often a signature was read and the callback was asked."""
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


@pytest.fixture
def heavy_steps():
    """Lightning as it is, and as it was before once the test is over."""
    places = (call, "_call_callback_hooks"), (call, "_call_lightning_module_hook"), (
        training_epoch_loop, "is_param_in_hook_signature",
    )  # fmt: skip
    before = [getattr(place, name) for place, name in places]
    for (place, name), function in zip(places, before, strict=True):
        setattr(place, name, getattr(function, "__wrapped__", function))
    workarounds.lighten_steps.cache_clear()
    yield
    workarounds.lighten_steps.cache_clear()
    for (place, name), function in zip(places, before, strict=True):
        setattr(place, name, function)


def test_upstream_still_calls_empty_hooks_at_each_step(heavy_steps, tmp_path, monkeypatch):
    read, asked = signatures_read(tmp_path, monkeypatch, Asked())
    assert read >= 50
    assert asked >= 50 * 6
    workarounds.lighten_steps()
    read, asked = signatures_read(tmp_path, monkeypatch, Asked())
    assert read < 10
    assert asked < 50


def test_light_steps_still_call_every_hook_that_somebody_wrote(heavy_steps, tmp_path, monkeypatch):
    workarounds.lighten_steps()
    own, calls = AlsoAsked(), []
    signatures_read(tmp_path, monkeypatch, own)
    assert own.ended == 50
    late = LambdaCallback(on_before_zero_grad=lambda *_: calls.append(1))  # on the instance
    signatures_read(tmp_path, monkeypatch, late)
    assert len(calls) == 50


def test_lightening_twice_is_lightening_once(heavy_steps):
    workarounds.lighten_steps()
    first = call._call_callback_hooks
    workarounds.lighten_steps()
    assert call._call_callback_hooks is first


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
