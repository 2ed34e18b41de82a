"""Imports what commands do, at the latest when they run; for the server of `tests.warm`."""

# ruff: noqa: F401
import matplotlib.backends.backend_agg
import torch.distributed.run
import torch.utils.tensorboard

from lit_mnist.training.light_imports import light_imports

with light_imports():  # as the program does
    import lit_mnist.commands.committee
    import lit_mnist.commands.run_cli
