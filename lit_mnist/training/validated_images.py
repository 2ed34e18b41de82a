"""How many images a validation scores, and that scores of other images are not compared.

Which images come first is fixed by the split, so that their number says which they are.
"""

from collections.abc import Mapping, Sized
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from lit_mnist import trainers
from lit_mnist.data.eval_batches import EvalBatches
from lit_mnist.runs import entries

_OURS = (entries.BEST, entries.LAST)  # which keep no score of other images


def count(trainer: Trainer) -> int:
    """Returns the number of images that each validation of `fit` scores, on all ranks together.

    It is 0 if that is not known: before the loaders are made, or with a loader of another kind.
    """
    combined = trainer.fit_loop.epoch_loop.val_loop._combined_loader
    loaders = [] if combined is None else combined.flattened
    pairs = zip(loaders, trainer.num_val_batches, strict=False)
    counts = [_count(one, batches, trainer.world_size) for one, batches in pairs]
    return sum(counts) if all(counts) else 0


def _count(loader: Any, batches: float, world_size: int) -> int:
    if isinstance(loader, EvalBatches):
        return loader.images_within(int(batches))
    known = isinstance(loader, DataLoader) and isinstance(loader.dataset, Sized)
    if not known or loader.batch_sampler is None:
        return 0
    if batches >= len(loader):
        return len(loader.dataset)
    return int(batches) * (loader.batch_size or 0) * world_size


def other(scores: Mapping[str, float], trainer: Trainer) -> str:
    """Describes that scores are of another number of images than this training validates on.

    Args:
        scores: As `checkpoints.scores` returns them.
        trainer: The trainer.

    Returns:
        The description; empty if it is the same number, or either is not known.
    """
    before, now = int(scores.get("images", 0)), count(trainer)
    if not before or not now or before == now:
        return ""
    return f"was validated on {before:,} images, and this run validates on {now:,}"


def still_compared(trainer: Trainer) -> str:
    """Tells what goes on counting epochs without improvement from earlier scores; empty if nothing.

    Lightning restores their states before it is known how many images are scored.
    """
    watching: list[tuple[object, str | None]] = [
        (one, one.monitor)
        for one in trainers.callbacks(trainer)
        if isinstance(one, (EarlyStopping, ModelCheckpoint)) and one.state_key not in _OURS
    ]
    schedules = [one for one in trainer.lr_scheduler_configs if one.reduce_on_plateau]
    watching += [(one.scheduler, one.monitor) for one in schedules]
    names = [type(one).__name__ for one, monitor in watching if str(monitor).startswith("val_")]
    verb = "compares" if len(names) == 1 else "compare"
    return f"; only {' and '.join(names)} still {verb} with its score" if names else ""
