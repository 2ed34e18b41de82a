"""Checkpoints that are written in a thread beside the training."""

import contextlib
import json
import os
import re
import resource
import threading
from pathlib import Path

import fsspec
import pytest
import torch
from lightning.pytorch.plugins.io import AsyncCheckpointIO, TorchCheckpointIO
from lightning.pytorch.plugins.io.wrapper import _WrappingCheckpointIO

from lit_mnist.runs import digests, entries, safe_torch
from lit_mnist.runs.folder import Run
from lit_mnist.training.checkpoint_io import WholeFileCheckpointIO, whole_files
from lit_mnist.workarounds import applied
from tests import kept
from tests.fitting import callback, fitted, recipe
from tests.stopping import RUN, STOP_AT, assert_same_end, checkpoint, folder, stopped

DESCRIPTORS = Path("/proc/self/fd")
ASYNC = ("--trainer.plugins", "AsyncCheckpointIO")


SAVE = WholeFileCheckpointIO.save_checkpoint


def late(*args, **kwargs):
    threading.Event().wait(0.1)
    SAVE(*args, **kwargs)


class Slow(TorchCheckpointIO):
    """Begins to write only when it is told to."""

    def __init__(self):
        self.told = threading.Event()

    def save_checkpoint(self, *args, **kwargs):
        self.told.wait(0.3)
        super().save_checkpoint(*args, **kwargs)


@pytest.mark.parametrize("changed", [False, True])
def test_upstream_still_reads_a_checkpoint_before_it_is_written(tmp_path, changed):
    slow = Slow()
    plugin = AsyncCheckpointIO(slow)
    plugin.save_checkpoint({"a": 1}, tmp_path / "a.ckpt")
    early = contextlib.nullcontext() if changed else pytest.raises(FileNotFoundError)
    with applied.written_first() if changed else contextlib.nullcontext(), early:
        assert plugin.load_checkpoint(tmp_path / "a.ckpt", weights_only=True) == {"a": 1}
    slow.told.set()
    plugin.teardown()


@pytest.mark.parametrize("base", [None, TorchCheckpointIO(), AsyncCheckpointIO()])
def test_whole_files_are_written_also_beneath_another_plugin(base):
    (plugin,) = whole_files([_WrappingCheckpointIO(base)], Run(Path()))
    while isinstance(plugin, _WrappingCheckpointIO):
        plugin = plugin.checkpoint_io
    assert type(plugin) is WholeFileCheckpointIO


def test_a_run_saved_beside_its_training_resumes_bit_identically(run_cli, shared, monkeypatch):
    kept.fitted(shared, run_cli)
    same = ("fit", STOP_AT, *ASYNC, "--every_n_train_steps", "3", "--name", "cut")
    for moment in ("5", "10"):
        stopped(run_cli, monkeypatch, moment, *same)
    fitted(run_cli(*same))
    assert_same_end(RUN, folder("cut"))


def test_weights_set_at_the_end_are_saved_beside_the_training(run_cli, monkeypatch):
    monkeypatch.setattr(WholeFileCheckpointIO, "save_checkpoint", late)
    output = fitted(run_cli("fit", *recipe("Finishing"), *ASYNC))
    assert "last.ckpt holds the weights that Finishing set at the end" in output
    weights = checkpoint("last", folder("Finishing"))["state_dict"]
    assert (weights["net.1.weight"] == 0.5).all()


def test_a_rate_is_searched_for_beside_the_training(run_cli, monkeypatch):
    monkeypatch.setattr(WholeFileCheckpointIO, "save_checkpoint", late)
    search = callback("LearningRateFinder", num_training_steps=2, early_stop_threshold="null")
    fitted(run_cli("fit", *search, *ASYNC, "--trainer.max_epochs", "1"))


def test_an_error_of_a_save_beside_the_training_ends_the_run(run_cli):
    odd = callback("tests.recipes.LateOddState")
    status, _, problems = run_cli("fit", *odd, *ASYNC, "--trainer.max_epochs", "1")
    assert status == 2
    assert re.fullmatch(
        r"error: .*callbacks.LateOddState.best is a builtins.object[^\n]*\n", problems
    )
    assert not list((RUN / "checkpoints").glob("*"))
    assert json.loads((RUN / "results.json").read_text())["status"] == "interrupted"


def test_a_disk_that_is_full_at_the_last_save_leaves_no_complete_run(run_cli, monkeypatch):
    save = torch.save

    def full(checkpoint, path):
        if "last" in path.name:
            raise RuntimeError("inline_container.cc: unexpected pos")
        save(checkpoint, path)

    monkeypatch.setattr(torch, "save", full)
    status, _, problems = run_cli("fit", *ASYNC, "--trainer.max_epochs", "1")
    assert status != 0
    assert "could not be written whole" in problems
    assert json.loads((RUN / "results.json").read_text())["status"] == "interrupted"


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="open files are listed on Linux alone")
def test_a_checkpoint_that_has_failed_takes_no_room(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # to torch as a full disk
    try:
        with pytest.raises(OSError, match="could not be written whole") as caught:
            WholeFileCheckpointIO().save_checkpoint({"a": torch.ones(100_000)}, tmp_path / "a.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    opened = [one for one in DESCRIPTORS.iterdir() if one.is_symlink()]  # not that of the listing
    held = [one.stat().st_size for one in opened if str(tmp_path) in os.readlink(one)]
    assert held == [0]  # by torch's writer, which `caught` holds
    assert not list(tmp_path.iterdir())
    assert caught.value.filename == str(tmp_path / "a.ckpt")


def test_checksums_are_written_whatever_the_user_has_set(tmp_path):
    path = tmp_path / "some.ckpt"
    torch.serialization.set_crc32_options(False)
    try:
        WholeFileCheckpointIO().save_checkpoint({"weight": torch.ones(3)}, path)
        assert torch.serialization.get_crc32_options() is False
    finally:
        torch.serialization.set_crc32_options(True)
    assert safe_torch.load(path)["weight"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("plugin", [(), ASYNC])
def test_a_users_checkpoints_for_a_remote_folder_are_written_and_removed_there(run_cli, plugin):
    store = fsspec.filesystem("memory")
    options = callback("ModelCheckpoint", dirpath="memory://mine", monitor="lr", save_top_k=1)
    options = (*options, "--trainer.callbacks.mode", "max", *plugin)
    try:
        for epochs in (1, 3):  # resumed
            fitted(run_cli("fit", *options, "--trainer.max_epochs", f"{epochs}"))
            assert store.find("/mine") == ["/mine/epoch=0-step=9.ckpt"]  # lr does not rise
        with store.open("/mine/epoch=0-step=9.ckpt") as file:
            saved = torch.load(file, weights_only=True)
        assert entries.get(saved, entries.WEIGHTS) == digests.of_weights(saved["state_dict"])
    finally:
        store.rm("/mine", recursive=True)
    assert not list(Path().glob("memory*"))


def test_a_better_checkpoint_takes_the_place_of_an_older_one_in_a_remote_folder(run_cli):
    store = fsspec.filesystem("memory")
    options = callback("ModelCheckpoint", dirpath="memory://newest", monitor="step", mode="max")
    try:
        for epochs in (2, 3):  # resumed
            fitted(run_cli("fit", *options, "--trainer.max_epochs", f"{epochs}"))
            newest = f"/newest/epoch={epochs - 1}-step={9 * epochs}.ckpt"
            assert store.find("/newest") == [newest]
    finally:
        store.rm("/newest", recursive=True)
