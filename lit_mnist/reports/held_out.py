"""Predictions of the tested weights for the held-out training images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from lit_mnist import trainers
from lit_mnist.data import module_hook
from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.models import evaluation_hooks
from lit_mnist.models.averaging import combine
from lit_mnist.models.ensemble import EnsembleModule, held_out_by
from lit_mnist.models.features import Features
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.reports.predictions import Collector, Predictions
from lit_mnist.runs import checkpoints
from lit_mnist.runs.trained_on import fingerprint_of

OWN_KEYS = ("data_sha256", "split_sha256")  # of a fingerprint; they identify the images


def predict(
    trainer: Trainer, module: LightningModule, paths: Sequence[Path], features: Features
) -> tuple[Predictions | None, str]:
    """Scores the held-out images at the end of a test; every rank must call it.

    The module must be as its hooks have left it for the test images. It is a plain loop, as another
    pass of the trainer would log scores under the test's names. Nothing is downloaded for it.

    Args:
        trainer: The trainer that has just tested the module.
        module: The module with the tested weights.
        paths: The checkpoints of the weights.
        features: Captures the features of the module's nets, which the predictions include.

    Returns:
        The predictions or None, and the reason if they are None; empty otherwise.
    """
    reason = _obstacle(trainer, module, paths)
    if not trainer.strategy.reduce_boolean_decision(not reason, all=True):
        return None, reason or "another process cannot read the training images"
    data = trainers.data_module(trainer)
    keeper = Collector()
    with torch.inference_mode():
        for batch in data.val_dataloader():
            scaled = module_hook.transferred(trainer, batch)
            probabilities, by_member = _answer(module, scaled, by_all=not data.partition.whole)
            by = held_out_by(module, batch.indices)
            held_out_features = features.take(len(by), by)
            keeper.collect(scaled, probabilities, by_member, features=held_out_features)
    predictions = keeper.gathered(trainer)
    if not predictions.answered.all():
        return None, "a held-out image has no answer but NaN"
    return predictions, ""


def _answer(module: Any, batch: Batch, *, by_all: bool) -> tuple[Tensor, Tensor | None]:
    """Returns probabilities (B, 10) and, if all members held the images out, those of members.

    Args:
        module: The module with the tested weights.
        batch: Held-out images.
        by_all: Whether all members held them out of training, rather than only some.

    Returns:
        The committee's probabilities, and the members' log-probabilities (B, M, 10) or None.
    """
    if not (by_all and isinstance(module, EnsembleModule)):
        return module.evaluate_held_out(batch).softmax(dim=1), None
    with torch.autocast(module.device.type, enabled=False):
        members = module.log_probs(batch.images)
    return combine(members, module.average).softmax(dim=1), members.transpose(0, 1)


def _obstacle(trainer: Trainer, module: LightningModule, paths: Sequence[Path]) -> str:
    """Returns the reason why the held-out images cannot be scored; empty if they can."""
    if trainer.limit_val_batches == 0:
        return "--trainer.limit_val_batches 0 leaves out validation"
    if type(module).test_step not in (ScoredModule.test_step, EnsembleModule.test_step):
        return f"{type(module).__name__} has a test_step of its own, made for test images"
    if evaluation_hooks.own(type(module), ("on_test_batch_start",)):
        return (
            f"{type(module).__name__} has an on_test_batch_start of its own, made for test images"
        )
    fingerprints = [fingerprint_of(checkpoints.read(path)) for path in paths]
    if not all(key in trained_on for trained_on in fingerprints for key in OWN_KEYS):
        return "a checkpoint does not record which images were held out of its training"
    data = trainers.data_module(trainer)
    apart = any(fingerprints[0][key] != other[key] for other in fingerprints for key in OWN_KEYS)
    if apart and not data.partition.whole:
        return "the members held different images out of training; name their --data.folds"
    return _load(data, fingerprints)


def _load(data: Any, fingerprints: Sequence[dict[str, Any]]) -> str:
    """Loads the training images from disk; returns what is wrong with them, empty if nothing."""
    allowed, data.download = data.download, False
    try:
        data.setup("validate")
    except UserError:
        return "the training images, a part of which validates, are not at hand"
    finally:
        data.download = allowed
    try:
        for trained_on in fingerprints:
            data.load_state_dict(trained_on)
    except UserError:
        return "these weights were trained with another --data.split_seed or on other images"
    return ""
