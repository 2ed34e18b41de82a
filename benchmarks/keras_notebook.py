"""A workload in the notebook's own Keras code, and the throughput of its augmentation.

    PYTHON_WITH_KERAS benchmarks/keras_notebook.py deep --data-dir data
    PYTHON_WITH_KERAS benchmarks/keras_notebook.py augmentation

Needs TensorFlow, Keras 3 and SciPy, and nothing of this program. Prints, as JSON, the seconds of
each epoch with its validation, or the images per second. epochs.py and augmentation.py run it.

One thing differs from the notebook: `steps_per_epoch=581` is left out, because with it Keras 3 ends
the second epoch after one batch; an augmented epoch here has 582 steps instead of 581.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

# Before Keras is imported; what it is compared with runs on the CPU too
os.environ |= {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.legacy.preprocessing.image import ImageDataGenerator

BATCH_SIZE = 86
WORKLOADS = ("dense", "simple", "simple_augmented", "deep", "augmentation")
AUGMENTED = ("simple_augmented", "deep")


def dense() -> list[Any]:
    """System 1."""
    hidden = [layers.Dense(512, "relu"), layers.Dropout(0.2), layers.Dense(256, "relu")]
    return [layers.Flatten(), *hidden, layers.Dropout(0.2)]


def simple() -> list[Any]:
    """Systems 2 to 5."""
    maps = [_conv(10, 5), _conv(10, 5), layers.MaxPooling2D(), layers.Flatten()]
    return [*maps, layers.Dense(64, "relu"), layers.Dropout(0.2)]


def deep() -> list[Any]:
    """System 6."""
    large = [_conv(32, 5), _conv(32, 5), layers.MaxPooling2D(), layers.Dropout(0.25)]
    small = [_conv(64, 3), _conv(64, 3), layers.MaxPooling2D(), layers.Flatten()]
    return [*large, *small, layers.Dense(256, "relu"), layers.Dropout(0.2)]


def _conv(maps: int, side: int) -> Any:
    return layers.Conv2D(maps, side, padding="same", activation="relu")


def compiled(hidden: list[Any]) -> Any:
    """Returns the model, ready to train; Adam as Keras sets it."""
    net = keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Dense(10, "softmax")])
    net.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return net


def generator() -> Any:
    """The notebook's augmentation."""
    return ImageDataGenerator(
        rotation_range=10, zoom_range=0.1, width_shift_range=0.1, height_shift_range=0.1
    )


def load(folder: Path, part: str = "train") -> tuple[Any, Any]:
    """Reads "train" or "t10k": float (N, 28, 28, 1) in [0, 1] and one-hot (N, 10)."""
    raw = np.fromfile(folder / f"{part}-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(folder / f"{part}-labels-idx1-ubyte", np.uint8, offset=8)
    images = raw.reshape(-1, 28, 28, 1).astype("float32") / 255
    return images, keras.utils.to_categorical(labels, 10)


class Clock(keras.callbacks.Callback):
    """Takes the seconds of each epoch, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops it; Keras has validated by now."""
        self.seconds.append(time.perf_counter() - self.began)


def train(options: argparse.Namespace) -> list[float]:
    """Returns the seconds of each epoch of a workload."""
    images, labels = load(options.data_dir / options.dataset / "raw")
    order = np.random.RandomState(42).permutation(len(images))  # what train_test_split draws
    held_out, used = np.split(order, [-(-len(order) // 6)])
    net = compiled({"dense": dense, "deep": deep}.get(options.workload, simple)())
    clock = Clock()
    common = {
        "epochs": options.epochs,
        "validation_data": (images[held_out], labels[held_out]),
        "callbacks": [clock],
        "verbose": 0,
    }
    if options.workload in AUGMENTED:
        flow = generator().flow(images[used], labels[used], batch_size=BATCH_SIZE)
        net.fit(flow, **common)
    else:
        net.fit(images[used], labels[used], batch_size=BATCH_SIZE, **common)
    return clock.seconds


def throughput(batches: int) -> float:
    """Returns the images per second of the augmentation alone, in one process without workers."""
    images = np.random.default_rng(0).random((BATCH_SIZE * batches, 28, 28, 1), np.float32)
    flow = generator().flow(images, np.zeros(len(images)), batch_size=BATCH_SIZE)
    flow[0]
    began = time.perf_counter()
    for number in range(batches):
        flow[number]
    return len(images) / (time.perf_counter() - began)


def main() -> None:
    """Measures what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("workload", choices=WORKLOADS)
    add("--data-dir", type=Path, default=Path("data"), help="as for fit (data)")
    add("--dataset", default="MNIST", help="(MNIST)")
    add("--epochs", type=int, default=2, help="(2)")
    add("--batches", type=int, default=100, help="of 86 images, for augmentation (100)")
    options = parser.parse_args()
    found: dict[str, Any] = {"versions": {"keras": keras.__version__, "tensorflow": tf.__version__}}
    if options.workload == "augmentation":
        found["images_per_second"] = throughput(options.batches)
    else:
        found["seconds"] = train(options)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
