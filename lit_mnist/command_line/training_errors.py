"""Explains what PyTorch refuses in a step of training: autograd, DDP, layers, clipping."""

import re
import traceback
from collections.abc import Sequence

Frames = Sequence[traceback.FrameSummary]
# What PyTorch says, and what to tell
_MESSAGES = (
    (  # of autograd, and of DDP
        "does not require grad and does not have a grad_fn"
        "|doesn't have any parameter that requires",
        "the loss depends on no trained weight; return the network's output from forward"
        " (not detached, no labels), and leave some layer unfrozen",
    ),
    (  # of DDP, and of Lightning in its place
        "Expected to have finished reduction|has parameters that were not used in",
        "the loss does not depend on some of the trained weights, and the ranks wait for their"
        " gradients; take --trainer.strategy ddp_find_unused_parameters_true, or remove or"
        " freeze those weights",
    ),
    (
        "Expected more than 1 value per channel when training",
        "batch normalisation needs two images or more on each rank, and a batch, the last of an"
        " epoch perhaps, has one; take another --data.batch_size",
    ),
    (
        "SyncBatchNorm layers only work with",
        "--trainer.sync_batchnorm: ranks on a CPU cannot share batch statistics; leave it out,"
        " and best.ckpt holds those of the first rank",
    ),
)
# The same, where Lightning has called PyTorch or says so itself
_OF_LIGHTNING = (
    (
        "grad can be implicitly created only for scalar outputs",
        "the loss is not a single number; return the mean over the batch from training_step",
    ),
    (
        "Skipping the `training_step` by returning None",
        "training_step returned None, but ranks take each step together; return zero times the"
        " loss instead, or take --trainer.devices 1",
    ),
)


def explained(error: Exception, text: str, frames: Frames) -> str:
    """Explains such an error and names the remedy; empty for other errors.

    Args:
        error: The error.
        text: Its message on one line.
        frames: Where it arose.
    """
    callers = [library(frame.filename) for frame in frames]
    by_lightning = [name for name in callers if name != "torch"][-1:] == ["lightning"]
    for pattern, message in (*_MESSAGES, *(_OF_LIGHTNING if by_lightning else ())):
        if re.search(pattern, text):
            return message
    by_value = "clip_grad_by_value" in {frame.name for frame in frames}
    if by_value and isinstance(error, NotImplementedError):  # of complex weights
        return (
            "--trainer.gradient_clip_algorithm value: cannot work with this model"
            f" ({type(error).__name__}: {text:.300}); take norm, or leave it out"
        )
    return ""


def library(filename: str) -> str:
    """Returns the installed package that a file belongs to; empty if to none."""
    return filename.replace("\\", "/").rpartition("/site-packages/")[2].partition("/")[0]
