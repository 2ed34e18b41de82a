"""Trains one system by the notebook's own recipe in Keras, to see what scores it gives today.

    PYTHON_WITH_KERAS benchmarks/keras_recipe.py deep --seed 42 --data-dir data

Needs what keras_notebook.py needs. The split, the augmentation, the plateau schedule, the number of
epochs and the use of the last epoch's weights are the notebook's. Writes the scores of each epoch,
as training goes on, and of the test at the end to results/keras_<workload>_<seed>.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Before Keras is imported: it sets what Keras runs on
from keras_notebook import AUGMENTED, BATCH_SIZE, compiled, deep, dense, generator, load, simple

SYSTEMS = {"dense": dense, "simple": simple, "simple_augmented": simple, "deep": deep}


class Written(keras.callbacks.Callback):
    """Writes the history after each epoch, so that a run can be looked at before it ends."""

    def __init__(self, target: Path, found: dict[str, Any]) -> None:
        super().__init__()
        self.target, self.found = target, found

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Adds a row."""
        row = {name: float(value) for name, value in (logs or {}).items()}
        self.found["epochs"].append({"epoch": epoch, **row})
        self.write()

    def write(self) -> None:
        """Writes what is known."""
        self.target.write_text(json.dumps(self.found, indent=2) + "\n")


def train(options: argparse.Namespace, written: Written) -> dict[str, float]:
    """Trains a system; gives the test's scores."""
    images, labels = load(options.data_dir / "MNIST/raw")
    order = np.random.RandomState(42).permutation(len(images))  # what train_test_split draws
    held_out, used = np.split(order, [-(-len(order) // 6)])
    net = compiled(SYSTEMS[options.workload]())
    slower = keras.callbacks.ReduceLROnPlateau(
        monitor="val_accuracy", patience=3, factor=0.5, min_lr=1e-5
    )
    source = {"x": images[used], "y": labels[used], "batch_size": BATCH_SIZE}
    if options.workload in AUGMENTED:
        flow = generator().flow(images[used], labels[used], batch_size=BATCH_SIZE)
        source = {"x": flow}
    net.fit(
        **source,
        epochs=options.epochs,
        validation_data=(images[held_out], labels[held_out]),
        callbacks=[slower, written] if options.workload == "deep" else [written],
        verbose=0,
    )
    scores = net.evaluate(*load(options.data_dir / "MNIST/raw", "t10k"), verbose=0)
    return dict(zip(("loss", "accuracy"), map(float, scores), strict=True))


def main() -> None:
    """Trains what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("workload", choices=SYSTEMS)
    add("--data-dir", type=Path, default=Path("data"), help="as for fit (data)")
    add("--epochs", type=int, default=30, help="(30, the deep system's)")
    add("--seed", type=int, default=42, help="(42)")
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    found: dict[str, Any] = {
        "workload": options.workload,
        "seed": options.seed,
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        "epochs": [],
    }
    name = f"keras_{options.workload}_{options.seed}.json"
    written = Written(Path(__file__).parents[1] / "results" / name, found)
    found["test"] = train(options, written)
    written.write()
    print(json.dumps(found["test"]))


if __name__ == "__main__":
    main()
