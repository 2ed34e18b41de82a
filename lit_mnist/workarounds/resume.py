"""Work-arounds for resuming a run: where, with which weights, and from which checkpoint."""

import functools
from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.loops.fit_loop import _FitLoop
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector

from lit_mnist import trainers
from lit_mnist.machine.patching import replaced
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.resuming.epoch_end import end_cut_short, validate_if_due
from lit_mnist.resuming.resumed_epoch import ResumedEpoch
from lit_mnist.training.checkpointing import LastCheckpoint, WholeSteps
from lit_mnist.training.final_weights import FinalWeights

# What callbacks of ours do behind a hook of the module's
_BEHIND: dict[str, dict[type[Callback], Any]] = {
    "on_train_batch_end": {
        WholeSteps: WholeSteps.on_train_batch_end,  # again, as the module may ask to stop
        LastCheckpoint: LastCheckpoint.on_train_batch_end,
    },
    "on_validation_end": {
        WholeSteps: WholeSteps.on_validation_end,
        LastCheckpoint: LastCheckpoint.on_validation_end,
    },
    "on_train_end": {FinalWeights: FinalWeights.save},
}


def place_in_epoch() -> AbstractContextManager[None]:
    """Resumes a run within an epoch even if its number of steps was computed before.

    `trainer.estimated_stepping_batches`, which a OneCycleLR needs, sets up the data loaders before
    the checkpoint is loaded. Lightning then ignores their state in the checkpoint, and the epoch
    starts from its beginning (Lightning #20550).
    """
    setup_data = _FitLoop.setup_data

    @functools.wraps(setup_data)
    def in_place(loop: Any) -> None:
        early = loop._combined_loader is not None
        setup_data(loop)
        if early and loop.restarting and loop._combined_loader_states_to_load:
            loop._load_combined_loader_states()
            iter(loop._data_fetcher)

    return replaced((_FitLoop, "setup_data", in_place))


def whole_doubles() -> AbstractContextManager[None]:
    """Loads a checkpoint's float64 weights into a module that is float64 already.

    Lightning loads them first and converts the module afterwards, so that every resume would round
    them to float32 (lightning/pytorch/trainer/trainer.py, `_run`).
    """
    restore = _CheckpointConnector.restore_model

    @functools.wraps(restore)
    def converted(connector: Any) -> None:
        trainer = connector.trainer
        trainer.precision_plugin.convert_module(trainer.lightning_module)
        restore(connector)

    return replaced((_CheckpointConnector, "restore_model", converted))


def whole_epochs() -> AbstractContextManager[None]:
    """Resumes a run with `max_steps` correctly from the end of an epoch (Lightning #19617).

    With that limit, Lightning treats every resume as one within an epoch. It would end the finished
    epoch once more: hooks are called again, and the epoch count stays one too high, so that
    `max_epochs` comes an epoch early. Here the progress counters decide.
    """
    return replaced((_FitLoop, "_iteration_based_training", lambda _: False))


def end_by_the_hooks() -> AbstractContextManager[None]:
    """Ends training by its hooks, even if a resumed run has no step left to train.

    It may have been killed between its last step and its end, where StochasticWeightAveraging sets
    its average. Lightning would return at once (lightning/pytorch/loops/fit_loop.py, `skip`), and
    leave out the end of an epoch that training cuts short (`run`). If a limit was raised since, it
    would leave out a validation behind that step.
    """
    skip: Any = _FitLoop.skip
    start = _FitLoop.on_run_start

    @functools.wraps(start)
    def also_cut_short(loop: Any) -> None:
        start(loop)
        validate_if_due(loop)
        end_cut_short(loop)

    def unless_resumed(loop: Any) -> bool:
        begins = not loop.is_resuming or loop.trainer.limit_train_batches == 0
        return begins and skip.fget(loop)

    return replaced(
        (_FitLoop, "skip", property(unless_resumed)), (_FitLoop, "on_run_start", also_cut_short)
    )


def save_after_the_module() -> AbstractContextManager[None]:
    """Saves within an epoch, and at the end of training, only after the module's own hook.

    Lightning calls that of the callbacks first, ModelCheckpoint's among them. A resumed run would
    lack what the module does there, such as one update of an average of its weights, and would be
    too late for a stop that it asks for (lightning/pytorch/loops/training_epoch_loop.py, `advance`;
    evaluation_loop.py, `_on_evaluation_end`; fit_loop.py, `on_run_end`).
    """
    call_module = call._call_lightning_module_hook

    @functools.wraps(call_module)
    def module_first(trainer: Any, hook: str, *args: Any, **kwargs: Any) -> Any:
        returned = call_module(trainer, hook, *args, **kwargs)
        for callback in trainer.callbacks if hook in _BEHIND else ():
            for kind, act in _BEHIND[hook].items():
                if isinstance(callback, kind):
                    act(callback, trainer, trainer.lightning_module)
        return returned

    return replaced(
        (call, "_call_lightning_module_hook", module_first),
        (LastCheckpoint, "on_train_batch_end", Callback.on_train_batch_end),
        (LastCheckpoint, "on_validation_end", Callback.on_validation_end),
    )


def start_of_epoch() -> AbstractContextManager[None]:
    """Restores what a resumed epoch needs once the hooks of the start of training are through.

    Lightning has no hook there, and does not call those of an epoch's start when it resumes within
    the epoch. What they set up would be missing: an attribute of the module, or the number of
    batches per step (lightning/pytorch/loops/fit_loop.py, `on_run_start` and `on_advance_start`).
    """
    start = _FitLoop.on_run_start
    restore = _CheckpointConnector.restore_model

    @functools.wraps(restore)
    def kept_whole(connector: Any) -> None:
        for epoch in trainers.callbacks_of(connector.trainer, ResumedEpoch):
            epoch.keep(connector._loaded_checkpoint)
        restore(connector)

    @functools.wraps(start)
    def also_of_epoch(loop: Any) -> None:
        start(loop)
        for one in trainers.callbacks_of(loop.trainer, AfterStart):
            one.after_start(loop.trainer, loop.trainer.lightning_module)

    return replaced(
        (_CheckpointConnector, "restore_model", kept_whole),
        (_FitLoop, "on_run_start", also_of_epoch),
    )


def only_what_is_named() -> AbstractContextManager[None]:
    """Starts training from scratch if no checkpoint is named.

    With an OnExceptionCheckpoint, or under SLURM, Lightning would resume from any checkpoint that
    it finds: `fit --fresh` would resume from the very files that it is to replace
    (lightning/pytorch/trainer/connectors/checkpoint_connector.py, `_parse_ckpt_path`).
    """
    parse = _CheckpointConnector._parse_ckpt_path

    @functools.wraps(parse)
    def named(connector: Any, state_fn: Any, ckpt_path: Any, **model: Any) -> Any:
        return parse(connector, state_fn, ckpt_path, **model) if ckpt_path else None

    return replaced((_CheckpointConnector, "_parse_ckpt_path", named))
