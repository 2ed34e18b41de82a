"""A work-around: checkpoints hold scores of those weights alone that are saved."""

import functools
from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector

from lit_mnist import trainers
from lit_mnist.machine.patching import replaced
from lit_mnist.training.best_checkpoint import BestCheckpoint


def scores_of_the_saved() -> AbstractContextManager[None]:
    """Has checkpoints hold scores of those weights alone that are saved, after all hooks.

    A callback may put an average into them after ours was called, and the module after all
    callbacks (lightning/pytorch/trainer/connectors/checkpoint_connector.py, `dump_checkpoint`).
    """
    dump = _CheckpointConnector.dump_checkpoint

    @functools.wraps(dump)
    def checked(connector: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        checkpoint = dump(connector, *args, **kwargs)
        for one in trainers.callbacks_of(connector.trainer, BestCheckpoint):
            one.check_weights(connector.trainer, checkpoint)
        return checkpoint

    return replaced((_CheckpointConnector, "dump_checkpoint", checked))
