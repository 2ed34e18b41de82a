"""Published points of accuracy and training time, and those of this project's other systems."""

import json
from typing import NamedTuple

import measuring


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
    """Reads the notebook's systems as measured by `reproduce`; seconds of all their runs."""
    path = measuring.ROOT / "results" / "tutorial.json"
    return [
        Point(row["title"], row["seconds"], row["ours"]["test_acc"], ", ".join(row["hardware"]))
        for row in json.loads(path.read_text()).values()
    ]
