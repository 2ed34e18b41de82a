"""The images that a checkpoint was trained on, as its data module has recorded them."""

from typing import Any

MODULE = "MNISTDataModule"
_HASHES = {"data_sha256", "split_sha256"}


def fingerprint_of(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Returns the fingerprint of the images and their split; empty if there is none.

    Lightning stores it under the name of the data module's class, which may be a user's subclass.

    Args:
        checkpoint: As returned by `checkpoints.read`.
    """
    if MODULE in checkpoint:
        found: dict[str, Any] = checkpoint[MODULE]
        return found
    states = (value for value in checkpoint.values() if isinstance(value, dict))
    return next((state for state in states if state.keys() >= _HASHES), {})
