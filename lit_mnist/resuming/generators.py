"""Preserves the states of the random generators across a resume."""

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.machine.ranks import of_each_rank
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.runs import entries


class Generators(AfterStart):
    """Saves the generators' states in checkpoints and restores them, as a user's net may use them.

    PyTorch's are seeded at each step as well, but a hook may draw from them between two epochs. For
    Python's and NumPy's that would cost 26 us a step, and this package does not draw from them.
    """

    def __init__(self) -> None:
        self.loaded: list[dict[str, Any]] = []

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the states of each rank."""
        own = states(trainer.strategy.root_device)
        checkpoint[entries.GENERATORS] = of_each_rank(trainer, own)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the states until training has started."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.loaded = list(entries.get(checkpoint, entries.GENERATORS, []))

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores this rank's states; if the number of ranks has changed, the seed's stay."""
        if len(self.loaded) == trainer.world_size:
            restore(self.loaded[trainer.global_rank], trainer.strategy.root_device)
        self.loaded = []


def states(device: torch.device) -> dict[str, Any]:
    """Returns the states of all generators as tensors and plain values."""
    version, words, gauss = random.getstate()
    state: Any = np.random.get_state()  # noqa: NPY002 # the generator that users draw from
    kind, keys, *rest = state
    found = {
        "python": (version, torch.tensor(words), gauss),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), *rest),
        "cpu": torch.get_rng_state(),
    }
    return found | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore(saved: dict[str, Any], device: torch.device) -> None:
    """Restores what `states` gave."""
    version, words, gauss = saved["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    kind, words, *rest = saved["numpy"]
    np.random.set_state((kind, words.numpy().astype(np.uint32), *rest))  # noqa: NPY002 # likewise
    torch.set_rng_state(saved["cpu"])
    if "cuda" in saved and device.type == "cuda":
        torch.cuda.set_rng_state(saved["cuda"], device)
