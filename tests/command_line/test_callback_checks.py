"""Callbacks that cannot work together are refused before training."""

from itertools import product

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import BackboneFinetuning, StochasticWeightAveraging
from lightning.pytorch.demos.boring_classes import BoringModel

from lit_mnist.command_line.callback_checks import check
from lit_mnist.errors import UserError
from tests.fitting import callback, recipe
from tests.trained import contents


class Backbone(BoringModel):
    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Linear(32, 32)

    def forward(self, x):
        return super().forward(self.backbone(x))

    def configure_optimizers(self):
        return torch.optim.SGD([one for one in self.parameters() if one.requires_grad], lr=0.1)


def refused(trainer):
    try:
        check(trainer)
    except UserError as error:
        late = "BackboneFinetuning unfreezes weights after StochasticWeightAveraging has begun"
        return late in str(error)
    return False


def fails(trainer):
    try:
        trainer.fit(Backbone())
    except KeyError as error:
        return error.args == ("swa_lr",)
    return False


@pytest.mark.parametrize("average_first", [False, True])
def test_exactly_those_are_refused_that_lightning_cannot_train(average_first):
    for unfrozen, begin in product((0, 1, 2, 3), (1, 2, 0.7)):
        callbacks = [BackboneFinetuning(unfrozen), StochasticWeightAveraging(0.1, begin)]
        trainer = Trainer(
            callbacks=callbacks[::-1] if average_first else callbacks,
            **{"max_epochs": 3, "limit_train_batches": 1, "limit_val_batches": 0},
            **{"accelerator": "cpu", "logger": False, "enable_checkpointing": False},
            **{"enable_progress_bar": False, "enable_model_summary": False},
        )
        assert refused(trainer) == fails(trainer), (unfrozen, begin)


def test_other_callbacks_and_modules_that_unfreeze_too_late_are_told(run_cli):
    average = callback("StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1")
    status, _, problems = run_cli("fit", *recipe("UnfreezesByHand"), *average)
    assert status == 2
    assert "the model unfreezes weights after StochasticWeightAveraging has begun" in problems
    assert problems.count("\n") == 1


def test_a_refused_run_leaves_no_file(run_cli):
    average = callback("StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1")
    backbone = callback("BackboneFinetuning", unfreeze_backbone_at_epoch="1")
    status, _, problems = run_cli("fit", *recipe("TrainsUnfrozen"), *average, *backbone)
    assert (status, contents()) == (2, {})
    assert "BackboneFinetuning unfreezes weights after StochasticWeightAveraging" in problems
    assert problems.count("\n") == 1
