"""Optimizers: none, several, stepped by hand, of a user's own classes."""

import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lit_mnist.models import DenseModule


class Tenth(DenseModule):
    """Passes another rate to super()."""

    def __init__(self, lr: float = 0.01):
        super().__init__(lr=lr / 10)


class TwoOptimizers(DenseModule):
    """Manual optimisation, with a separate optimiser for the last layer."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        optimizers = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            optimizer.step()

    def configure_optimizers(self):
        *body, weight, bias = self.parameters()
        return torch.optim.SGD(body, lr=0.1), torch.optim.Adam([weight, bias], lr=0.01)


class RawSteps(DenseModule):
    """Steps an optimizer of which Lightning counts no step."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers(use_pl_optimizer=False)
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, batch_idx))
        optimizer.step()


class SumsGradients(TwoOptimizers):
    """Steps its last layer at each batch, and the others at every fourth."""

    def on_train_epoch_start(self):
        if self.current_epoch == 0:
            self.zero_grad()

    def training_step(self, batch, batch_idx):
        body, last = self.optimizers()
        last.zero_grad()
        self.manual_backward(DenseModule.training_step(self, batch, batch_idx))
        last.step()
        if (batch_idx + 1) % 4 == 0:
            body.step()
            body.zero_grad()


class NoOptimizer(DenseModule):
    """Trains nothing, as a module that is only measured."""

    def configure_optimizers(self):
        """Returns nothing."""


class Lookahead(torch.optim.Optimizer):
    """Keeps a state of its own form, around that of another optimizer, and calls no super()."""

    def __init__(self, inner):
        self.inner, self.param_groups, self.lowest = inner, inner.param_groups, float("inf")
        self.defaults, self.state = inner.defaults, inner.state

    def zero_grad(self, set_to_none=True):
        self.inner.zero_grad(set_to_none)

    def step(self, closure=None):
        return self.inner.step(closure)

    def state_dict(self):
        inner = self.inner.state_dict()
        return {"state": inner["state"], "groups": inner["param_groups"], "lowest": self.lowest}

    def load_state_dict(self, state):
        self.inner.load_state_dict({"state": state["state"], "param_groups": state["groups"]})
        self.param_groups, self.lowest = self.inner.param_groups, state["lowest"]


class Restless(LRScheduler):
    """Changes its own argument, collects values, one of which becomes infinite, and then stays."""

    def __init__(self, optimizer, total_steps):
        self.total_steps, self.patience, self.rates, self.best = total_steps, 1, [], 0.0
        super().__init__(optimizer)

    def get_lr(self):
        self.rates.append(self.last_epoch)
        self.best, self.patience = float("inf") if self.rates[3:] else 0.0, self.patience + 1
        part = min(self.last_epoch, self.total_steps) / self.total_steps
        return [rate * (1 - 0.9 * part) for rate in self.base_lrs]


class Impatient(ReduceLROnPlateau):
    """Raises the patience that it was made with."""

    def step(self, metrics, epoch=None):
        super().step(metrics)
        self.patience += 1


class Counts:
    """A schedule without PyTorch's base class, whose state is a number."""

    def __init__(self, optimizer):
        self.optimizer, self.steps = optimizer, 0

    def step(self):
        self.steps += 1
        for group in self.optimizer.param_groups:
            group["betas"] = (0.9 - 0.01 * self.steps, 0.999)

    def state_dict(self):
        return self.steps

    def load_state_dict(self, state):
        self.steps = state


class OwnOptimization(DenseModule):
    """An optimizer and schedules of a user's own classes."""

    def on_train_epoch_start(self):
        """Is called again where an epoch is resumed."""

    def lr_scheduler_step(self, scheduler, metric):
        scheduler.step(*([] if metric is None else [metric]))

    def configure_optimizers(self):
        optimizer = Lookahead(super().configure_optimizers())
        restless = {"scheduler": Restless(optimizer, 6), "interval": "step"}
        plateau = Impatient(optimizer, patience=1, threshold=0.5)
        watching = {"scheduler": plateau, "monitor": "val_loss"}
        return [optimizer], [restless, watching, {"scheduler": Counts(optimizer)}]


class Accumulating(DenseModule):
    """Brings a growing number of batches per step."""

    def configure_callbacks(self):
        return [GradientAccumulationScheduler({1: 2})]
