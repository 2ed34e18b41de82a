"""Weights that are frozen, and unfrozen later."""

import torch
from lightning.pytorch.callbacks import BaseFinetuning, Callback
from torch import nn

from lit_mnist.models import DenseModule


class Fixed(DenseModule):
    """No options, and a net with batch norm and a frozen layer."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__(
                *(nn.Flatten(), nn.Linear(784, 32), nn.BatchNorm1d(32)),
                *(nn.ReLU(), nn.Linear(32, 10)),
            )

    def __init__(self):
        super().__init__(lr=0.004)
        self.net[1].bias.requires_grad_(False)
        self.unused = nn.Parameter(torch.zeros(3))


class Unfreeze(BaseFinetuning):
    """Trains the first layer from the second epoch on."""

    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.net[1])

    def finetune_function(self, pl_module, epoch, optimizer):
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.net[1], optimizer, lr=1e-4)


class UnfreezesWithinEpochs(Unfreeze):
    """Trains the first layer from the fourth batch of the second epoch on."""

    def finetune_function(self, pl_module, epoch, optimizer):
        pass

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (1, 3):
            self.unfreeze_and_add_param_group(pl_module.net[1], trainer.optimizers[0], lr=1e-4)


class TrainsUnfrozen(DenseModule):
    """Its optimizer has only the weights that are not frozen."""

    def configure_optimizers(self):
        return torch.optim.Adam([weights for weights in self.parameters() if weights.requires_grad])


class Probe(TrainsUnfrozen):
    """Trains its last layer alone, once the optimizer is made; all but it are free before."""

    def on_fit_start(self):
        self.net[1].requires_grad_(False)

    def on_train_start(self):
        self.net[4].requires_grad_(False)


class UnfreezesByEpoch(TrainsUnfrozen):
    """Trains the first layer from the second epoch on, with a state from then on."""

    def on_train_epoch_start(self):
        self.net[1].requires_grad_(self.current_epoch > 0)


class Alternates(DenseModule):
    """Trains one of two weights at a time; the first in an epoch of an even number is faster."""

    def __init__(self):
        super().__init__()
        self.net[1].bias.requires_grad_(False)

    def on_train_epoch_start(self):
        odd = self.current_epoch % 2 == 1
        self.net[1].weight.requires_grad_(not odd)
        self.net[1].bias.requires_grad_(odd)

    def configure_optimizers(self):
        both = (self.net[1].weight, self.net[1].bias)
        fast, slow = ([one for one in both if one.requires_grad is free] for free in (True, False))
        groups = [{"params": fast, "lr": 0.1}, {"params": slow, "lr": 0.001}]
        return torch.optim.SGD(groups, momentum=0.9)


class UnfreezesByHand(TrainsUnfrozen):
    """Trains the first layer from the second epoch on, as a group of its own."""

    def __init__(self):
        super().__init__()
        self.net[1].requires_grad_(False)

    def on_train_epoch_start(self):
        if self.current_epoch == 1:
            self.net[1].requires_grad_(True)
            group = {"params": list(self.net[1].parameters()), "lr": 1e-4}
            self.optimizers().add_param_group(group)


class MakesAnew(UnfreezesByHand):
    """Likewise, with a new optimizer of all; where a run goes on, from the start."""

    def on_train_epoch_start(self):
        if self.current_epoch == 1:
            self.net[1].requires_grad_(True)
            self.trainer.optimizers = [self.configure_optimizers()]

    def on_load_checkpoint(self, checkpoint):
        (state,) = checkpoint["optimizer_states"]
        self.net[1].requires_grad_(len(state["param_groups"][0]["params"]) > 4)


class AddsAgain(UnfreezesByHand):
    """Likewise, and adds that group again where a run goes on."""

    added = False

    def on_load_checkpoint(self, checkpoint):
        self.added = len(checkpoint["optimizer_states"][0]["param_groups"]) > 1

    def on_train_epoch_start(self):
        if not self.added:
            super().on_train_epoch_start()

    def on_fit_start(self):
        if self.added:
            self.net[1].requires_grad_(True)
            self.optimizers().add_param_group({"params": list(self.net[1].parameters())})


class FreezesInSetup(TrainsUnfrozen):
    """Never trains the first layer."""

    def setup(self, stage):
        self.net[1].requires_grad_(False)


class WithScale(DenseModule):
    """Has a weight that its optimizer does not train."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(10))

    def forward(self, x):
        return super().forward(x) * self.scale

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters())


class AddsScale(Callback):
    """Trains that weight from the second epoch on, and adds it again where a run goes on."""

    def __init__(self):
        self.added = False

    def state_dict(self):
        return {"added": self.added}

    def load_state_dict(self, state_dict):
        self.added = state_dict["added"]

    def on_fit_start(self, trainer, pl_module):
        if self.added:
            trainer.optimizers[0].add_param_group({"params": [pl_module.scale], "lr": 0.01})

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and not self.added:
            self.added = True
            self.on_fit_start(trainer, pl_module)
