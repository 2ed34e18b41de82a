"""ModelCheckpoints of a user that save every few steps."""

import hashlib
from pathlib import Path

import pytest
from fsspec.core import url_to_fs

from tests.fitting import callback, fitted
from tests.stopping import STOP_AT, stopped


def hashed(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("epochs", [("1", "2"), ("2", "3")])
def test_a_file_is_not_saved_again_while_gradients_are_accumulated(run_cli, epochs):
    # 9 batches are two steps of four, and one of the last batch: the sixth ends an epoch
    def options(folder):
        every = {"every_n_train_steps": "3", "filename": "{step}", "save_top_k": "-1"}
        saver = callback("ModelCheckpoint", dirpath=folder, **every)
        return (*saver, "--trainer.accumulate_grad_batches", "4", "--log_dir", folder)

    first, second = epochs
    fitted(run_cli("fit", *options("cut"), "--trainer.max_epochs", first))
    kept = {path: hashed(path) for path in Path("cut").glob("*.ckpt")}
    fitted(run_cli("fit", *options("cut"), "--trainer.max_epochs", second))
    assert kept
    assert {path: hashed(path) for path in kept} == kept


def test_a_run_that_is_resumed_from_such_a_file_leaves_it_as_it_is(run_cli):
    every = {"every_n_train_steps": "2", "filename": "{step}", "save_top_k": "-1"}
    saver = callback("ModelCheckpoint", dirpath="kept", **every)
    options = (*saver, "--trainer.accumulate_grad_batches", "3")
    fitted(run_cli("fit", *options))
    path = Path("kept/step=2.ckpt")
    before = hashed(path)
    fitted(run_cli("fit", *options, "--name", "other", "--ckpt_path", str(path)))
    assert hashed(path) == before


@pytest.mark.parametrize("place", ["kept", "memory://kept"])
def test_the_last_file_is_not_saved_again_at_the_end_if_no_epoch_was_better(run_cli, place):
    # the lowest accuracy is that of the first epoch
    lowest = {"monitor": "val_acc", "mode": "min", "save_last": "true", "filename": "{epoch}"}
    options = callback("ModelCheckpoint", dirpath=place, **lowest)
    store, folder = url_to_fs(place)
    try:
        fitted(run_cli("fit", *options))
        before = {path.rpartition("/")[2]: store.cat(path) for path in store.find(folder)}
        assert before.keys() == {"epoch=0.ckpt", "last.ckpt"}
        fitted(run_cli("fit", *options, "--trainer.max_epochs", "3"))
        now = {path.rpartition("/")[2]: store.cat(path) for path in store.find(folder)}
        assert now == before
    finally:
        store.rm(folder, recursive=True)


@pytest.mark.parametrize(
    ("validated", "every", "moment", "steps"),
    [
        (["val_check_interval=9"], "5", "8", {9, 10, 15}),
        (["val_check_interval=3", "check_val_every_n_epoch=2"], "9", "10", {12, 18}),
    ],
    ids=["within an epoch", "at its end"],
)
def test_a_save_that_waits_for_a_validation_is_not_lost(
    run_cli, monkeypatch, validated, every, moment, steps
):
    options = (STOP_AT, "--every_n_train_steps", "2", *(f"--trainer.{one}" for one in validated))
    kept = {"monitor": "val_loss", "save_top_k": "-1", "filename": "{step}", "dirpath": "kept"}
    fit = ("fit", *options, *callback("ModelCheckpoint", every_n_train_steps=every, **kept))
    stopped(run_cli, monkeypatch, moment, *fit)
    fitted(run_cli(*fit))
    assert {path.name for path in Path("kept").iterdir()} == {f"step={one}.ckpt" for one in steps}


def test_a_save_at_the_end_of_an_epoch_has_the_score_of_the_validation_that_follows(
    run_cli, monkeypatch
):
    def options(folder):
        kept = {"monitor": "val_loss", "save_top_k": "-1", "filename": "{val_loss:.6f}"}
        saver = callback("ModelCheckpoint", dirpath=folder, every_n_train_steps="18", **kept)
        limits = ("--trainer.max_epochs", "4", "--trainer.check_val_every_n_epoch", "2")
        return (*saver, *limits, STOP_AT, "--every_n_train_steps", "2", "--log_dir", folder)

    fitted(run_cli("fit", *options("whole")))
    stopped(run_cli, monkeypatch, "20", "fit", *options("cut"))
    fitted(run_cli("fit", *options("cut")))
    names = [{path.name for path in Path(folder).glob("*.ckpt")} for folder in ("whole", "cut")]
    assert len(names[0]) == 2
    assert names[1] == names[0]
