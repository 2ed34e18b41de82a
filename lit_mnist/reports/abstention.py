"""What a model answers if it may be unsure: thresholds from the held-out images alone.

The test images only show what becomes of temperature and thresholds; they choose neither.
"""

from typing import Any

import numpy as np

from lit_mnist.models.sureness import used_row
from lit_mnist.reports.calibration import Answers, fit_temperature, scores

# Errors that a threshold may leave among the held-out images, each a row of the table
ALLOWED_ERRORS = (0, 1, 3, 10, 30)
USED_ERROR_RATE = 1_000  # `predict` answers where one in so many held-out images may be wrong


def threshold(held_out: Answers, errors: int) -> float:
    """Gives the confidence above which at most so many of the held-out images are misclassified.

    An image is answered if its confidence is greater. 0 answers them all.
    """
    wrong = np.sort(held_out.confidence[~held_out.right])[::-1]
    return float(wrong[errors]) if errors < len(wrong) else 0.0


def report(held_out: Answers, test: Answers) -> dict[str, Any]:
    """Gives what `results.json` says under `calibration`.

    Args:
        held_out: What the tested weights say of the validation images.
        test: What they say of the test images, on which nothing is fitted.
    """
    temperature, count = fit_temperature(held_out), len(held_out.labels)
    known, asked = held_out.scaled(temperature), test.scaled(temperature)
    used = count // USED_ERROR_RATE
    rows = [_row(known, asked, errors) for errors in sorted({*ALLOWED_ERRORS, used})]
    return {
        "val_images": count,
        "temperature": temperature,
        "val_errors_allowed": used,
        "threshold": threshold(known, used),
        "test": scores(test),
        "test_scaled": scores(asked),
        "abstention": rows,
    }


def _row(held_out: Answers, test: Answers, errors: int) -> dict[str, Any]:
    """Tells what a threshold makes of both sets."""
    least = threshold(held_out, errors)
    row: dict[str, Any] = {"val_errors_allowed": errors, "threshold": least}
    for name, answers in (("val", held_out), ("test", test)):
        answered = answers.confidence > least
        row[f"{name}_coverage"] = float(answered.mean())
        row[f"{name}_answered"] = int(answered.sum())
        row[f"{name}_errors"] = int((answered & ~answers.right).sum())
    return row


def summary(facts: dict[str, Any]) -> str:
    """Says it in a line."""
    if "missing" in facts:
        return f"calibration is left blank: {facts['missing']}"
    row = used_row(facts)
    return (
        f"where it is surer than {row['threshold']:.6g} ({row['val_errors']} validation errors), it"
        f" answers {row['test_coverage']:.1%} of the test images with {row['test_errors']} errors;"
        f" temperature {facts['temperature']:.3f}"
    )
