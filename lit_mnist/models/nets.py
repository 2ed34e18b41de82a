"""The notebook's three networks as plain PyTorch modules, without Lightning.

Each maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10). Widths, kernels and dropout rates
are the notebook's, and so are the parameter counts: 535,818, 128,924 and 887,530. Pooling comes
before ReLU: the result is the same, with a quarter of the work for ReLU.
"""

from torch import nn

from lit_mnist.models.layers import Dropout, FullPrecisionLinear
from lit_mnist.shape import CLASSES, SIDE_PX


def initialise_like_keras(net: nn.Module) -> None:
    """Initialises as Keras does by default: Glorot-uniform weights, zero biases."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Dense(nn.Sequential):
    """System 1: two hidden layers of 512 and 256 units, dropout 0.2 after each."""

    units = (512, 256)  # of the two hidden layers

    def __init__(self) -> None:
        first, second = self.units
        super().__init__(
            nn.Flatten(),  # (N, 784)
            nn.Linear(SIDE_PX * SIDE_PX, first),
            nn.ReLU(),
            Dropout(0.2),
            nn.Linear(first, second),
            nn.ReLU(),
            Dropout(0.2),
            FullPrecisionLinear(second, CLASSES),
        )
        initialise_like_keras(self)


class SimpleConv(nn.Sequential):
    """Systems 2 to 5: two 5x5 convolutions of 10 maps, one pooling, 64 units, dropout 0.2."""

    maps, units = 10, 64  # of each convolution, and of the hidden layer

    def __init__(self) -> None:
        maps, units = self.maps, self.units
        super().__init__(
            nn.Conv2d(1, maps, 5, padding="same"),
            nn.ReLU(),
            nn.Conv2d(maps, maps, 5, padding="same"),
            nn.MaxPool2d(2),  # (N, maps, 14, 14)
            nn.ReLU(),
            nn.Flatten(),  # (N, maps * 196)
            nn.Linear(maps * 14 * 14, units),
            nn.ReLU(),
            Dropout(0.2),
            FullPrecisionLinear(units, CLASSES),
        )
        initialise_like_keras(self)


class DeepConv(nn.Sequential):
    """System 6: two 5x5 convolutions of 32 maps, two 3x3 of 64, each pair pooled; 256 units."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 32, 5, padding="same"),
            nn.ReLU(),
            nn.Conv2d(32, 32, 5, padding="same"),
            nn.MaxPool2d(2),  # (N, 32, 14, 14)
            nn.ReLU(),
            Dropout(0.25),
            nn.Conv2d(32, 64, 3, padding="same"),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding="same"),
            nn.MaxPool2d(2),  # (N, 64, 7, 7)
            nn.ReLU(),
            nn.Flatten(),  # (N, 3136)
            nn.Linear(64 * 7 * 7, 256),
            nn.ReLU(),
            Dropout(0.2),
            FullPrecisionLinear(256, CLASSES),
        )
        initialise_like_keras(self)
