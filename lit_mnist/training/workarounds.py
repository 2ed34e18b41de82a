"""Work-arounds for the libraries, each with its upstream reference.

They patch Lightning only inside `with applied()`, which the command line program enters for the
duration of a command; importing this package leaves Lightning unchanged. Each has a name in
`WORKAROUNDS`; `LIT_MNIST_WITHOUT=light_steps,quiet` switches some off.

`tests/training/test_workarounds.py` has a test for each that fails once upstream is fixed, so that
the work-around can be removed.
"""

import errno
import functools
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loops import fit_loop, training_epoch_loop
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors import checkpoint_connector, signal_connector
from lightning.pytorch.trainer.connectors.logger_connector import result
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist.errors import UserError
from lit_mnist.files import replacing
from lit_mnist.runs import plain
from lit_mnist.training import light_imports
from lit_mnist.training.light_imports import SWITCH
from lit_mnist.training.noise import quiet
from lit_mnist.training.process import end_with_parent


@contextmanager
def applied() -> Iterator[None]:
    """Patches Lightning inside the context and restores it afterwards.

    Raises:
        UserError: `LIT_MNIST_WITHOUT` names an unknown work-around.
    """
    without = {name for name in os.environ.get(SWITCH, "").split(",") if name}
    there = [*WORKAROUNDS, light_imports.NAME]
    if unknown := without - {*there}:
        named, known = ", ".join(sorted(unknown)), ", ".join(there)
        raise UserError(f"{SWITCH}: no work-around is called {named}; there are {known}")
    with ExitStack() as stack:
        for name, workaround in WORKAROUNDS.items():
            if name not in without:
                stack.enter_context(workaround())
        yield


