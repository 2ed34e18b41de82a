"""The networks, the LightningModules that train them, and committees that average them.

nets              Dense, SimpleConv, DeepConv: images (N, 1, 28, 28) -> logits (N, 10)
conv_net          ConvNet: convolutions with batch normalisation, its size set by options
layers            a faster dropout, and a last layer that always computes in float32
plateau           the plateau schedule, with its patience counted as in Keras
one_cycle         the one-cycle schedule, over the steps of the run at hand
shifts            test-time shifts: five shifted copies of an image, averaged
lazy              sizes lazy layers before anything asks for their weights
logits            checks that a network's output is logits (N, 10)
running_scores    loss and accuracy of an epoch as metrics, on any number of ranks
scoring           ScoredModule: validation, test and prediction steps, and their scores
modules           ClassifierModule, the training recipe, and one subclass per architecture
train_log         logs train_loss and lr once an epoch, even if a subclass overrides the hooks
finite_loss       stops a training whose loss is not finite
clipping          gradient clipping with fused optimisers
cascade           runs members one after another until the answer cannot change any more
features          captures the input of a net's last linear layer
gaussians         a normal distribution of features per class, and distances from them
novelty           detects images that are no digit
novelty_file      saves and loads that detector
sureness          temperature and threshold above which a prediction counts as sure
averages          names of the ways to average, importable without torch
averaging         how a committee averages: logits of its members -> log-probabilities
classes           finds the class that trained a checkpoint, by its name
answers           tells by a module's answers whether it computes what it did in training
evaluation_hooks  whether answers depend on hooks that only a trainer calls
own_steps         which steps a user's module overrides that only a trainer calls
hyperparameters   the hyperparameters in a checkpoint, which may name nothing to import
rebuild           rebuilds a module from its checkpoint
trained           loads a checkpoint's network, without Lightning where possible
members           finds and loads the members of a committee
ensemble          EnsembleModule: the committee
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
    """Imports a public name on first use, so that nets can be imported without Lightning."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
