"""How a network is run, by memory layout and precision, and which of them `fit` chooses."""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import measuring  # noqa: F401 # first, as it puts this clone on the path
import torch
from torch import Tensor, nn

from lit_mnist.machine import hardware, process


class Settings(NamedTuple):
    """How a network is run on the CPU."""

    channels_last: bool = False
    bf16: bool = False

    @property
    def layout(self) -> torch.memory_format:
        """The memory format of weights and images."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def place(self, net: nn.Module) -> nn.Module:
        """Lays out the weights."""
        return net.to(memory_format=self.layout)

    def place_images(self, images: Tensor) -> Tensor:
        """Lays out images (B, 1, 28, 28)."""
        return images.contiguous(memory_format=self.layout)

    def autocast(self) -> AbstractContextManager[object]:
        """The precision, around the forward pass and the loss as in Lightning."""
        return torch.autocast("cpu", torch.bfloat16) if self.bf16 else nullcontext()


def as_fit_does() -> Settings:
    """Configures this process as `fit` does; returns the settings `fit` uses on this CPU."""
    process.configure_process()
    return Settings(hardware.channels_last("cpu"), hardware.precision("cpu") == hardware.BFLOAT16)
