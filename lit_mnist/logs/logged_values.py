"""What was logged in an epoch, and under which name `metrics.csv` has it."""

from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from lit_mnist.logs import logged_sums
from lit_mnist.logs.digits import rounded
from lit_mnist.runs import entries

_MEASURED = ("epoch", "seconds")  # columns that no module or callback fills


class LoggedValues:
    """Tells the values that were logged in this epoch from those of earlier epochs.

    Lightning keeps the latter: an identical tensor was not logged again. While an epoch is not
    over, it computes each value anew at each look, so this compares only with those that it had
    when the epoch began.
    """

    def __init__(self) -> None:
        self.before: dict[str, Tensor] = {}  # the metrics when this epoch began
        self.loaded: dict[str, float] = {}  # values of this epoch, from before a resume

    def begin_training(self, trainer: Trainer) -> None:
        """Notes the metrics; an epoch that is resumed has the values that were loaded."""
        self.before = dict(trainer.callback_metrics)

    def begin_epoch(self, trainer: Trainer) -> None:
        """Likewise, for an epoch of which nothing is known."""
        self.before, self.loaded = dict(trainer.callback_metrics), {}

    def of_epoch(self, trainer: Trainer) -> dict[str, float]:
        """Returns the values so far, by name."""
        logged, copies = trainer.callback_metrics, _copies(trainer)
        return self.loaded | {
            name: rounded(name, value)
            for name, value in logged.items()
            if value is not self.before.get(name) and name not in copies
        }

    def at_an_end(self, trainer: Trainer) -> dict[str, float]:
        """Returns those that have another value if the epoch ends now; all ranks must call it."""
        values, copies = logged_sums.epoch_values(trainer), _copies(trainer)
        kept = {name: one for name, one in values.items() if name not in copies}
        return {name: rounded(name, one) for name, one in kept.items() if isinstance(one, Tensor)}

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Restores the values of an unfinished epoch."""
        state = entries.state(checkpoint, entries.METRICS)
        values = state.get("logged") if isinstance(state, dict) else None
        pairs = values.items() if isinstance(values, dict) else ()
        self.loaded = {str(name): one for name, one in pairs if isinstance(one, float)}


def columns(logged: dict[str, float]) -> dict[str, float]:
    """Returns the values by column: what is called as a measured one is kept under another name."""
    return {f"logged_{name}" if name in _MEASURED else name: one for name, one in logged.items()}


def _copies(trainer: Trainer) -> set[str]:
    """Returns the second and third name of each value that is logged by step and by epoch."""
    loop = trainer.fit_loop.epoch_loop
    return {
        results._forked_name(one, on_step)[1]
        for results in (loop._results, loop.val_loop._results)
        for one in results.values()
        if one.meta.on_step and one.meta.on_epoch
        for on_step in (True, False)
    }
