"""Work-arounds for signals: SIGTERM on several ranks, Ctrl-C twice, ranks without their first."""

import functools
import os
import signal
import subprocess
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist.machine.patching import replaced
from lit_mnist.machine.process import end_with_parent

SIGTERM_EVERY = 16  # steps


def agree_on_sigterm() -> AbstractContextManager[None]:
    """Makes all ranks stop together when one gets SIGTERM (Lightning #21406, #21487).

    Lightning broadcasts from inside the signal handler, possibly in the middle of another
    collective, and asks all ranks at every step, which synchronises a GPU each time. Here the
    handler only sets a flag, and the ranks compare flags every `SIGTERM_EVERY` steps. A single
    process behaves as in Lightning: it stops after the step.
    """

    def note(connector: Any, number: int, _: Any) -> None:
        launcher, noted = connector.trainer.strategy.launcher, getattr(connector, "noted", False)
        connector.noted = True
        if launcher is not None and not noted:
            launcher.kill(number)  # forwards the signal to the processes that this one has started
        if connector.trainer.world_size == 1:
            connector.received_sigterm = True

    def ask(loop: Any) -> None:
        if (loop.batch_idx + 1) % SIGTERM_EVERY:
            return
        connector = loop.trainer._signal_connector
        stop = torch.tensor(int(getattr(connector, "noted", False)))
        stop = stop.to(loop.trainer.strategy.root_device)
        torch.distributed.all_reduce(stop, torch.distributed.ReduceOp.MAX)
        if stop:
            connector.received_sigterm = True
            raise SIGTERMException

    return replaced(
        (_SignalConnector, "_sigterm_notifier_fn", note),
        (_TrainingEpochLoop, "_broadcast_sigterm_tensor", ask),
    )


def second_interrupt() -> AbstractContextManager[None]:
    """Makes a second Ctrl-C end the process at once.

    Lightning ignores it while it shuts down, however long that takes
    (lightning/pytorch/trainer/call.py, `_call_and_handle_interrupt`).
    """
    interrupt = call._interrupt

    @functools.wraps(interrupt)
    def exit_on_second(trainer: Trainer, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt):
            signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
        interrupt(trainer, exception)

    return replaced((call, "_interrupt", exit_on_second))


def ranks_end_with_the_first() -> AbstractContextManager[None]:
    """Ends the ranks that Lightning has started when the first one is killed (Lightning #2913).

    They would wait for it in vain: for half an hour, if it is killed before all have connected.
    Only Linux can do this; Windows refuses `preexec_fn`.
    """
    if os.name != "posix":
        return replaced()
    popen = functools.partial(subprocess.Popen, preexec_fn=end_with_parent)
    return replaced((subprocess_script, "subprocess", SimpleNamespace(Popen=popen)))
