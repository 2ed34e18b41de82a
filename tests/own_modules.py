"""Modules of a user, derived from the program's."""

import torch
from torch import nn

from lit_mnist.models.modules import ClassifierModule, DenseModule
from lit_mnist.models.nets import Dense
from lit_mnist.models.scoring import ScoredModule


class TanhDense(Dense):
    """Weights with the shapes of Dense, and another activation."""

    def __init__(self):
        super().__init__()
        self[2], self[5] = nn.Tanh(), nn.Tanh()


class TanhModule(ClassifierModule):
    net_type = TanhDense


class CenteredModule(DenseModule):
    """A subclass of the program's module whose forward normalises its input."""

    def forward(self, images):
        return super().forward((images - 0.1307) / 0.3081)


class DeeperCenteredModule(CenteredModule):
    """A subclass of a subclass of a subclass."""

    def forward(self, images):
        return -super().forward(images)


class ChoiceNet(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.first, self.last = nn.Linear(784, 16), nn.Linear(16, 10)
        self.activation = activation

    def forward(self, images):
        return self.last(self.activation(self.first(images.flatten(1))))


class ChoiceModule(ScoredModule):
    """Not a ClassifierModule; its computation depends on its hyperparameters."""

    def __init__(self, activation: str = "relu", head: nn.Module | None = None):
        super().__init__()
        self.save_hyperparameters(ignore=["head"])
        self.net = ChoiceNet(getattr(torch, activation))
        self.head = head or nn.Identity()

    def forward(self, images):
        return self.head(self.net(images))

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.images), batch.labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class WithBuffers(nn.Module):
    """A non-persistent buffer, which checkpoints do not hold, an integer buffer, and batch norm."""

    def __init__(self):
        super().__init__()
        self.register_buffer("order", torch.randperm(784, generator=torch.Generator()), False)
        self.register_buffer("shift", torch.tensor([3]))
        self.norm = nn.BatchNorm1d(784)
        self.last = nn.Linear(784, 10)

    def forward(self, images):
        flat = images.flatten(1)[:, self.order].roll(int(self.shift), 1)
        return self.last(self.norm(flat))


class OwnBase(ClassifierModule):
    """A common base without a net_type."""


class BufferModule(OwnBase):
    net_type = WithBuffers
