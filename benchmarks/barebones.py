"""An epoch of Lightning alone: its leanest Trainer, against `fit`, a bare loop and Keras.

    python benchmarks/barebones.py --data-dir data --keras-python PYTHON_WITH_KERAS

`barebones` is stock Lightning with `Trainer(barebones=True)`: no logger, checkpoint or progress
bar, and a module that only sums the loss and the right answers. The data path, net, precision,
layout and the settings of the process are those of `fit`. What it takes beyond the bare loop
(bare_loop.py) is Lightning's own.
"""

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import measuring  # first, as it puts this clone on the path
import torch
from bare_loop import NETS, Loop, correct_answers
from epochs import contenders
from kernels import seconds
from lightning.pytorch import LightningModule, Trainer
from report import Report
from torch import Tensor
from torch.nn import functional as F

from lit_mnist.data.batches import Batch


class Plain(LightningModule):
    """The net of a bare loop as most people would wrap it; times its epochs.

    Args:
        loop: Whose net and settings are taken.
    """

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.net, self.settings, self.adam = loop.net, loop.settings, loop.optimizer
        self.loss, self.correct = torch.tensor(0.0), torch.tensor(0)
        self.seconds: list[float] = []

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Returns the batch's mean loss."""
        return self._score(batch) / batch.loss_divisor

    def validation_step(self, batch: Batch, _: int) -> None:
        """Scores a batch in float32, as `fit` does."""
        with torch.autocast("cpu", enabled=False):
            self._score(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns the bare loop's Adam."""
        return self.adam

    def on_train_epoch_start(self) -> None:
        """Starts the clock."""
        self.began = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        """Stops the clock, behind the epoch's validation."""
        self.seconds.append(time.perf_counter() - self.began)

    def _score(self, batch: Batch) -> Tensor:
        logits = self.net(self.settings.place_images(batch.images))
        total = F.cross_entropy(logits, batch.labels, reduction="sum")
        self.loss += total.detach()
        self.correct += correct_answers(logits, batch)
        return total


def epoch(workload: str, options: Any) -> float:
    """Trains two epochs; returns the seconds of the second, with its validation."""
    loop = Loop(workload, str(options.data_dir), options.dataset)
    precision: Any = "bf16-mixed" if loop.settings.bf16 else "32-true"
    module = Plain(loop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Lightning's advice on loaders
        trainer = Trainer(barebones=True, max_epochs=2, accelerator="cpu", precision=precision)
        trainer.fit(module, datamodule=loop.data)
    assert len(module.seconds) == 2
    return module.seconds[-1]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports, saving after each workload."""
    parser = measuring.new_parser(__doc__, "barebones", repeats=5)
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--workloads", nargs="+", choices=NETS, default=list(NETS), help="(all)")
    add("--keras-python", metavar="PATH", help="a Python with Keras; else keras is left out")
    options = measuring.parse(parser, argv, quick={"repeats": 1, "workloads": ["dense"]})
    options.contenders, options.workers, options.steps = ("fit", "bare", "keras"), 0, 0
    report = Report("barebones", options)
    for name in options.workloads:
        compared: dict[str, Callable[[], float]] = {"barebones": partial(epoch, name, options)}
        for other, run in contenders(options, name).items():
            compared[other] = partial(seconds, run)
        measured = measuring.alternate(compared, options.repeats)
        for other, values in measured.items():
            report.add(f"{name}: {other}", values, "s")
        for of, to in (("fit", "barebones"), ("barebones", "bare"), ("keras", "barebones")):
            if of in measured:
                report.ratio(f"{name}: {of} / {to}", measured[of], measured[to])
        report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
