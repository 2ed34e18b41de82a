"""When an answer counts as sure: a temperature and a threshold, both from the validation images."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

LEAST = 1.4e-45  # float32's smallest number: the softmax of a wrong class may have come to nothing


class Abstention(NamedTuple):
    """When an answer counts as sure.

    Attributes:
        threshold: The confidence that it must exceed, in [0, 1].
        temperature: At which confidence is measured.
        source: Where the two come from, for the user.
    """

    threshold: float = 0.8
    temperature: float = 1.0
    source: str = "a rule of thumb: test the run, and validation decides"

    @classmethod
    def of(cls, results: dict[str, Any], weights_sha256: str) -> "Abstention":
        """Reads it from `results.json`, if the test was of these weights; else a rule of thumb."""
        facts = results.get("calibration")
        if results.get("test_weights_sha256") != weights_sha256 or not isinstance(facts, dict):
            return cls()
        if "missing" in facts:
            return cls(source=f"a rule of thumb: {facts['missing']}")
        try:
            row = used_row(facts)
            kept = f"{row['val_errors']} errors among {row['val_answered']:,} validation images"
            return cls(float(facts["threshold"]), float(facts["temperature"]), kept)
        except (KeyError, TypeError, ValueError, StopIteration):
            return cls(source="a rule of thumb: the calibration in results.json is damaged")

    def sure(self, probabilities: np.ndarray) -> np.ndarray:
        """Tells bool (N,) of probabilities (N, 10)."""
        return scaled(probabilities, self.temperature).max(axis=1, initial=0) > self.threshold


def used_row(facts: dict[str, Any]) -> dict[str, Any]:
    """Gives the row of the table whose threshold `predict` uses."""
    rows: Sequence[dict[str, Any]] = facts["abstention"]
    return next(row for row in rows if row["val_errors_allowed"] == facts["val_errors_allowed"])


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Gives float64 (N, 10): the softmax of the logarithms over the temperature; 1 changes nothing.

    Of a committee, these are the logarithms of its members' mean.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), LEAST)) / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
