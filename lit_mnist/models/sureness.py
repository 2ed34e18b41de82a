"""When a prediction counts as sure: a temperature and a threshold, set on validation images."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

LEAST = 1.4e-45  # float32's smallest number, for probabilities that were rounded to 0


class Abstention(NamedTuple):
    """The rule by which a prediction counts as sure.

    Attributes:
        threshold: The confidence that a sure prediction must exceed, in [0, 1].
        temperature: Divides the logits before confidence is measured.
        source: Where the two values come from, in words for the user.
    """

    threshold: float = 0.8
    temperature: float = 1.0
    source: str = "a rule of thumb: test the run, and validation decides"

    @classmethod
    def of(cls, results: dict[str, Any], weights_sha256: str) -> "Abstention":
        """Reads the rule from `results.json` if its test was of these weights; else a default."""
        facts = results.get("calibration")
        if results.get("test_weights_sha256") != weights_sha256 or not isinstance(facts, dict):
            return cls()
        if "missing" in facts:
            return cls(source=f"a rule of thumb: {facts['missing']}")
        try:
            row = used_row(facts)
            source = f"{row['val_errors']} errors among {row['val_answered']:,} validation images"
            return cls(float(facts["threshold"]), float(facts["temperature"]), source)
        except (KeyError, TypeError, ValueError, StopIteration):
            return cls(source="a rule of thumb: the calibration in results.json is damaged")

    def sure(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns which of N predictions are sure, bool (N,), from probabilities (N, 10)."""
        return scaled(probabilities, self.temperature).max(axis=1, initial=0) > self.threshold


def used_row(facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the table row whose threshold `predict` uses."""
    rows: Sequence[dict[str, Any]] = facts["abstention"]
    return next(row for row in rows if row["val_errors_allowed"] == facts["val_errors_allowed"])


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Applies a temperature to probabilities: softmax(log p / temperature), float64 (N, 10).

    For a committee, p is the average over its members.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), LEAST)) / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
