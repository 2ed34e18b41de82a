"""`curves.png` of a run, drawn when training ends and again after a test."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from lit_mnist.logs import loggers
from lit_mnist.reports import figures, plots
from lit_mnist.runs.folder import Run
from lit_mnist.runs.run_config import flat, read_config

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


class Curves(Callback):
    """Draws the curves when training ends."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the curves on rank zero."""
        if trainer.is_global_zero:
            show_curves(trainer, self.run, step=loggers.last_step(trainer))


def show(
    trainer: Trainer, run: Run, name: str, figure: Any, *, step: int, tag: str | None = None
) -> None:
    """Saves a figure as PNG in the run's folder and adds it to loggers that accept pictures.

    Args:
        trainer: The trainer with the loggers.
        run: The folder.
        name: Name of the PNG, without its suffix.
        figure: The Matplotlib figure.
        step: Global step of the weights.
        tag: Name in the loggers, if it differs from `name`.
    """
    figures.save(figure, run.file(f"{name}.png"))
    if shown := [logger for logger in trainer.loggers if loggers.shows_pictures(logger)]:
        pixels = figures.to_array(figure)
        for logger in shown:
            loggers.add_picture(logger, tag or name, pixels, step)


def show_curves(
    trainer: Trainer,
    run: Run,
    *,
    step: int,
    tag: str | None = None,
    test_acc: float | None = None,
) -> None:
    """Draws `curves.png` from `metrics.csv`, with the test accuracy if it is known.

    Args:
        trainer: The trainer with the loggers.
        run: The folder.
        step: As in `show`.
        tag: As in `show`.
        test_acc: The test accuracy; by default that of `results.json`.
    """
    history, results = run.history(), run.results()
    if not history:
        return
    name = str(results.get("name", run.folder.parent.name))
    augmented = bool(flat(read_config(run.config_yaml)).get("data.augment"))
    why = caption(history, augmented=augmented, dropout=drops(trainer.lightning_module))
    accuracy = {name: results.get("test_acc") if test_acc is None else test_acc}
    best = best_epoch(history, results)
    figure = plots.curves({name: history}, accuracy, caption=why, best_epoch=best)
    show(trainer, run, "curves", figure, step=step, tag=tag)


def best_epoch(history: plots.History, results: Mapping[str, Any]) -> float | None:
    """Returns the epoch of `best.ckpt` if a higher row does not count.

    Such a row is of other images, or of weights that were not saved.

    It is None otherwise: the row of a best validation within an epoch may hold a later one.
    """
    highest = plots.best_row(history)
    known = results.get("best_val_acc")
    if highest is None or known is None or highest["val_acc"] <= known:
        return None
    return results.get("best_epoch")


def drops(module: nn.Module) -> bool:
    """Whether a network uses dropout."""
    return any(isinstance(part, _DROPOUTS) and part.p > 0 for part in module.modules())


def caption(history: plots.History, *, augmented: bool, dropout: bool) -> str:
    """Explains why validation may look better than training; empty if it never does.

    Args:
        history: One row per epoch.
        augmented: Whether training images were augmented.
        dropout: Whether the network uses dropout.
    """
    if not any(row.get("val_acc", 0) > row.get("train_acc", 1) for row in history):
        return ""
    causes = (("augmentation", augmented), ("dropout", dropout))
    active = " and ".join(cause for cause, used in causes if used)
    verb = "act" if augmented and dropout else "acts"
    first = f"{active} {verb} only in training, and " if active else ""
    second = "training is averaged over the epoch, while validation comes at its end"
    return f"Validation may look better than training: {first}{second}."
