"""A work-around: checkpoints are written whole or not at all."""

import errno
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lit_mnist.files import replacing
from lit_mnist.runs import plain


class WholeFileCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its target, flushes it and renames it into place.

    Lightning writes it to the system's temporary folder and copies it from there, so that a full
    disk leaves half a checkpoint under the final name (Lightning #21744).
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Saves `checkpoint` to `path`, whole or not at all.

        Raises:
            UserError: It holds objects that cannot be loaded without running code.
            OSError: The disk is full, which torch reports only as a short write.
        """
        checkpoint = plain.checked(checkpoint)
        with replacing(Path(path)) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:
                if "inline_container" not in str(error):
                    raise
                raise OSError(errno.EIO, "could not be written whole, as on a full disk") from error
