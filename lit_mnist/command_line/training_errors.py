"""Explains what PyTorch refuses in a step of training: autograd, DDP, layers, clipping."""

import re
import traceback
from collections.abc import Sequence

Frames = Sequence[traceback.FrameSummary]
# Of autograd, and of DDP
_NOTHING_TRAINED = re.compile(
    r"does not require grad and does not have a grad_fn|doesn't have any parameter that requires"
)
# Of DDP, and of Lightning in its place
_UNUSED = re.compile(r"Expected to have finished reduction|has parameters that were not used in")


def explained(error: Exception, text: str, frames: Frames) -> str:
    """Explains such an error and names the remedy; empty for other errors.

    Args:
        error: The error.
        text: Its message on one line.
        frames: Where it arose.
    """
    if _NOTHING_TRAINED.search(text):
        return (
            "the loss depends on no trained weight; return the network's output from forward"
            " (not detached, no labels), and leave some layer unfrozen"
        )
    callers = [library(frame.filename) for frame in frames]
    by_lightning = [name for name in callers if name != "torch"][-1:] == ["lightning"]
    if by_lightning and "grad can be implicitly created only for scalar outputs" in text:
        return "the loss is not a single number; return the mean over the batch from training_step"
    if by_lightning and "Skipping the `training_step` by returning None" in text:
        return (
            "training_step returned None, but ranks take each step together; return zero times the"
            " loss instead, or take --trainer.devices 1"
        )
    if _UNUSED.search(text):
        return (
            "the loss does not depend on some of the trained weights, and the ranks wait for their"
            " gradients; take --trainer.strategy ddp_find_unused_parameters_true, or remove or"
            " freeze those weights"
        )
    if "Expected more than 1 value per channel when training" in text:
        return (
            "batch normalisation needs two images or more on each rank, and a batch, the last of an"
            " epoch perhaps, has one; take another --data.batch_size"
        )
    if "SyncBatchNorm layers only work with" in text:
        return (
            "--trainer.sync_batchnorm: ranks on a CPU cannot share batch statistics; leave it out,"
            " and best.ckpt holds those of the first rank"
        )
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
