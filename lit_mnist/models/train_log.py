"""Logs train_loss and lr once an epoch, even if a subclass overrides Lightning's hooks."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.data import extract_batch_size
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.optim import Optimizer
from torchmetrics.utilities.distributed import gather_all_tensors

from lit_mnist import trainers
from lit_mnist.data.batches import Batch
from lit_mnist.models.finite_loss import check_loss
from lit_mnist.models.running_scores import RunningScores, Score, Scores
from lit_mnist.runs import entries
from lit_mnist.runs.version_0_1 import named_sums

LOOK_EVERY = 100  # steps between checks that the loss is finite: each synchronises the device
# The hook that Lightning takes these values to be logged in, one that training does not call: in
# `on_train_epoch_end` it would refuse a module that logs its own train_loss, as logged twice
_LOGGED_IN = "on_test_epoch_end"


class TrainLog(Callback):
    """Logs the rate of an epoch's last step, and train_loss if the `training_step` doesn't.

    It comes first among a trainer's callbacks, so that all others see this epoch's values. It saves
    the sums of an unfinished epoch in the checkpoint rather than in the module, so that a module
    loaded by `load_from_checkpoint` starts from zero.
    """

    def __init__(self) -> None:
        self.ended = True  # whether the sums belong to a finished epoch
        self.partial: dict[str, Tensor] = {}
        self.before: dict[str, Tensor | None] = {}
        self.updates = 0  # of the running scores, after the step before
        self.unsized = False  # whether a batch of unknown size has left the mean loss unknown
        self.lr: float | Tensor | None = None
        self.watched: Optimizer | None = None  # whose rate it is

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Moves this callback to the front."""
        others = [one for one in trainers.callbacks(trainer) if one is not self]
        trainer.callbacks = [self, *others]  # type: ignore[attr-defined] # set in its __init__

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remembers each rank's sums until training starts."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.partial = dict(named_sums(entries.get(checkpoint, entries.SCORES, {})))

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves each rank's sums of an unfinished epoch."""
        if self.ended:
            return
        single = trainer.world_size == 1
        checkpoint[entries.SCORES] = {
            name: torch.stack([value] if single else gather_all_tensors(value)).cpu()
            for name, value in _scores(pl_module).partial_sums().items()
        }
        if self.lr is not None:
            checkpoint[entries.SCORES]["lr"] = torch.tensor(float(self.lr), dtype=torch.float64)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores this rank's sums; if the number of ranks has changed, rank 0 takes all."""
        scores, rank = _scores(pl_module), trainer.global_rank
        partial, self.partial = self.partial, {}
        scores.reset()
        for one in pl_module.children():
            if isinstance(one, Score):
                one.reset()  # an earlier training may have been interrupted
        self.ended, self.updates, self.unsized = False, 0, False
        self._note_before(trainer)
        lr = partial.pop("lr", None)
        self.lr = lr.item() if isinstance(lr, Tensor) and lr.numel() == 1 else None
        if partial and len(partial["count"]) == trainer.world_size:
            scores.load({name: value[rank] for name, value in partial.items()})
        elif partial and rank == 0:
            steps = {"finite_steps": partial["finite_steps"].min()}
            scores.load({name: value.sum() for name, value in partial.items()} | steps)
        if partial:
            self.updates = 1
            for one in (scores, *pl_module.children()):  # which can be computed if no step follows
                if isinstance(one, (RunningScores, Score)):
                    one._update_count = self.updates

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Resets the sums for a new epoch."""
        _scores(pl_module).reset()
        self.ended, self.updates, self.lr = False, 0, None
        self.unsized = False
        self._note_before(trainer)

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        """Watches the rate of the first optimizer, which a callback may have replaced."""
        for optimizer in trainer.optimizers[:1]:
            if optimizer is not self.watched:
                self.lr = self.lr if self.watched is None else None
                self.watched = optimizer
                with suppress(AttributeError):  # a user's class need not have PyTorch's hooks
                    optimizer.register_step_pre_hook(self._note_rate)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Notes the rate, which a `training_step` may have set, or which no hook has noted."""
        if optimizer is self.watched:
            self._note_rate(optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds the loss that a `training_step` returned without scoring its batch."""
        scores = _scores(pl_module)
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if scores.update_count == self.updates and isinstance(loss, Tensor):
            if pl_module.automatic_optimization:  # what Lightning returns is a share of a step
                loss = loss * trainer.accumulate_grad_batches
            count = _count(batch)
            if count is None:
                self.unsized = True
                scores.update(None, loss.new_empty(0), loss.float())  # for `check_loss`
            elif count:  # a last batch may have fewer images than ranks; the mean of none is NaN
                scores.update(None, loss.new_empty(count), loss.float() * count)
        self.updates = scores.update_count
        if (batch_idx + 1) % LOOK_EVERY == 0:
            check_loss(trainer, pl_module, _scores(pl_module))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs what the module has not logged for this epoch itself."""
        self.ended = True
        check_loss(trainer, pl_module, _scores(pl_module))
        for name, value in self.so_far(trainer, pl_module).items():
            _log_same(pl_module, name, value)

    def so_far(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Tensor | float]:
        """Returns what it would log if the epoch ended now; all ranks have to call it."""
        scores = _scores(pl_module)
        values: dict[str, Tensor | float] = {} if self.lr is None else {"lr": self.lr}
        if scores.update_called and not self.unsized:
            known = scores.compute()._asdict().items()
            values |= {f"train_{name}": value for name, value in known if value.isfinite()}
        logged, before = trainer.callback_metrics, self.before
        return {
            name: value for name, value in values.items() if logged.get(name) is before.get(name)
        }

    def _note_before(self, trainer: Trainer) -> None:
        """Notes the values of before this epoch, or its resume."""
        logged = trainer.callback_metrics
        names = ("lr", *(f"train_{name}" for name in Scores._fields))
        self.before = {name: logged.get(name) for name in names}

    def _note_rate(self, optimizer: Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups[:1]:  # none if the module returns no optimizer
            rate = group.get("lr")  # as a tensor, a schedule changes it in place
            self.lr = rate.clone() if isinstance(rate, Tensor) else rate


def _count(batch: Any) -> int | None:
    """Returns the number of images in a batch; None if it is of a class without known parts."""
    if isinstance(batch, Batch):
        return len(batch.labels)
    try:
        return extract_batch_size(batch)
    except MisconfigurationException:
        return None


def _log_same(module: LightningModule, name: str, value: Tensor | float) -> None:
    """Logs a value that is equal on all ranks; as a maximum, so that Lightning does not warn."""
    hook, module._current_fx_name = module._current_fx_name, _LOGGED_IN
    module.log(name, value, sync_dist=True, reduce_fx="max", batch_size=1)
    module._current_fx_name = hook


def _scores(module: LightningModule) -> RunningScores:
    return module.train_scores  # type: ignore[return-value] # Lightning hands on the base class
