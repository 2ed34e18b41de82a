"""Weights that a callback sets at the end of training; real runs are in test_known_ends."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging
from torch import nn

from lit_mnist.resuming.across_resumes import in_order
from lit_mnist.runs.folder import Run
from lit_mnist.training import final_weights
from lit_mnist.training.best_checkpoint import BestCheckpoint
from lit_mnist.training.final_weights import FinalWeights


def trainer(weights, callbacks=(), **more):
    """As much of a trainer as is asked; its weights are those that the function returns."""
    strategy = SimpleNamespace(
        checkpoint_io=None, lightning_module_state_dict=weights, broadcast=lambda changed: changed
    )
    parts = {"is_global_zero": True, "checkpoint_callbacks": [], **more}
    return SimpleNamespace(
        strategy=strategy, callbacks=[*callbacks], lightning_module=LightningModule(), **parts
    )


def test_the_weights_are_noted_before_a_user_s_callback_changes_them(tmp_path):
    final, own = FinalWeights(Run(tmp_path)), Finishes()
    assert in_order([own, final]) == [final, own]


def ended(final, trainer):
    final.on_train_end(trainer, trainer.lightning_module)
    final.save(trainer)


def test_each_rank_helps_to_put_sharded_weights_together(tmp_path):
    asked = []
    rank = trainer(lambda: asked.append("weights") or {}, is_global_zero=False)
    ended(FinalWeights(Run(tmp_path)), rank)
    assert asked == []
    rank.callbacks.append(StochasticWeightAveraging(0.1))
    ended(FinalWeights(Run(tmp_path)), rank)
    assert asked == ["weights", "weights"]


class Finishes(Callback):
    """Acts at the end of training."""

    def on_train_end(self, trainer, pl_module):
        """Does something."""


@pytest.mark.parametrize("changed", [True, False])
def test_an_average_has_no_score_of_the_weights_before(tmp_path, changed):
    run, saved = Run(tmp_path), []
    run.last.parent.mkdir()
    # other weights than the module's, as where a hook saves an average in their place
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, run.last)
    best = BestCheckpoint(run)
    best.measured = {"epoch": 1, "step": 8, "val_acc": 0.5}
    weights = [torch.full((2,), 0.5), torch.ones(2)]  # before and after the callback
    end = trainer(
        lambda: {"weight": weights.pop(0) if changed else weights[0]},
        [Finishes()],
        checkpoint_callbacks=[best],
        save_checkpoint=lambda path: saved.append((path, best.state_dict()["measured"])),
    )
    ended(FinalWeights(run), end)
    assert saved == ([(run.last, {})] if changed else [])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_an_average_that_is_saved_in_another_precision_is_not_saved_again(tmp_path, dtype):
    run, average = Run(tmp_path), torch.tensor([0.1, 0.2])
    run.last.parent.mkdir()
    torch.save({"state_dict": {"weight": average}}, run.last)
    weights = [torch.zeros(2, dtype=dtype), average.to(dtype)]  # before and after the callback
    ended(FinalWeights(run), trainer(lambda: {"weight": weights.pop(0)}, [Finishes()]))
    assert weights == []  # and nothing was saved, which this trainer cannot do


def test_what_a_checkpoint_leaves_out_and_an_average_s_extra_state_are_not_compared():
    saved = {"weight": torch.ones(2), "_extra_state": torch.zeros(1)}
    weights = {"weight": torch.ones(2), "_extra_state": torch.ones(1)}
    assert not final_weights._differ(saved, weights, averaged=True)
    assert final_weights._differ(saved, weights, averaged=False)
    assert not final_weights._differ({"weight": torch.ones(2)}, weights, averaged=False)
    assert final_weights._differ({"weight": torch.zeros(2)}, weights, averaged=False)


def test_weights_take_the_place_of_an_average_by_name_and_shape():
    module, average = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    module.weight.data.fill_(3)
    module.running_mean = torch.ones(5)  # resized at the end
    averaging = EMAWeightAveraging()
    averaging._average_model = SimpleNamespace(module=average)
    final_weights._replace_averages(SimpleNamespace(callbacks=[averaging], lightning_module=module))
    assert average.weight.tolist() == [3, 3]
    assert average.running_mean.tolist() == [0, 0]
