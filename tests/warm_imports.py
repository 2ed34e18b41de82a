"""Does once what commands do when they begin; for the server of `tests.warm`.

It imports what they import, at the latest when they run, and builds the parsers that all forks
then have. Nothing of a test's or a user's is parsed or run.
"""

# ruff: noqa: F401
import contextlib
import functools
import gc
import sys

import alembic.command
import alembic.migration
import matplotlib.backends.backend_agg
import optuna.storages._rdb.models
import PIL.Image
import scipy.stats
import sqlalchemy.dialects.sqlite
import tensorboard.plugins.hparams.plugin_data_pb2
import torch.distributed.run
import torch.utils.tensorboard

from lit_mnist.errors import UserError
from lit_mnist.machine.light_imports import light_imports

with light_imports():  # as the program does
    import lit_mnist.commands.committee
    import lit_mnist.commands.sweep_trials
    from lit_mnist.commands.run_cli import RunCLI

import lightning.fabric.utilities.registry as registry

PIL.Image.preinit()
# Each Trainer reads the metadata of all installed packages, for callbacks that they may bring
registry.entry_points = functools.lru_cache(registry.entry_points)
sys.argv[:1] = ["cli.py"]  # which its parsers name
for command in ("fit", "test"):
    with contextlib.suppress(UserError):
        RunCLI([command, "--no_such_option"])
gc.collect()
gc.freeze()  # so that no fork looks through all that, and copies it by that
