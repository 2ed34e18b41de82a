"""What training logs once an epoch, whatever a subclass makes of Lightning's hooks."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.optim import Optimizer
from torchmetrics.utilities.distributed import gather_all_tensors

from lit_mnist.errors import UserError
from lit_mnist.models.scoring import RunningScores, Scores

LOOK_EVERY = 100  # steps, between two looks whether the loss is a number: each stops the device
# Under which a checkpoint keeps each rank's sums of an epoch that has not ended
PARTIAL_KEY = "train_scores"


class TrainLog(Callback):
    """Logs the rate of an epoch's last step, and train_loss if the `training_step` doesn't.

    It is the first callback of a trainer, so that all others see this epoch's values. It keeps the
    sums of an epoch that is cut short: in the checkpoint, and not in the module, so that a module
    that `load_from_checkpoint` gives starts from nothing.
    """

    def __init__(self) -> None:
        self.ended = True  # whether the sums are those of an epoch that is over
        self.partial: dict[str, Tensor] = {}
        self.before: dict[str, Tensor | None] = {}
        self.updates = 0  # of the running scores, after the step before
        self.lr: float | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Moves to the front."""
        everyone: list[Callback] = trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
        others = [callback for callback in everyone if callback is not self]
        trainer.callbacks = [self, *others]  # type: ignore[attr-defined] # likewise

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remembers each rank's sums until training starts."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.partial = named_sums(checkpoint.get(PARTIAL_KEY, {}))

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps each rank's sums of an epoch that has not ended."""
        if self.ended:
            return
        alone = trainer.world_size == 1
        checkpoint[PARTIAL_KEY] = {
            name: torch.stack([value] if alone else gather_all_tensors(value)).cpu()
            for name, value in _scores(pl_module).partial_sums().items()
        }

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes up this rank's sums; on another number of ranks the first takes them all."""
        scores, rank = _scores(pl_module), trainer.global_rank
        partial, self.partial = self.partial, {}
        scores.reset()
        self.ended, self.updates, self.before = False, 0, {}
        if partial and len(partial["count"]) == trainer.world_size:
            scores.load({name: value[rank] for name, value in partial.items()})
        elif partial and rank == 0:
            steps = {"finite_steps": partial["finite_steps"].min()}
            scores.load({name: value.sum() for name, value in partial.items()} | steps)
        for optimizer in trainer.optimizers[:1]:
            optimizer.register_step_pre_hook(self._note_rate)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts an epoch from nothing."""
        _scores(pl_module).reset()
        self.ended, self.updates = False, 0
        logged = trainer.callback_metrics
        self.before = {f"train_{name}": logged.get(f"train_{name}") for name in Scores._fields}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Counts the loss that a `training_step` returned without scoring its batch."""
        scores = _scores(pl_module)
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if scores.update_count == self.updates and isinstance(loss, Tensor):
            if pl_module.automatic_optimization:  # what Lightning returns is a share of a step
                loss = loss * trainer.accumulate_grad_batches
            scores.update(None, batch.labels, loss.float() * len(batch.labels))
        self.updates = scores.update_count
        if (batch_idx + 1) % LOOK_EVERY == 0:
            check_loss(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs what is not yet logged for this epoch."""
        self.ended = True
        check_loss(trainer, pl_module)
        scores = _scores(pl_module)
        if scores.update_called:
            for name, value in scores.compute()._asdict().items():
                key = f"train_{name}"
                logged = trainer.callback_metrics.get(key)
                if logged is self.before.get(key) and value.isfinite():
                    pl_module.log(key, value)
        if self.lr is not None:
            pl_module.log("lr", self.lr)

    def _note_rate(self, optimizer: Optimizer, *_: Any) -> None:
        self.lr = optimizer.param_groups[0]["lr"]


def check_loss(trainer: Trainer, module: LightningModule) -> None:
    """Stops a run that has come to nothing, before it reaches a checkpoint.

    Raises:
        UserError: Naming the step.
    """
    scores = _scores(module)
    known = [scores.total, trainer.callback_metrics.get("val_loss")]
    if all(loss is None or loss.isfinite() for loss in known):
        return
    raise UserError(
        f"the loss is not a finite number from step {int(scores.finite_steps)} of epoch"
        f" {trainer.current_epoch} on; lower --model.lr {module.lr:g}, or take"
        " --trainer.precision 32-true; the last good checkpoint is kept"
    )


def named_sums(partial: Any) -> Any:
    """Gives the sums that a checkpoint keeps by their names; until version 0.1 they had none."""
    names = ("total", "correct", "count", "finite_steps")
    return dict(zip(names, partial, strict=True)) if isinstance(partial, list) else partial


def _scores(module: LightningModule) -> RunningScores:
    return module.train_scores  # type: ignore[return-value] # Lightning hands on the base class
