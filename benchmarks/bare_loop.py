"""A workload as a bare PyTorch loop: the data path, net and settings of `fit`, without Lightning.

    python benchmarks/bare_loop.py deep --data-dir data

Prints the seconds of each epoch as JSON: the training steps, summing the loss and the correct
answers, and a pass over the 10,000 held-out images. epochs.py runs it; the time that `fit` takes
beyond it is the framework's overhead.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import measuring  # first, as it puts this clone on the path
import torch
from settings import Settings, as_fit_does
from torch import Tensor, nn
from torch.nn import functional as F

from lit_mnist.data.batches import Batch
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.models.nets import DeepConv, Dense, SimpleConv

NETS: dict[str, type[nn.Module]] = {
    "dense": Dense,
    "simple": SimpleConv,
    "simple_augmented": SimpleConv,
    "deep": DeepConv,
}
AUGMENTED = ("simple_augmented", "deep")


class Loop:
    """A net, its optimiser and the data.

    Args:
        workload: One of NETS.
        data_dir: Where the images lie.
        dataset: Of MNIST's family.
    """

    def __init__(self, workload: str, data_dir: str, dataset: Any) -> None:
        self.settings: Settings = as_fit_does()
        self.net = self.settings.place(NETS[workload]())
        self.optimizer = torch.optim.Adam(self.net.parameters(), eps=1e-7, fused=True)
        self.data = MNISTDataModule(
            data_dir, dataset, augment=workload in AUGMENTED, download=False
        )
        self.data.setup("fit")

    def epoch(self) -> None:
        """Trains on every image once, then scores the held-out ones."""
        self.train()
        self.validate()

    def train(self) -> None:
        """Trains on every image once."""
        self.net.train()
        loss, correct = torch.tensor(0.0), torch.tensor(0)
        for raw in self.data.train_dataloader():
            total, hits = self.step(raw)
            loss += total
            correct += hits
        _ = loss.item(), correct.item()

    def step(self, raw: Batch) -> tuple[Tensor, Tensor]:
        """Trains on a batch; returns the sum of its losses, and the number of right answers."""
        batch = self.data.on_after_batch_transfer(raw, 0)
        with self.settings.autocast():
            logits = self.net(self.settings.place_images(batch.images))
            total = F.cross_entropy(logits, batch.labels, reduction="sum")
        self.optimizer.zero_grad()
        (total / batch.loss_divisor).backward()
        self.optimizer.step()
        return total.detach(), correct_answers(logits, batch)

    @torch.inference_mode()
    def validate(self) -> None:
        """Scores the held-out images."""
        self.net.eval()
        loss, correct = torch.tensor(0.0), torch.tensor(0)
        for raw in self.data.val_dataloader():
            total, hits = self.score(raw)
            loss += total
            correct += hits
        _ = loss.item(), correct.item()

    @torch.inference_mode()
    def score(self, raw: Batch) -> tuple[Tensor, Tensor]:
        """Scores a batch in float32, as `fit` does; returns the same two sums."""
        batch = self.data.on_after_batch_transfer(raw, 0)
        logits = self.net(self.settings.place_images(batch.images))
        total = F.cross_entropy(logits, batch.labels, reduction="sum")
        return total, correct_answers(logits, batch)


def correct_answers(logits: Tensor, batch: Batch) -> Tensor:
    """Counts the right answers of logits (B, 10)."""
    return (logits.argmax(dim=1) == batch.labels).sum()


def main() -> None:
    """Times two epochs; the second is the one that counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workload", choices=NETS)
    parser.add_argument("--epochs", type=int, default=2, help="(2)")
    measuring.add_data_options(parser)
    options = parser.parse_args()
    loop = Loop(options.workload, str(Path(options.data_dir)), options.dataset)
    seconds = []
    for _ in range(options.epochs):
        began = time.perf_counter()
        loop.epoch()
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
