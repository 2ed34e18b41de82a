"""A net of your own: an nn.Module, and the LightningModule that trains it."""

from torch import Tensor, nn

from lit_mnist.models import ClassifierModule


class Tiny(nn.Module):
    """Float images (N, 1, 28, 28) in [0, 1] to logits (N, 10), with batch norm and tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(28 * 28, 64), nn.BatchNorm1d(64)
        self.last = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Any computation will do."""
        return self.last(self.norm(self.first(images.flatten(1))).tanh())


class TinyModule(ClassifierModule):
    """Trained, tested and averaged as ours are."""

    net_type = Tiny
