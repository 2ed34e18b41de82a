"""The scores of a test, and why one is not recorded."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from lit_mnist.reports.predictions import Predictions
from lit_mnist.reports.statistics import wilson_interval


def test_scores(labels: np.ndarray, predictions: np.ndarray, loss: float) -> dict[str, Any]:
    """Returns the scores of a test for `results.json`: accuracy with 95 % interval, loss, errors.

    Args:
        labels: int (N,).
        predictions: int (N,).
        loss: Mean loss over the N images, in nats.
    """
    errors, count = int((labels != predictions).sum()), len(labels)
    return {
        "test_acc": (count - errors) / count,  # not 1 - …, whose digits are rounded twice
        "test_acc_ci95": [round(limit, 6) for limit in wilson_interval(count - errors, count)],
        "test_loss": loss,
        "test_errors": errors,
        "test_images": count,
    }


def incomplete(predictions: Predictions, total: int) -> str:
    """Describes which of a test's images have no answer; empty if all have one.

    Args:
        predictions: Predictions for the images that were tested.
        total: Number of test images.
    """
    scored = len(predictions.labels)
    if scored < total:
        return f"only {scored:,} of {total:,} images were tested"
    unknown = int((~predictions.answered).sum())
    verb = "has" if unknown == 1 else "have"
    return f"{unknown:,} of {total:,} images {verb} no answer but NaN" if unknown else ""


def contradiction(scores: Mapping[str, Any], logged: Mapping[str, Tensor]) -> str:
    """Describes how a module's own test_acc differs from that of its predictions, if it does.

    Args:
        scores: As given by `test_scores`.
        logged: What was logged, by name.
    """
    own = float(logged.get("test_acc", math.nan))
    if math.isnan(own) or abs(own - scores["test_acc"]) < 0.5 / scores["test_images"]:
        return ""
    return (
        f"the module has logged test_acc {own:.4f}, but its predictions have"
        f" {scores['test_acc']:.4f} (return from test_step the probabilities that it scores, or"
        " log under another name)"
    )
