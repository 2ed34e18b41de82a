"""The rule by which an image holds no digit: fitted when a run is tested, used by predictions."""

from collections.abc import Sequence
from typing import Any

from lit_mnist.models import novelty
from lit_mnist.reports.predictions import Predictions
from lit_mnist.runs.folder import Run


def fit(
    run: Run, weights_sha256: str, held_out: Predictions, widths: Sequence[int]
) -> dict[str, Any]:
    """Fits the rule to the held-out images and writes it into the run's folder.

    Args:
        run: The folder.
        weights_sha256: Hash of the weights.
        held_out: What they say of the held-out images, with their features.
        widths: How many features each net has.

    Returns:
        What `results.json` says under `novelty`.
    """
    features, labels = held_out.features.numpy(), held_out.labels.numpy()
    missing = novelty.obstacle(features, widths, labels)
    if missing:
        run.novelty.unlink(missing_ok=True)
        return {"missing": missing}
    rule = novelty.Novelty.fit(features, widths, labels)
    novelty.save(rule, weights_sha256, run.novelty)
    return {"features": list(widths), "threshold": rule.threshold, "val_known": novelty.KNOWN}
