"""The time of a training step by operator, for a straight port and for this program.

    python benchmarks/operators.py

Profiles steps of each net as in steps.py: `plain` is a straight port (contiguous float32, PyTorch's
dropout, ReLU before pooling, Adam that is not fused), `fit` is this program. Uses one thread, so
that an operator's time does not include waiting for others.
"""

import itertools
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial

import measuring  # first, as it puts this clone on the path
import torch
from report import Report
from settings import Settings, as_fit_does
from steps import NETS, Stepper, with_torchs_dropout
from torch import nn
from torch.profiler import ProfilerActivity, profile

# By group, how the names of its operators begin; what is in no group is `the rest`
GROUPS = {
    "convolutions": ("aten::mkldnn_convolution", "aten::convolution_backward"),
    "pooling": ("aten::max_pool2d",),
    "linear layers": ("aten::addmm", "aten::mm", "aten::linear"),
    "ReLU": ("aten::clamp_min", "aten::relu", "aten::threshold_backward"),
    "random numbers": ("aten::bernoulli_", "aten::random_"),
    "copies and casts": ("aten::copy_", "aten::_to_copy"),
    "zeros": ("aten::fill_", "aten::zero_"),
    "optimiser": ("aten::_fused_adam", "aten::_foreach", "Optimizer.step"),
}
REST = "the rest"


def plain(net: nn.Sequential) -> nn.Sequential:
    """Returns the net with PyTorch's dropout, and each ReLU before the pool that it follows."""
    layers = list(with_torchs_dropout(net))
    for place, (first, second) in enumerate(itertools.pairwise(layers)):
        if isinstance(first, nn.MaxPool2d) and isinstance(second, nn.ReLU):
            layers[place : place + 2] = [second, first]
    return nn.Sequential(*layers)


def group(operator: str) -> str:
    """Returns the group of an operator."""
    named = (name for name, begins in GROUPS.items() if operator.startswith(begins))
    return next(named, REST)


def prepared(name: str, port: str, batch_size: int) -> Stepper:
    """Returns a net and its optimiser: `plain`, or as `fit` trains it."""
    net = NETS[name]()
    if port == "fit":
        return Stepper(net, as_fit_does(), batch_size, steps=1)
    stepper = Stepper(plain(net), Settings(), batch_size, steps=1)
    stepper.optimizer = torch.optim.Adam(stepper.net.parameters(), eps=1e-7)
    return stepper


def milliseconds(stepper: Stepper, steps: int) -> Counter[str]:
    """Profiles steps after a warm-up, and returns the milliseconds of a step by group."""
    stepper()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(steps):
            stepper.step()
    spent: Counter[str] = Counter()
    for event in profiler.key_averages():
        spent[group(event.key)] += event.self_cpu_time_total / steps / 1000
    return spent


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    parser = measuring.new_parser(__doc__, "operators", repeats=5)
    add = parser.add_argument
    add("--nets", nargs="+", choices=NETS, default=list(NETS), help="(all)")
    add("--batch-size", type=int, default=86, help="(86)")
    add("--steps", type=int, default=20, help="profiled in each round (20)")
    options = measuring.parse(parser, argv, quick={"repeats": 2, "steps": 1, "batch_size": 8})
    report, threads = Report("operators", options), torch.get_num_threads()
    torch.set_num_threads(1)
    for name in options.nets:
        steppers = {port: prepared(name, port, options.batch_size) for port in ("plain", "fit")}
        ports = {
            port: partial(milliseconds, stepper, options.steps)
            for port, stepper in steppers.items()
        }
        for port, rounds in measuring.alternate(ports, options.repeats).items():
            report.add(f"{name}, {port}: a step", [sum(spent.values()) for spent in rounds], "ms")
            for part in (*GROUPS, REST):
                if all(spent[part] for spent in rounds):
                    report.add(f"{name}, {port}: {part}", [spent[part] for spent in rounds], "ms")
        report.save()
    torch.set_num_threads(threads)
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
