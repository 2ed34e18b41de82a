"""Fits the detector of images that are no digit when a run is tested; `predict` uses it."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule

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
    module: LightningModule,
    features: Features,
) -> dict[str, Any]:
    """Fits the detector to held-out images and to letters, and saves it in the run's folder.

    Args:
        run: The folder.
        weights_sha256: Hash of the weights.
        held_out: Predictions and features of the held-out images.
        module: The module with the weights and a trainer.
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
    shown = show(module, drawn.images, features)
    rule = novelty.Novelty.fit(known, features.widths, shown, drawn.labels)
    novelty_file.save(rule, weights_sha256, run.novelty)
    return {
        "features": features.widths,
        "letters": len(drawn.labels),
        "threshold": rule.threshold,
        "val_known": novelty.KNOWN,
    }


def show(module: LightningModule, images: np.ndarray, features: Features) -> np.ndarray:
    """Returns the features of all nets, float32 (N, F), for images, uint8 (N, 28, 28)."""
    inputs = torch.from_numpy(images).unsqueeze(1)
    with torch.inference_mode(), torch.autocast(module.device.type, enabled=False):
        for batch in inputs.split(BATCH):
            module(batch.to(module.device).float() / 255)
    return features.take(len(inputs)).numpy()
