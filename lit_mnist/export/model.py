"""A run or committee as one PyTorch module, from pixels to probabilities."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE
from lit_mnist.models.averaging import combine


class WholeModel(nn.Module):
    """Scales images, runs each network, and averages their predictions.

    Args:
        networks: Networks from float images (N, 1, 28, 28) in [0, 1] to logits (N, 10).
        average: How several networks are averaged.
    """

    def __init__(self, networks: Sequence[nn.Module], average: AVERAGES = DEFAULT_AVERAGE) -> None:
        super().__init__()
        self.networks, self.average = nn.ModuleList(networks), average
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Maps images (N, 28, 28) to probabilities, float32 (N, 10).

        Args:
            images: Light digits on dark ground: uint8 from 0 to 255, or float from 0 to 1.
        """
        return combine(self.log_probs(images), self.average).exp()

    def log_probs(self, images: Tensor) -> Tensor:
        """Returns each network's log-probabilities, float32 (M, N, 10)."""
        scaled = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        logits = [network(scaled[:, None]).float() for network in self.networks]
        return torch.stack(logits).log_softmax(2)
