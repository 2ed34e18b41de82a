"""Passes of a user's own over the training batches go on in their own order."""

from types import SimpleNamespace

import pytest
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.resuming.own_passes import OwnPasses
from lit_mnist.runs import entries
from tests.fitting import column, fitted
from tests.stopping import STOP_AT, assert_same_end, checkpoint, folder, stopped


def test_a_resumed_run_looks_at_the_same_batches(run_cli, monkeypatch):
    same = ("--model", "tests.stateful.LooksAtBatches", STOP_AT, "--trainer.max_epochs", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "12", "fit", *same, "--name", "cut")
    assert checkpoint("last", folder("cut"))[entries.OWN_PASSES] == [2]
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    assert len({*column("mean_label", "cut")}) == 3


@pytest.mark.parametrize(("ranks", "passes"), [(2, 5), (3, 4)])
def test_each_rank_goes_on_by_itself_or_where_the_first_has_been(ranks, passes):
    turns = SimpleNamespace(by_hand=0)
    trainer = SimpleNamespace(
        world_size=ranks, global_rank=1, state=SimpleNamespace(fn=TrainerFn.FITTING),
        datamodule=SimpleNamespace(turns=turns),
    )  # fmt: skip
    own = OwnPasses()
    own.on_load_checkpoint(trainer, None, {entries.OWN_PASSES: [4, 5]})
    own.after_start(trainer, None)
    assert turns.by_hand == passes
