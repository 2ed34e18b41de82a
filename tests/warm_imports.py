"""Imports what commands do, at the latest when they run; for the server of `tests.warm`."""

# ruff: noqa: F401
import matplotlib.backends.backend_agg
import torch.distributed.run
import torch.utils.tensorboard

import lit_mnist.commands.committee
import lit_mnist.commands.run_cli
