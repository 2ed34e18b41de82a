"""Sees to it that checkpoints can be read again, also those that a user's CheckpointIO writes."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch.plugins import CheckpointIO

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints, digests, entries, plain
from lit_mnist.runs.folder import Run


def readable(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Returns a checkpoint that can be read again, with the digest of its weights.

    Raises:
        UserError: It holds objects that cannot be loaded without running code.
    """
    checkpoint = plain.checked(checkpoint)
    if "state_dict" in checkpoint:  # whatever callbacks and the module have made of it
        checkpoint[entries.WEIGHTS] = digests.of_weights(checkpoint["state_dict"])
    return checkpoint


class ReadableSave:
    """What a user's plugin saves with: given readable checkpoints, and the first is read.

    A resumed run and every other command read files as `torch.save` writes them, without the
    plugin. The first of the run's own two is read: other files are the user's, in any format.

    Args:
        plugin: The user's.
        run: The folder.
    """

    def __init__(self, plugin: CheckpointIO, run: Run) -> None:
        self.plugin, self.save = plugin, plugin.save_checkpoint
        self.unread = {run.best.resolve(), run.last.resolve()}

    def __call__(
        self, checkpoint: dict[str, Any], path: str | Path, *args: Any, **kwargs: Any
    ) -> None:
        """Saves; removes the first of the run's files if it cannot be read.

        Raises:
            UserError: The checkpoint, or the plugin's file, cannot be read.
        """
        self.save(readable(checkpoint), path, *args, **kwargs)
        file = Path(path)
        if file.resolve() in self.unread and file.exists():  # or a thread of its own will write it
            self._read(file)
            self.unread = set()  # but not if it fails: others may be under way, as of a thread's

    def _read(self, path: Path) -> None:
        before = _size_and_time(path)
        try:
            checkpoints.read(path)
        except UserError as error:
            time.sleep(1)
            if _size_and_time(path) != before:  # a thread of its own still writes
                return self._read(path)
            self.plugin.remove_checkpoint(path)
            name = type(self.plugin).__name__
            raise UserError(
                f"--trainer.plugins {name}: nothing could resume from what it writes, or test it:"
                f" {path.name} is no file as torch.save writes it; take another CheckpointIO, such"
                f" as one that calls TorchCheckpointIO's save_checkpoint, or leave {name} out"
            ) from error


def _size_and_time(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