@contextmanager
def _replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Sets attributes, given as (object, name, value), and restores them afterwards."""
    with ExitStack() as stack:
        for place, name, value in changes:
            stack.callback(setattr, place, name, getattr(place, name))
            setattr(place, name, value)
        yield


SIGTERM_EVERY = 16  # steps
# Hooks of a training step that do nothing unless they are overridden
_STEP_HOOKS = frozenset(
    f"on_{when}"
    for when in (
        *("train_batch_start", "train_batch_end", "before_zero_grad"),
        *("before_backward", "after_backward", "before_optimizer_step"),
    )
)


def light_steps() -> AbstractContextManager[None]:
    """Removes needless overhead from a training step (Lightning #6196, #8857).

    Lightning calls every hook of every callback and of the module, empty or not, names and times
    each call even without a profiler, and inspects the signature of `training_step` at every step.
    Gain: six rounds of calls and one inspection per step (counted in the test); 7 % of the CPU time
    for the dense net (200 steps and a validation, one thread: median of 7 pairs, -1 to 23 %).
    """
    call_callbacks, call_module = call._call_callback_hooks, call._call_lightning_module_hook
    timed, nothing = PassThroughProfiler.profile, nullcontext()

    @functools.wraps(call_callbacks)
    def callbacks(trainer: Trainer, hook: str, *args: Any, **kwargs: Any) -> None:
        if hook not in _STEP_HOOKS or type(trainer.profiler) is not PassThroughProfiler:  # type: ignore[attr-defined] # set in its __init__
            call_callbacks(trainer, hook, *args, **kwargs)
            return
        everyone: list[Any] = trainer.callbacks  # type: ignore[attr-defined] # likewise
        asked = [one for one in everyone if _overrides(one, Callback, hook)]
        if asked:
            model: Any = trainer.lightning_module
            around, model._current_fx_name = model._current_fx_name, hook  # which `log` asks for
            for one in asked:
                getattr(one, hook)(trainer, model, *args, **kwargs)
            model._current_fx_name = around

    @functools.wraps(call_module)
    def module(trainer: Trainer, hook: str, *args: Any, **kwargs: Any) -> Any:
        if hook in _STEP_HOOKS and not _overrides(trainer.lightning_module, LightningModule, hook):
            return None
        return call_module(trainer, hook, *args, **kwargs)

    def profile(self: PassThroughProfiler, action: str) -> AbstractContextManager[Any]:
        # A user's subclass may time every action
        return nothing if type(self) is PassThroughProfiler else timed(self, action)

    remembered = functools.lru_cache(8)(training_epoch_loop.is_param_in_hook_signature)
    return _replaced(
        (call, "_call_callback_hooks", callbacks),
        (call, "_call_lightning_module_hook", module),
        (training_epoch_loop, "is_param_in_hook_signature", remembered),
        (PassThroughProfiler, "profile", profile),
    )


def _overrides(thing: object, base: type, hook: str) -> bool:
    return hook in vars(thing) or getattr(type(thing), hook) is not getattr(base, hook)


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
        told = torch.tensor(int(getattr(connector, "noted", False)))
        told = told.to(loop.trainer.strategy.root_device)
        torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
        if told:
            connector.received_sigterm = True
            raise SIGTERMException

    return _replaced(
        (signal_connector._SignalConnector, "_sigterm_notifier_fn", note),
        (training_epoch_loop._TrainingEpochLoop, "_broadcast_sigterm_tensor", ask),
    )


def second_interrupt() -> AbstractContextManager[None]:
    """Makes a second Ctrl-C end the process at once.

    Lightning ignores it while it shuts down, however long that takes
    (lightning/pytorch/trainer/call.py, `_call_and_handle_interrupt`).
    """
    interrupt = call._interrupt

    @functools.wraps(interrupt)
    def heedful(trainer: Trainer, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt):
            signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
        interrupt(trainer, exception)

    return _replaced((call, "_interrupt", heedful))


def ranks_end_with_the_first() -> AbstractContextManager[None]:
    """Ends the ranks that Lightning has started when the first one is killed (Lightning #2913).

    They would wait for it in vain: for half an hour, if it is killed before all have connected.
    Only Linux can do this; Windows refuses `preexec_fn`.
    """
    if os.name != "posix":
        return _replaced()
    popen = functools.partial(subprocess.Popen, preexec_fn=end_with_parent)
    return _replaced((subprocess_script, "subprocess", SimpleNamespace(Popen=popen)))


def place_in_epoch() -> AbstractContextManager[None]:
    """Resumes a run within an epoch even if its number of steps was computed before.

    `trainer.estimated_stepping_batches`, which a OneCycleLR needs, sets up the data loaders before
    the checkpoint is loaded. Lightning then ignores their state in the checkpoint, and the epoch
    starts from its beginning (Lightning #20550).
    """
    setup_data = fit_loop._FitLoop.setup_data

    @functools.wraps(setup_data)
    def in_place(loop: Any) -> None:
        early = loop._combined_loader is not None
        setup_data(loop)
        if early and loop.restarting and loop._combined_loader_states_to_load:
            loop._load_combined_loader_states()
            iter(loop._data_fetcher)

    return _replaced((fit_loop._FitLoop, "setup_data", in_place))


def whole_doubles() -> AbstractContextManager[None]:
    """Loads a checkpoint's float64 weights into a module that is float64 already.

    Lightning loads them first and converts the module afterwards, so that every resume would round
    them to float32 (lightning/pytorch/trainer/trainer.py, `_run`).
    """
    restore = checkpoint_connector._CheckpointConnector.restore_model

    @functools.wraps(restore)
    def converted(connector: Any) -> None:
        trainer = connector.trainer
        trainer.precision_plugin.convert_module(trainer.lightning_module)
        restore(connector)

    return _replaced((checkpoint_connector._CheckpointConnector, "restore_model", converted))


def whole_epochs() -> AbstractContextManager[None]:
    """Resumes a run with `max_steps` correctly from the end of an epoch (Lightning #19617).

    With that limit, Lightning treats every resume as one within an epoch. It would end the finished
    epoch once more: hooks are called again, and the epoch count stays one too high, so that
    `max_epochs` comes an epoch early. Here the progress counters decide.
    """
    return _replaced((fit_loop._FitLoop, "_iteration_based_training", lambda _: False))


def only_what_is_named() -> AbstractContextManager[None]:
    """Starts training from scratch if no checkpoint is named.

    With an OnExceptionCheckpoint, or under SLURM, Lightning would resume from any checkpoint that
    it finds: `fit --fresh` would resume from the very files that it is to replace
    (lightning/pytorch/trainer/connectors/checkpoint_connector.py, `_parse_ckpt_path`).
    """
    parse = checkpoint_connector._CheckpointConnector._parse_ckpt_path

    @functools.wraps(parse)
    def named(connector: Any, state_fn: Any, ckpt_path: Any, **model: Any) -> Any:
        return parse(connector, state_fn, ckpt_path, **model) if ckpt_path else None

    return _replaced((checkpoint_connector._CheckpointConnector, "_parse_ckpt_path", named))


def whole_means() -> AbstractContextManager[None]:
    """Weights the mean of `self.log(…, sync_dist=True)` by the images of all ranks.

    Lightning divides by the mean number of images of a rank, rounded down to an integer: on three
    ranks, the loss of 100 images is 1 % too high (lightning/fabric/utilities/distributed.py,
    `_sync_ddp`).
    """
    compute = result._ResultMetric.compute

    @functools.wraps(compute)
    def weighted(metric: Any) -> torch.Tensor:
        if not (metric.is_tensor and metric.meta.is_mean_reduction):
            return compute(metric)
        images = metric.cumulated_batch_size.to(metric.value.dtype, copy=True)
        total: torch.Tensor = metric.meta.sync(metric.value.clone())  # `sync` works in place
        return total / metric.meta.sync(images)

    return _replaced((result._ResultMetric, "compute", weighted))


WORKAROUNDS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "quiet": quiet,
    "light_steps": light_steps,
    "agree_on_sigterm": agree_on_sigterm,
    "second_interrupt": second_interrupt,
    "ranks_end_with_the_first": ranks_end_with_the_first,
    "place_in_epoch": place_in_epoch,
    "whole_doubles": whole_doubles,
    "whole_epochs": whole_epochs,
    "only_what_is_named": only_what_is_named,
    "whole_means": whole_means,
}


class WholeFileCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its target, flushes it and renames it into place.

    Lightning writes it to the system's temporary folder and copies it from there, so that a full
    disk leaves half a checkpoint under the final name (Lightning #21744).
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Saves `checkpoint` to `path`, whole or not at all.

        Raises:
            UserError: It holds objects that cannot be loaded without running code.
            OSError: The disk is full, which torch reports only as a short write.
        """
        checkpoint = plain.checked(checkpoint)
        with replacing(Path(path)) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:
                if "inline_container" not in str(error):
                    raise
                raise OSError(errno.EIO, "could not be written whole, as on a full disk") from error
