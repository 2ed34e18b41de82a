"""Published points of accuracy and training time, and those of this project's other systems."""

import json
from typing import NamedTuple

import measuring  # first, as it puts this clone on the path

from lit_mnist.reports.notebook import SYSTEMS


class Point(NamedTuple):
    """Test accuracy reached after a number of seconds of training."""

    name: str
    seconds: float
    test_acc: float
    source: str  # with the hardware


# Trained on 60,000 images (the last on 54,000), and chosen by other rules than ours
PUBLISHED = (
    Point("train_mnist_fast", 0.762, 0.99041, "GTX 1660 Ti, n = 30; tuomaso/train_mnist_fast"),
    Point("pytorch/examples", 172, 0.99185, "GTX 1660 Ti, 14 epochs; the same README's first step"),
    Point("Keras mnist_cnn", 192, 0.9925, "GRID K520, 12 epochs; docstring of the example"),
    Point("tiny-dnn", 680, 0.9956, "i7-6700, 4 cores, 30 epochs; tiny-dnn issue 883"),
    Point("committee of 15", 4 * 3600, 0.99745, "K80, n = 100; cdeotte/MNIST-CNN-99.75"),
)


def systems() -> list[Point]:
    """Reads the notebook's systems as measured by `reproduce`.

    A single net's point is the mean of its runs; a committee's seconds are those of all members.
    """
    path = measuring.ROOT / "results" / "tutorial.json"
    rows = json.loads(path.read_text())
    points = []
    for system in (one for one in SYSTEMS if one.name in rows):
        row = rows[system.name]
        single = system.members == 1
        accuracy = row["mean_acc"] if single else row["ours"]["test_acc"]
        seconds = row["seconds"] / (len(row["runs"]) if single else 1)
        points.append(Point(row["title"], seconds, accuracy, ", ".join(row["hardware"])))
    return points
