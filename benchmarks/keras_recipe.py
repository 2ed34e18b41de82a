"""Trains the deep system by the notebook's own recipe in Keras, to measure its scores today.

    PYTHON_WITH_KERAS benchmarks/keras_recipe.py --seed 42 --data-dir data

Needs the packages of keras_notebook.py. Split, augmentation, plateau schedule, number of epochs and
the use of the last epoch's weights are the notebook's. Writes the scores of each epoch during
training, and the test scores at the end, to results/keras_deep_<seed>.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras_notebook as notebook  # which sets what Keras runs on, before it imports it
import numpy as np
from keras_notebook import keras


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


def train(folder: Path, epochs: int, written: Written) -> dict[str, float]:
    """Trains on the files of a folder; returns the test's loss, in nats, and accuracy."""
    images, labels = notebook.load(folder)
    order = np.random.RandomState(42).permutation(len(images))  # what train_test_split draws
    held_out, used = np.split(order, [-(-len(order) // 6)])
    net = notebook.compiled(notebook.deep())
    slower = keras.callbacks.ReduceLROnPlateau(
        monitor="val_accuracy", patience=3, factor=0.5, min_lr=1e-5
    )
    net.fit(
        notebook.generator().flow(images[used], labels[used], batch_size=notebook.BATCH_SIZE),
        epochs=epochs,
        validation_data=(images[held_out], labels[held_out]),
        callbacks=[slower, written],
        verbose=0,
    )
    scores = net.evaluate(*notebook.load(folder, "t10k"), verbose=0)
    return dict(zip(("loss", "accuracy"), map(float, scores), strict=True))


def main() -> None:
    """Trains and tests one network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="as for fit (data)")
    parser.add_argument("--epochs", type=int, default=30, help="(30)")
    parser.add_argument("--seed", type=int, default=42, help="(42)")
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    versions = {"keras": keras.__version__, "tensorflow": notebook.tf.__version__}
    found: dict[str, Any] = {"seed": options.seed, "versions": versions, "epochs": []}
    results = Path(__file__).parents[1] / "results"
    written = Written(results / f"keras_deep_{options.seed}.json", found)
    found["test"] = train(options.data_dir / "MNIST/raw", options.epochs, written)
    written.write()
    print(json.dumps(found["test"]))


if __name__ == "__main__":
    main()
