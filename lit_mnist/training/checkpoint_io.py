"""Work-arounds: checkpoints are written whole or not at all, and read once they are written."""

import errno
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.utilities.cloud_io import _is_local_file_protocol
from lightning.pytorch import Trainer
from lightning.pytorch.plugins import AsyncCheckpointIO, CheckpointIO
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.plugins.io.wrapper import _WrappingCheckpointIO

from lit_mnist.errors import UserError
from lit_mnist.files import replacing
from lit_mnist.machine.patching import replaced
from lit_mnist.runs.folder import Run
from lit_mnist.training.readable import ReadableSave, readable


class WholeFileCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its target, flushes it and renames it into place.

    Lightning writes it to the system's temporary folder and copies it from there, so that a full
    disk leaves half a checkpoint under the final name (Lightning #21744).
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Saves `checkpoint` to `path`, whole or not at all; to a URL as Lightning does.

        Raises:
            UserError: It holds objects that cannot be loaded without running code.
            OSError: The disk is full, which torch reports only as a short write.
        """
        checkpoint = readable(checkpoint)
        if not _is_local_file_protocol(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        with replacing(Path(path)) as temporary, _checksums():
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:
                if "inline_container" not in str(error):
                    raise
                os.truncate(temporary, 0)  # its writer holds it open, deleted or not, with its room
                raise OSError(errno.EIO, "could not be written whole, as on a full disk") from error


@contextmanager
def _checksums() -> Iterator[None]:
    """Writes checksums, by which `safe_torch` knows a sound file, whatever the user has set."""
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(True)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(before)


def whole_files(plugins: list[Any], run: Run) -> list[Any]:
    """Returns a trainer's plugins with ours in the place of Lightning's, or added to them.

    One that wraps another, such as AsyncCheckpointIO, gets ours to wrap. A user's own has to write
    what can be read again.

    Args:
        plugins: The user's.
        run: The folder.

    Raises:
        UserError: The method of one that saves is read-only.
    """
    if not any(isinstance(one, CheckpointIO) for one in plugins):
        return [*plugins, WholeFileCheckpointIO()]
    return [_whole(one, run) for one in plugins]


def _whole(plugin: Any, run: Run) -> Any:
    if isinstance(plugin, _WrappingCheckpointIO):
        plugin._checkpoint_io = _whole(plugin.checkpoint_io or TorchCheckpointIO(), run)
    elif type(plugin) is TorchCheckpointIO:
        return WholeFileCheckpointIO()
    elif isinstance(plugin, CheckpointIO) and not isinstance(plugin, WholeFileCheckpointIO):
        # its object stays the user's, for code that asks the strategy for it
        try:
            plugin.save_checkpoint = ReadableSave(plugin, run)  # type: ignore[method-assign]
        except AttributeError as error:
            raise UserError(
                f"--trainer.plugins {type(plugin).__name__}: its save_checkpoint cannot be"
                " replaced by one that checks what is saved; make it an ordinary method"
            ) from error
    return plugin


def finish_writing(trainer: Trainer) -> None:
    """Waits until all checkpoints are written.

    Raises:
        Exception: What has prevented one from being written.
    """
    _finish(trainer.strategy.checkpoint_io)


def written_first() -> AbstractContextManager[None]:
    """Has AsyncCheckpointIO read and remove checkpoints only once all are written.

    A finder reads the one that it has just saved. ModelCheckpoint removes an older one when it has
    saved a better (lightning/pytorch/plugins/io/async_plugin.py).
    """

    def after(name: str) -> tuple[type, str, Callable[..., Any]]:
        call = getattr(AsyncCheckpointIO, name)

        @functools.wraps(call)
        def waiting(plugin: AsyncCheckpointIO, *args: Any, **kwargs: Any) -> Any:
            _finish(plugin)
            return call(plugin, *args, **kwargs)

        return AsyncCheckpointIO, name, waiting

    return replaced(after("load_checkpoint"), after("remove_checkpoint"))


def _finish(plugin: CheckpointIO) -> None:
    """Waits; a plugin that has ended its thread starts another when it saves again."""
    if isinstance(plugin, AsyncCheckpointIO):
        plugin.teardown()
    elif isinstance(plugin, _WrappingCheckpointIO) and plugin.checkpoint_io:
        _finish(plugin.checkpoint_io)
