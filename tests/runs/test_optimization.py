"""What is asked of a module before training leaves no trace in it."""

from functools import cached_property

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    LambdaCallback,
    LearningRateMonitor,
    Timer,
)

from lit_mnist.models import DenseModule
from lit_mnist.runs.optimization import brought, known_groups, optimization


class Counts(DenseModule):
    """Keeps a list of its groups, a hook of its gradients, and the number of steps."""

    needs_trainer = False

    def __init__(self):
        super().__init__()
        self.groups, self.times = [], []

    @cached_property
    def steps(self):
        return int(self.trainer.estimated_stepping_batches)

    def configure_optimizers(self):
        for layer in (self.net[1], self.net[-1]):
            self.groups.append({"params": list(layer.parameters())})
        self.net[1].weight.register_hook(lambda gradient: gradient * 0.1)
        if self.needs_trainer:
            assert self.steps > 0
        return torch.optim.SGD(self.groups, lr=0.1)

    def configure_callbacks(self):
        self.times.append(self.steps)
        return [Timer({"seconds": len(self.times)})]


class NeedsTrainer(Counts):
    needs_trainer = True


class CannotBeCopied(Counts):
    """Is asked itself."""

    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle")


@pytest.mark.parametrize("kind", [Counts, NeedsTrainer, CannotBeCopied])
def test_what_is_asked_changes_nothing_that_training_will_ask_again(kind):
    module, trainer = kind(), Trainer(accelerator="cpu", logger=False, max_epochs=1)
    before = dict(vars(module))
    optimizers, schedules = optimization(trainer, module)
    assert [len(group["params"]) for group in optimizers[0].param_groups] == [2, 2]
    assert schedules == (None if kind is NeedsTrainer else [])
    assert Timer in map(type, brought(trainer, module))
    assert module._trainer is None
    if kind is not CannotBeCopied:
        assert vars(module) == before
        assert (module.groups, module.times, module.net[1].weight._backward_hooks) == ([], [], None)


class LoadsState(Callback):
    """May change a module that it knows."""

    def load_state_dict(self, state_dict):
        pass


def test_only_a_user_s_hooks_before_the_states_are_loaded_leave_the_groups_unknown():
    def known(*callbacks):
        return known_groups(Trainer(logger=False, callbacks=[*callbacks]), DenseModule())

    assert known(LearningRateMonitor(), LambdaCallback(on_train_start=print), EarlyStopping("a"))
    assert not known(LambdaCallback(on_fit_start=lambda *_: None))
    assert not known(LambdaCallback(on_load_checkpoint=lambda *_: None))
    assert not known(LoadsState())
    assert not known(LambdaCallback(setup=[].append))  # a function without a module
