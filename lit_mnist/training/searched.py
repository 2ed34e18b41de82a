"""Keeps what a finder has found at the start of a run: a learning rate, a batch size."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.tuner.lr_finder import _determine_lr_attr_name
from lightning.pytorch.utilities.parsing import lightning_getattr, lightning_setattr

from lit_mnist import trainers
from lit_mnist.runs import entries

_FINDERS = (BatchSizeFinder, LearningRateFinder)


class Searched(Callback):
    """Saves the values that finders have found in checkpoints, and restores them in a resumed run.

    Lightning searches again whenever `fit` is called, and afterwards resets the trainer to the
    search's start: a resumed run would begin at its first epoch, with trained weights.
    """

    def __init__(self) -> None:
        # whether training begins with a checkpoint, and with the run's own; set by the command
        self.resumes, self.is_own = False, True
        self.found: dict[str, Any] = {}
        self.began = False  # until then, only the search saves and loads checkpoints

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Notes which attributes are searched for; a run that is resumed does not begin with it.

        By now the trainer also has the callbacks of the module's `configure_callbacks`.
        """
        if stage != "fit":
            return
        self.began = False
        self.found = dict.fromkeys(_searched(trainer, pl_module))
        if self.resumes:
            _suspend(_finders(trainer), say=trainer.is_global_zero)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Makes schedules anew after a search: for its rate, and its number of steps.

        Lightning gives the rate to the optimizer alone, in which the next step of a schedule like
        OneCycleLR replaces it, and leaves schedules as long as they were with another batch size.
        """
        finders = _finders(trainer)
        if self.resumes or not finders or not trainer.lr_scheduler_configs:
            return
        trainer.strategy.setup_optimizers(trainer)
        found = [one.optimal_lr for one in finders if getattr(one, "_update_attr", False)]
        for search in filter(None, found):  # none in a fast_dev_run
            rate = search.suggestion()
            for group in (group for one in trainer.optimizers for group in one.param_groups):
                if rate and rate not in (group["lr"], group.get("initial_lr"), group.get("max_lr")):
                    group["lr"] = rate  # as Lightning does, for a module with a rate of its own

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lets finders search from here on, as one that does so at the start of an epoch."""
        self.began = True
        for finder in _finders(trainer) if self.resumes else ():
            vars(finder).pop("on_fit_start", None)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the values that were found."""
        if self.began and self.found:
            found = {name: lightning_getattr(pl_module, name) for name in self.found}
            checkpoint[entries.SEARCHED] = found

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restores the values, before optimizers and batches are created.

        A new run that begins with another's checkpoint takes those alone that it would search for;
        otherwise its own options hold.
        """
        if self.began or trainer.state.fn != TrainerFn.FITTING:
            return  # a search that ends loads what it began with, but for what it has found
        found = entries.get(checkpoint, entries.SEARCHED, {})
        self.found |= {name: found[name] for name in found if self.is_own or name in self.found}
        for name in self.found.keys() & found.keys():
            lightning_setattr(pl_module, name, found[name])


def _suspend(finders: Sequence[Any], *, say: bool) -> None:
    """Keeps finders from searching at the start of a run, with a message."""
    for finder in finders:
        is_stock = type(finder).on_fit_start in (kind.on_fit_start for kind in _FINDERS)
        what = "searches" if is_stock else "its on_fit_start is called"
        finder.on_fit_start = lambda *_: None
        if say:
            print(
                f"{type(finder).__name__}: {what} only in a new run; this one continues from a"
                " checkpoint"
            )


def _finders(trainer: Trainer) -> list[Any]:
    return [one for one in trainers.callbacks(trainer) if isinstance(one, _FINDERS)]


def _searched(trainer: Trainer, module: LightningModule) -> list[str]:
    """Lists the attributes of the module or the data module that finders set."""
    found = _finders(trainer)
    sizes = [one._batch_arg_name for one in found if isinstance(one, BatchSizeFinder)]
    finders = [one for one in found if isinstance(one, LearningRateFinder)]
    rates = [_determine_lr_attr_name(module, one._attr_name) for one in finders if one._update_attr]
    return [*sizes, *rates]
