"""The networks, how they are trained, and how a committee of them is averaged.

nets          Dense, SimpleConv, DeepConv: images (N, 1, 28, 28) -> logits (N, 10)
conv_net      ConvNet: batch normalisation, its size a matter of options
layers        dropout at a tenth of the cost, a last layer that stays in float32
plateau       the plateau schedule as Keras counts it: its patience
one_cycle     one cycle of the learning rate over a run's own steps
shifts        an image read five times, moved by a pixel each way
scoring       the scores of a set of images; ScoredModule, which is tested and asked
modules       ClassifierModule and a subclass an architecture
train_log     what training logs once an epoch, whatever a subclass makes of the hooks
clipping      gradient clipping with fused optimisers
cascade       members asked one after another, while the answer could still change
features      what reaches the last linear layer of any net
gaussians     normal distributions of features, one a class, and distances from them
novelty       what is no digit: features nearer to those of letters, or far from everything
novelty_file  the file of that rule, and whose weights it is of
sureness      when an answer counts as sure: temperature and threshold
averages      the ways to average, known to the command line without torch
averaging     a committee's arithmetic: logits of its members -> log-probabilities
classes       which class trained a checkpoint, by its name
rebuild       a module built again from its checkpoint
trained       a checkpoint's network, the notebook's own without Lightning
members       trained networks that make a committee, found and read
ensemble      EnsembleModule: trained networks, averaged
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_mnist.models.conv_net import ConvNet
    from lit_mnist.models.ensemble import EnsembleModule
    from lit_mnist.models.modules import (
        ClassifierModule,
        ConvNetModule,
        DeepConvModule,
        DenseModule,
        SimpleConvModule,
    )
    from lit_mnist.models.nets import DeepConv, Dense, SimpleConv
    from lit_mnist.models.plateau import Plateau

_HOMES = {
    "nets": ("Dense", "SimpleConv", "DeepConv"),
    "plateau": ("Plateau",),
    "conv_net": ("ConvNet",),
    "modules": (
        *("ClassifierModule", "ConvNetModule"),
        *("DenseModule", "SimpleConvModule", "DeepConvModule"),
    ),
    "ensemble": ("EnsembleModule",),
}
__all__ = [
    "ClassifierModule",
    "ConvNet",
    "ConvNetModule",
    "DeepConv",
    "DeepConvModule",
    "Dense",
    "DenseModule",
    "EnsembleModule",
    "Plateau",
    "SimpleConv",
    "SimpleConvModule",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is asked for, so that nets come without Lightning."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
