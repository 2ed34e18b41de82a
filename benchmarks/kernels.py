"""An epoch of PyTorch's kernels alone: the operators that `fit` calls, without what calls them.

    python benchmarks/kernels.py --data-dir data --keras-python PYTHON_WITH_KERAS

Records every operator of one training step and one validation batch of a bare loop (bare_loop.py),
below autograd and autocast, and calls them again on the same tensors: convolutions, matrix
products, pooling, ReLU, dropout, casts, loss, Adam, the augmentation. A program that calls these
operators takes hardly less, whatever its Python code, so `keras / kernels` is about the most that
`keras / fit` could be. Measured alternately with `fit` and, with --keras-python, the notebook's own
Keras code.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import measuring  # first, as it puts this clone on the path
import torch
from bare_loop import NETS, Loop
from epochs import Epoch, contenders
from report import Report
from torch.utils._python_dispatch import TorchDispatchMode

Call = Callable[[], object]


class Recorder(TorchDispatchMode):
    """Keeps the calls of all operators that compute; views cost nothing worth counting."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Calls an operator, and keeps the call."""
        call = partial(func, *args, **kwargs or {})
        if not func.is_view:
            self.calls.append(call)
        return call()


def recorded(work: Call) -> list[Call]:
    """Returns the operators that a piece of work calls."""
    with Recorder() as recorder:
        work()
    return recorder.calls


def milliseconds(calls: Sequence[Call], times: int) -> float:
    """Times all calls, one after the other, in milliseconds, after a warm-up."""
    for _ in range(2):
        for call in calls:
            call()
    began = time.perf_counter()
    for _ in range(times):
        for call in calls:
            call()
    return (time.perf_counter() - began) / times * 1000


def epoch(loop: Loop, times: int) -> float:
    """Times the kernels of an epoch, in seconds: its training steps, and its validation batches."""
    train, held_out = loop.data.train_dataloader(), loop.data.val_dataloader()
    loop.net.train()
    batches = iter(train)
    loop.step(next(batches))  # makes Adam's state
    step = recorded(lambda: loop.step(next(batches)))
    loop.net.eval()
    scored = iter(held_out)
    score = recorded(lambda: loop.score(next(scored)))
    with torch.inference_mode():
        parts = len(train) * milliseconds(step, times), len(held_out) * milliseconds(score, 5)
    return sum(parts) / 1000


def seconds(run: Callable[[], Epoch]) -> float:
    """Returns the seconds of a contender's epoch."""
    return run().seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports, saving after each workload."""
    parser = measuring.new_parser(__doc__, "kernels", repeats=5)
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--workloads", nargs="+", choices=NETS, default=list(NETS), help="(all)")
    add("--times", type=int, default=100, help="replays of a step in each round (100)")
    add("--keras-python", metavar="PATH", help="a Python with Keras; else keras is left out")
    quick = {"repeats": 1, "times": 1, "workloads": ["dense"]}
    options = measuring.parse(parser, argv, quick)
    options.contenders, options.workers, options.steps = ("fit", "keras"), 0, 0
    report = Report("kernels", options)
    for name in options.workloads:
        loop = Loop(name, str(options.data_dir), options.dataset)
        compared: dict[str, Callable[[], float]] = {"kernels": partial(epoch, loop, options.times)}
        for other, run in contenders(options, name).items():
            compared[other] = partial(seconds, run)
        measured = measuring.alternate(compared, options.repeats)
        for other, values in measured.items():
            report.add(f"{name}: {other}", values, "s")
        report.ratio(f"{name}: kernels / fit", measured["kernels"], measured["fit"])
        if "keras" in measured:
            report.ratio(f"{name}: keras / kernels", measured["keras"], measured["kernels"])
        report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
