"""Fits the detector of images that are no digit when a run is tested; `predict` uses it."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer

from lit_mnist import trainers
from lit_mnist.data import module_hook
from lit_mnist.data.as_batch import UNKNOWN
from lit_mnist.data.batches import Batch
from lit_mnist.data.datasets import class_names
from lit_mnist.models import novelty
from lit_mnist.models.ensemble import held_out_by
from lit_mnist.models.features import Features
from lit_mnist.pictures import letters
from lit_mnist.reports.predictions import Predictions

BATCH = 500  # letters per forward pass


def fit(
    held_out: Predictions | None,
    missing: str,
    trainer: Trainer,
    module: LightningModule,
    features: Features,
) -> tuple[dict[str, Any], novelty.Novelty | None]:
    """Fits the detector to held-out images and to letters.

    Args:
        held_out: Predictions and features of the held-out images; None if these are not on disk.
        missing: Why `held_out` is None.
        trainer: The trainer that tests the module.
        module: The module with the weights, as its hooks have left it for the test images.
        features: Captures the features of the module's nets.

    Returns:
        The entry `novelty` of `results.json`, and the detector; None if there can be none.
    """
    if class_names(trainers.data_module(trainer).dataset) is not None:
        return {"missing": "the classes are no digits"}, None
    if held_out is None:
        return {"missing": missing}, None
    known = novelty.HeldOut(
        features=held_out.features.numpy(),
        labels=held_out.labels.numpy(),
        by=held_out_by(module, held_out.indices).numpy(),
    )
    if obstacle := novelty.obstacle(known, features.widths):
        return {"missing": obstacle}, None
    drawn = letters.draw_all()
    shown = show(trainer, module, drawn.images, features)
    rule = novelty.Novelty.fit(known, features.widths, shown, drawn.labels)
    facts = {
        "features": features.widths,
        "letters": len(drawn.labels),
        "threshold": rule.threshold,
        "val_known": novelty.KNOWN,
    }
    return facts, rule


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
