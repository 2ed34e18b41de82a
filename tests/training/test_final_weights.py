"""Weights that a callback sets at the end of training; real runs are in test_recipes."""

from types import SimpleNamespace

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import StochasticWeightAveraging

from lit_mnist.runs.folder import Run
from lit_mnist.training.best_checkpoint import BestCheckpoint
from lit_mnist.training.final_weights import FinalWeights


def test_each_rank_helps_to_put_sharded_weights_together(tmp_path):
    asked = []
    strategy = SimpleNamespace(
        checkpoint_io=None,
        lightning_module_state_dict=lambda: asked.append("weights"),
        broadcast=lambda changed: asked.append(changed),
    )
    rank = SimpleNamespace(strategy=strategy, is_global_zero=False, callbacks=[])
    rank.lightning_module = LightningModule()
    last = FinalWeights(Run(tmp_path))
    last.on_train_end(rank, None)
    assert asked == []
    rank.callbacks.append(StochasticWeightAveraging(0.1))
    last.on_train_end(rank, None)
    assert asked == ["weights", False]


def test_an_average_has_no_score_of_the_weights_before(tmp_path):
    run, saved = Run(tmp_path), []
    run.last.parent.mkdir()
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, run.last)
    best = BestCheckpoint(run)
    best.measured = {"epoch": 1, "step": 8, "val_acc": 0.5}
    strategy = SimpleNamespace(
        checkpoint_io=None,
        lightning_module_state_dict=lambda: {"weight": torch.ones(2)},
        broadcast=lambda changed: changed,
    )
    trainer = SimpleNamespace(
        strategy=strategy,
        is_global_zero=True,
        callbacks=[StochasticWeightAveraging(0.1)],
        checkpoint_callbacks=[best],
        lightning_module=LightningModule(),
        save_checkpoint=lambda path: saved.append((path, best.state_dict()["measured"])),
    )
    FinalWeights(run).on_train_end(trainer, None)
    assert saved == [(run.last, {})]
