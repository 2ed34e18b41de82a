"""The images that a checkpoint was trained on, as its data module has recorded them."""

from pathlib import Path
from typing import Any

from lit_mnist.errors import UserError

MODULE = "MNISTDataModule"
PIXELS = "0 to 1"  # of images as they are, which is what a network is shown outside of a run
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


def check_pixels(checkpoint: dict[str, Any], path: Path) -> None:
    """Refuses a network to which a user's data module has shown other images than there are.

    Args:
        checkpoint: As returned by `checkpoints.read`.
        path: Its file, for the error message.

    Raises:
        UserError: Naming the hook that has changed them.
    """
    shown = fingerprint_of(checkpoint).get("pixels", PIXELS)
    if shown != PIXELS:
        raise UserError(
            f"{path}: trained on images {shown!s:.200}, which is not done here; do it in the"
            " module's forward, and train again"
        )
