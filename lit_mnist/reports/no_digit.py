"""Fits the detector of images that are no digit when a run is tested; `predict` uses it."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer

from lit_mnist.data import module_hook
from lit_mnist.data.as_batch import UNKNOWN
from lit_mnist.data.batches import Batch
from lit_mnist.models import novelty, novelty_file
from lit_mnist.models.ensemble import held_out_by
from lit_mnist.models.features import Features
from lit_mnist.pictures import letters
from lit_mnist.reports.predictions import Predictions
from lit_mnist.runs.folder import Run

BATCH = 500  # letters per forward pass


def fit(
    run: Run,
    weights_sha256: str,
    held_out: Predictions,
    trainer: Trainer,
    module: LightningModule,
    features: Features,
) -> dict[str, Any]:
    """Fits the detector to held-out images and to letters, and saves it in the run's folder.

    Args:
        run: The folder.
        weights_sha256: Hash of the weights.
        held_out: Predictions and features of the held-out images.
        trainer: The trainer that tests the module.
        module: The module with the weights, as its hooks have left it for the test images.
        features: Captures the features of the module's nets.

    Returns:
        The entry `novelty` of `results.json`.
    """
    known = novelty.HeldOut(
        features=held_out.features.numpy(),
        labels=held_out.labels.numpy(),
        by=held_out_by(module, held_out.indices).numpy(),
    )
    if missing := novelty.obstacle(known, features.widths):
        run.novelty.unlink(missing_ok=True)
        return {"missing": missing}
    drawn = letters.draw_all()
    shown = show(trainer, module, drawn.images, features)
    rule = novelty.Novelty.fit(known, features.widths, shown, drawn.labels)
    novelty_file.save(rule, weights_sha256, run.novelty)
    return {
        "features": features.widths,
        "letters": len(drawn.labels),
        "threshold": rule.threshold,
        "val_known": novelty.KNOWN,
    }


def show(
    trainer: Trainer, module: LightningModule, images: np.ndarray, features: Features
) -> np.ndarray:
    """Returns the features of all nets, float32 (N, F), for images, uint8 (N, 28, 28).

    They are evaluated as the trainer's own images are: modules may normalise them in hooks.
    """
    with torch.inference_mode():
        for part in torch.from_numpy(images).split(BATCH):
            unknown = torch.full((len(part),), UNKNOWN)
            batch = Batch(part, unknown, unknown, len(part))
            module.evaluate(module_hook.transferred(trainer, batch))  # type: ignore[operator] # Lightning hands on the base class
    return features.take(len(images)).numpy()
