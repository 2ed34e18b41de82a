"""Confidence thresholds below which a model abstains, set on held-out images.

Test images only show the effect of temperature and thresholds; they choose neither.
"""

from typing import Any

import numpy as np

from lit_mnist.models.sureness import used_row
from lit_mnist.reports.calibration import Answers, fit_temperature, scores

# Numbers of errors that a threshold may leave among the held-out images, one per row of the table
ALLOWED_ERRORS = (0, 1, 3, 10, 30)
USED_ERROR_RATE = 1_000  # `predict` allows one error per this many held-out images


def threshold(held_out: Answers, errors: int) -> float:
    """Returns the confidence above which at most `errors` held-out images are misclassified.

    Images with a greater confidence are answered; 0 answers all.
    """
    wrong = np.sort(held_out.confidence[~held_out.right])[::-1]
    return float(wrong[errors]) if errors < len(wrong) else 0.0


def report(held_out: Answers, test: Answers) -> dict[str, Any]:
    """Returns the entry `calibration` of `results.json`.

    Args:
        held_out: Predictions of the tested weights for the validation images.
        test: Their predictions for the test images, on which nothing is fitted.
    """
    temperature, count = fit_temperature(held_out), len(held_out.labels)
    val_scaled, test_scaled = held_out.scaled(temperature), test.scaled(temperature)
    used = count // USED_ERROR_RATE
    rows = [_row(val_scaled, test_scaled, errors) for errors in sorted({*ALLOWED_ERRORS, used})]
    return {
        "val_images": count,
        "temperature": temperature,
        "val_errors_allowed": used,
        "threshold": threshold(val_scaled, used),
        "test": scores(test),
        "test_scaled": scores(test_scaled),
        "abstention": rows,
    }


def _row(held_out: Answers, test: Answers, errors: int) -> dict[str, Any]:
    """Applies the threshold for a number of errors to both sets."""
    limit = threshold(held_out, errors)
    row: dict[str, Any] = {"val_errors_allowed": errors, "threshold": limit}
    for name, answers in (("val", held_out), ("test", test)):
        answered = answers.confidence > limit
        row[f"{name}_coverage"] = float(answered.mean())
        row[f"{name}_answered"] = int(answered.sum())
        row[f"{name}_errors"] = int((answered & ~answers.right).sum())
    return row


def summary(facts: dict[str, Any]) -> str:
    """Summarises the entry in one line."""
    if "missing" in facts:
        return f"calibration is left blank: {facts['missing']}"
    row = used_row(facts)
    return (
        f"where it is surer than {row['threshold']:.6g} ({row['val_errors']} validation errors), it"
        f" answers {row['test_coverage']:.1%} of the test images with {row['test_errors']} errors;"
        f" temperature {facts['temperature']:.3f}"
    )
