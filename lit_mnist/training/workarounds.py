"""Every work-around for the libraries, each with its upstream reference.

`tests/test_workarounds.py` holds a test for each that fails once upstream is mended, so that the
work-around can go.
"""

import errno
import functools
import logging
import os
import signal
import subprocess
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loops import training_epoch_loop
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors import signal_connector
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist.files import replacing
from lit_mnist.training.process import end_with_parent

# What a user of this program can do nothing about, or what its own output says better
_NOISE = (
    r"Checkpoint directory .* exists and is not empty",  # that is what resuming means here
    r"Be aware that when using `ckpt_path`, callbacks used to create",  # a test needs none of them
    r"It is recommended to use `self\.log\('(lr|train_|val_|test_)",  # all ranks log the same
    r"The number of training batches .* is smaller than the logging interval",  # we log by epoch
    r"The `srun` command is available on your system",  # whoever forgets it in a job is told more
    r"Glyph .* missing from font",  # the name of a run, in a plot's legend
    r".*isinstance\(treespec, LeafSpec\)",  # Lightning against torch 2.15
)


def quieten() -> None:
    """Hides Lightning's advertisements and hints (Lightning #21294); errors still show."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _NOISE:
        warnings.filterwarnings("ignore", message=message)


SIGTERM_EVERY = 16  # steps
# The hooks of a training step that do nothing unless they are overridden
_STEP_HOOKS = frozenset(
    f"on_{when}"
    for when in (
        *("train_batch_start", "train_batch_end", "before_zero_grad"),
        *("before_backward", "after_backward", "before_optimizer_step"),
    )
)


@functools.cache  # so that Lightning is changed once
def lighten_steps() -> None:
    """Takes out of a training step what Lightning does for nobody (Lightning #6196, #8857).

    It calls each hook of each callback and of the module, empty or not, names and times each call,
    and reads the signature of `training_step` anew at each step: together as long as the dense
    net's backward pass takes.
    """
    call_callbacks, call_module = call._call_callback_hooks, call._call_lightning_module_hook

    @functools.wraps(call_callbacks)
    def callbacks(trainer: Trainer, hook: str, *args: Any, **kwargs: Any) -> None:
        everyone: list[Any] = trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
        if hook not in _STEP_HOOKS or any(_overrides(one, Callback, hook) for one in everyone):
            call_callbacks(trainer, hook, *args, **kwargs)

    @functools.wraps(call_module)
    def module(trainer: Trainer, hook: str, *args: Any, **kwargs: Any) -> Any:
        if hook in _STEP_HOOKS and not _overrides(trainer.lightning_module, LightningModule, hook):
            return None
        return call_module(trainer, hook, *args, **kwargs)

    remembered = functools.lru_cache(8)(training_epoch_loop.is_param_in_hook_signature)
    for place, name, lighter in (
        (call, "_call_callback_hooks", callbacks),
        (call, "_call_lightning_module_hook", module),
        (training_epoch_loop, "is_param_in_hook_signature", remembered),
    ):
        setattr(place, name, lighter)


def _overrides(thing: object, base: type, hook: str) -> bool:
    return hook in vars(thing) or getattr(type(thing), hook) is not getattr(base, hook)


@functools.cache
def agree_on_sigterm() -> None:
    """Lets ranks stop together when one is told to (Lightning #21406, #21487).

    Lightning broadcasts from within the signal handler, which may stand in the middle of another
    collective, and asks all ranks at every step, which stops a GPU each time. Here the handler
    takes a note, and the ranks ask each other every `SIGTERM_EVERY` steps. A single process goes on
    as in Lightning: it stops after the step.
    """

    def note(connector: Any, number: int, _: Any) -> None:
        launcher, noted = connector.trainer.strategy.launcher, getattr(connector, "noted", False)
        connector.noted = True
        if launcher is not None and not noted:
            launcher.kill(number)  # tells the processes that this one has started
        if connector.trainer.world_size == 1:
            connector.received_sigterm = True

    def ask(loop: Any) -> None:
        if (loop.batch_idx + 1) % SIGTERM_EVERY:
            return
        connector = loop.trainer._signal_connector
        told = torch.tensor(int(getattr(connector, "noted", False)))
        told = told.to(loop.trainer.strategy.root_device)
        torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
        if told:
            connector.received_sigterm = True
            raise SIGTERMException

    setattr(signal_connector._SignalConnector, "_sigterm_notifier_fn", note)  # noqa: B010 # as mypy forbids assigning to a method
    setattr(training_epoch_loop._TrainingEpochLoop, "_broadcast_sigterm_tensor", ask)  # noqa: B010 # likewise


@functools.cache
def heed_second_interrupt() -> None:
    """Lets a second Ctrl-C end the process at once.

    Lightning ignores it while it shuts down, however long that takes
    (lightning/pytorch/trainer/call.py, `_call_and_handle_interrupt`).
    """
    interrupt = call._interrupt

    @functools.wraps(interrupt)
    def heedful(trainer: Trainer, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt):
            signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
        interrupt(trainer, exception)

    setattr(call, "_interrupt", heedful)  # noqa: B010 # as mypy forbids assigning to a function


@functools.cache
def end_ranks_with_the_first() -> None:
    """Ends the ranks that Lightning has started when the first one is killed (Lightning #2913).

    They would wait for it in vain: for half an hour, if it is killed before all have met.
    """
    popen = functools.partial(subprocess.Popen, preexec_fn=end_with_parent)
    setattr(subprocess_script, "subprocess", SimpleNamespace(Popen=popen))  # noqa: B010 # as mypy forbids assigning to a module


class WholeFileCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its target, flushes it and renames it into place.

    Lightning stages it in the folder for temporary files and copies it from there, so that a full
    disk leaves half a checkpoint under the final name (Lightning #21744).
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Saves `checkpoint` to `path`, whole or not at all.

        Raises:
            OSError: The disk is full; of a write that fails, torch says only that it is short.
        """
        with replacing(Path(path)) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:
                if "inline_container" not in str(error):
                    raise
                raise OSError(errno.EIO, "could not be written whole, as on a full disk") from error


class PlainTensorBoardLogger(TensorBoardLogger):
    """Leaves out `hparams.yaml`, an empty second copy of what `config.yaml` says in full."""

    def save(self) -> None:
        """Flushes the scalars, if there are any: a run that failed early leaves no folder."""
        if self._experiment is not None:
            self._experiment.flush()
