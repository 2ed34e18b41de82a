"""The dense net's epoch of training, written by hand in few operators, in float32.

    python benchmarks/by_hand.py --data-dir data

Without modules, autograd, Lightning or scores, and with all weights in one tensor, so that Adam is
one kernel. What it takes beyond its matrix products is the cost of calling PyTorch's operators one
by one, which `fit` cannot avoid either. Measures it, alternately, with the bare loop's training
(bare_loop.py) and the matrix products alone (budget_limit.py).
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence

import measuring  # first, as it puts this clone on the path
import torch
from bare_loop import Loop
from budget_limit import limit
from report import Report
from torch import Tensor, nn

from lit_mnist.data.batches import Batch
from lit_mnist.models.layers import Dropout


class Adam:
    """Adam on one tensor that holds all weights, and one that holds all gradients.

    Args:
        weights: Of the net; they become views of the one tensor.
    """

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        self.flat = torch.cat([weight.detach().flatten() for weight in weights])
        self.gradients, self.first, self.second = (torch.zeros_like(self.flat) for _ in range(3))
        self.steps = torch.tensor(0.0)
        shapes = [weight.shape for weight in weights]
        self.weights = _views(self.flat, shapes)
        self.gradient_views = _views(self.gradients, shapes)

    def step(self) -> None:
        """Takes a step, as `torch.optim.Adam(eps=1e-7, fused=True)` does."""
        self.steps.add_(1)
        torch._fused_adam_(
            [self.flat],
            [self.gradients],
            [self.first],
            [self.second],
            [],
            [self.steps],
            lr=1e-3,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-7,
            amsgrad=False,
            maximize=False,
        )


@torch.no_grad()
def step(images: Tensor, labels: Tensor, masks: Sequence[Tensor], adam: Adam) -> None:
    """Trains the dense net on images (B, 1, 28, 28), with the scaled masks of its two dropouts."""
    w1, b1, w2, b2, w3, b3 = adam.weights
    dw1, db1, dw2, db2, dw3, db3 = adam.gradient_views
    x, rows = images.flatten(1), torch.arange(len(images))
    h1 = torch.addmm(b1, x, w1.T).relu_().mul_(masks[0])
    h2 = torch.addmm(b2, h1, w2.T).relu_().mul_(masks[1])
    g = torch.addmm(b3, h2, w3.T).softmax(1)
    g[rows, labels] -= 1  # the gradient of cross-entropy
    g.div_(len(x))
    for outputs, weight, mask, dw, db in (
        (h2, w3, masks[1], dw3, db3),
        (h1, w2, masks[0], dw2, db2),
    ):
        torch.mm(g.T, outputs, out=dw)
        torch.sum(g, 0, out=db)
        g = torch.ops.aten.threshold_backward(g.mm(weight), outputs, 0).mul_(mask)
    torch.mm(g.T, x, out=dw1)
    torch.sum(g, 0, out=db1)
    adam.step()


def epoch(loop: Loop, adam: Adam) -> None:
    """Trains on every image once."""
    assert isinstance(loop.net, nn.Sequential)
    dropouts = [layer for layer in loop.net if isinstance(layer, Dropout)]
    units = [layer.out_features for layer in loop.net if isinstance(layer, nn.Linear)]
    for raw in loop.data.train_dataloader():
        batch: Batch = loop.data.on_after_batch_transfer(raw, 0)
        sizes = [torch.empty(len(batch.images), size) for size in units[:-1]]
        masks = [layer._mask(size) for layer, size in zip(dropouts, sizes, strict=True)]
        step(batch.images, batch.labels, masks, adam)


def _views(flat: Tensor, shapes: Iterable[torch.Size]) -> list[Tensor]:
    sizes = [shape.numel() for shape in shapes]
    return [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    parser = measuring.new_parser(__doc__, "by_hand", repeats=7)
    measuring.add_data_options(parser)
    parser.add_argument("--times", type=int, default=200, help="runs of each kernel a round (200)")
    options = measuring.parse(parser, argv, quick={"repeats": 1, "times": 2})
    loop = Loop("dense", str(options.data_dir), options.dataset)
    loop.settings = loop.settings._replace(bf16=False)
    adam = Adam(list(loop.net.parameters()))
    measured = measuring.alternate(
        {
            "by hand": lambda: _seconds(lambda: epoch(loop, adam)),
            "bare": lambda: _seconds(loop.train),
            "limit": lambda: limit("dense", loop.data, loop.settings, options.times)[
                "matrix products"
            ],
        },
        options.repeats,
    )
    report = Report("by_hand", options)
    for name, values in measured.items():
        report.add(name, values, "s")
    report.ratio("by hand / bare", measured["by hand"], measured["bare"])
    report.ratio("fraction of the limit", measured["limit"], measured["by hand"])
    report.save(precision="32-true")
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
