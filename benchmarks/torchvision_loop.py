"""A workload as most tutorials write it: torchvision's dataset and transforms, a DataLoader.

    python benchmarks/torchvision_loop.py simple_augmented --data-dir data

Nothing is tuned: PyTorch's own layers, initialisation and Adam, one PIL image at a time. Images,
batch size and validation are those of `fit`; the notebook's two zooms are one here, as RandomAffine
has only one. Prints the seconds of each epoch as JSON. epochs.py runs it.
"""

import argparse
import json
import time
from typing import Any

import measuring  # first, as it puts this clone on the path
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

BATCH_SIZE = 86
WORKLOADS = ("dense", "simple", "simple_augmented", "deep")
AUGMENTED = ("simple_augmented", "deep")


def dense() -> nn.Module:
    """System 1."""
    hidden = [nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(
        nn.Flatten(), *hidden, nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 10)
    )


def simple() -> nn.Module:
    """Systems 2 to 5."""
    maps = [*_conv(1, 10, 5), *_conv(10, 10, 5), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*maps, nn.Linear(1960, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))


def deep() -> nn.Module:
    """System 6."""
    large = [*_conv(1, 32, 5), *_conv(32, 32, 5), nn.MaxPool2d(2), nn.Dropout(0.25)]
    small = [*_conv(32, 64, 3), *_conv(64, 64, 3), nn.MaxPool2d(2), nn.Flatten()]
    top = [nn.Linear(3136, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 10)]
    return nn.Sequential(*large, *small, *top)


def _conv(inputs: int, outputs: int, side: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, side, padding="same"), nn.ReLU()


def loaders(options: argparse.Namespace) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Returns the loaders for training and for validation."""
    augment = options.workload in AUGMENTED
    affine = transforms.RandomAffine(
        10,
        translate=(0.1, 0.1),
        scale=(0.9, 1.1),
        interpolation=transforms.InterpolationMode.BILINEAR,
    )
    change = transforms.Compose([*([affine] if augment else []), transforms.ToTensor()])
    source = getattr(datasets, options.dataset)
    images = source(options.data_dir, transform=change)
    held_out = source(options.data_dir, transform=transforms.ToTensor())
    order = np.random.RandomState(42).permutation(len(images))
    count = -(-len(order) // 6)
    return (
        DataLoader(
            Subset(images, order[count:].tolist()),
            batch_size=BATCH_SIZE,
            shuffle=True,
            drop_last=augment,
            num_workers=options.workers,
        ),
        DataLoader(
            Subset(held_out, order[:count].tolist()), batch_size=1000, num_workers=options.workers
        ),
    )


def train(net: nn.Module, optimizer: torch.optim.Optimizer, loader: Any, steps: int) -> float:
    """Takes a number of steps; returns the seconds of an epoch at this speed."""
    began, taken, loss, correct = time.perf_counter(), 0, 0.0, 0
    net.train()
    for images, labels in loader:
        optimizer.zero_grad()
        logits = net(images)
        mean = F.cross_entropy(logits, labels)
        mean.backward()
        optimizer.step()
        loss += mean.item()
        correct += int((logits.argmax(dim=1) == labels).sum())
        taken += 1
        if taken == steps:
            break
    return (time.perf_counter() - began) * len(loader) / taken


def validate(net: nn.Module, loader: Any) -> float:
    """Scores the held-out images; returns the seconds."""
    began, loss, correct = time.perf_counter(), 0.0, 0
    net.eval()
    with torch.no_grad():
        for images, labels in loader:
            logits = net(images)
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            correct += int((logits.argmax(dim=1) == labels).sum())
    return time.perf_counter() - began


def main() -> None:
    """Times two epochs; the second is the one that counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("workload", choices=WORKLOADS)
    add("--epochs", type=int, default=2, help="(2)")
    add("--workers", type=int, default=0, help="of the DataLoaders (0)")
    add("--steps", type=int, default=0, help="steps per epoch, scaled to all (0: all)")
    measuring.add_data_options(parser)
    options = parser.parse_args()
    net = {"dense": dense, "deep": deep}.get(options.workload, simple)()
    optimizer = torch.optim.Adam(net.parameters())
    training, held_out = loaders(options)
    seconds = [
        train(net, optimizer, training, options.steps) + validate(net, held_out)
        for _ in range(options.epochs)
    ]
    scaled = {"timed_steps": options.steps} if options.steps else {}
    print(json.dumps({"seconds": seconds} | scaled))


if __name__ == "__main__":
    main()
