"""A module without randomness, for comparing numbers of ranks."""

from torch import nn

from lit_mnist.models.modules import ClassifierModule


class Linear(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))


class LinearModule(ClassifierModule):
    net_type = Linear
