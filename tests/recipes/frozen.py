"""Weights that are frozen, and unfrozen later."""

import torch
from lightning.pytorch.callbacks import BaseFinetuning
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
