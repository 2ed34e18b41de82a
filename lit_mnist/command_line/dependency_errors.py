"""Turns errors of libraries into a UserError that names the option and the remedy.

Any other error is taken for a bug of the program and keeps its traceback.
"""

import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from lightning.fabric.utilities.spike import TrainingSpikeException
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.distributed import DistError

from lit_mnist.command_line import callback_checks, constructors, device_errors
from lit_mnist.command_line.error_messages import condensed
from lit_mnist.errors import PeerError, UserError

Frames = Sequence[traceback.FrameSummary]
# Packages whose errors are caused by the values of options, not by this program
_LIBRARIES = ("lightning", "jsonargparse")
_OPTION_ERRORS = (ValueError, ZeroDivisionError, ModuleNotFoundError)
_CALLBACK_ERRORS = (AttributeError, RuntimeError, TypeError, ValueError)
_CLASS_ERROR = re.compile(r"Problem with given class_path '(.+?)': (.+?) - ")  # jsonargparse's
_NO_BATCH = re.compile(r"check (\S+) of the `(\w+)_dataloader` but \S+ \* (\d+) < 1")
# Of autograd, and of DDP
_NOTHING_TRAINED = re.compile(
    r"does not require grad and does not have a grad_fn|doesn't have any parameter that requires"
)
# Of DDP, and of Lightning in its place
_UNUSED = re.compile(r"Expected to have finished reduction|has parameters that were not used in")
# Of int, and of PyTorch's schedules
_ENDLESS = re.compile(r"convert float infinity to integer|got inf\b")
_RESTORING = re.compile(r"_?restore\w*|resume\w*|load_\w+")


def explained(error: Exception) -> Exception:
    """Returns the error to raise instead: a UserError or PeerError, or `error` itself."""
    if isinstance(error, (UserError, PeerError)):
        return error
    if failed := constructors.failed(error):
        return failed
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    message = device_errors.explained(error, text) or _of_training(text, frames)
    if not message and (isinstance(error, DistError) or "by peer" in text):  # gloo has no own type
        return PeerError(
            "another process of this run has failed; see its message, or the system's log if it"
            " was killed"
        )
    message = message or _of_resuming(error, text, frames) or _of_callback(error, text, frames)
    message = message or _of_limit(text) or _of_optimizers(error, text, frames)
    message = message or _of_strategy(error, text, frames) or _of_option(error, text, frames)
    return UserError(message) if message else error


def of_trainer(error: Exception) -> UserError:
    """Returns the error to raise for one that the constructor of the Trainer has raised."""
    message = device_errors.explained(error, " ".join(str(error).split()))
    return UserError(message or f"--trainer: {condensed(str(error)):.400}")


def _of_training(text: str, frames: Frames) -> str:
    """Explains what autograd or DDP refuses; empty for other errors, as below."""
    if _NOTHING_TRAINED.search(text):
        return (
            "the loss depends on no trained weight; return the network's output from forward"
            " (not detached, no labels), and leave some layer unfrozen"
        )
    callers = [_library(frame.filename) for frame in frames]
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
    return ""


def _of_resuming(error: Exception, text: str, frames: Frames) -> str:
    """Explains an error while Lightning restores a checkpoint."""
    if not any(
        Path(frame.filename).name == "checkpoint_connector.py" and _RESTORING.fullmatch(frame.name)
        for frame in frames
    ):
        return ""
    return (
        f"training cannot be resumed from the checkpoint ({type(error).__name__}: {text:.400});"
        " remove it, so that fit uses the other one, or start afresh with --fresh"
    )


def _of_callback(error: Exception, text: str, frames: Frames) -> str:
    """Explains an error in one of Lightning's callbacks."""
    if isinstance(error, TrainingSpikeException):
        return f"SpikeDetection: {text}; lower --model.lr, or leave the callback out"
    if isinstance(error, KeyError) and error.args == ("swa_lr",):
        return callback_checks.unfrozen_late("a callback or the model")
    callback = _stock_callback(frames)
    if not callback or not isinstance(error, _CALLBACK_ERRORS):
        return ""
    return (
        f"--trainer.callbacks: {callback} cannot work with this model"
        f" ({type(error).__name__}{': ' if text else ''}{text:.300}); leave it out, or give the"
        " model what it needs"
    )


def _of_limit(text: str) -> str:
    """Explains a limit, given as a fraction, of less than one batch."""
    fraction = _NO_BATCH.search(text)
    if not fraction:
        return ""
    share, stage, batches = fraction.groups()
    also = " (or --trainer.overfit_batches)" if stage in ("train", "val") else ""
    return (
        f"--trainer.limit_{stage}_batches {share}{also}: less than one of {batches} batches;"
        " give a number of batches, such as 1, or a larger fraction"
    )


def _of_optimizers(error: Exception, text: str, frames: Frames) -> str:
    """Explains what Lightning refuses of a module's `configure_optimizers`, or of its result."""
    in_lightning = bool(frames) and _library(frames[-1].filename) == "lightning"
    functions = {frame.name for frame in frames}
    if "configure_optimizers" in functions and _ENDLESS.search(text):
        return (
            "the model's configure_optimizers needs the number of steps, and this run has no end;"
            " give --trainer.max_epochs or --trainer.max_steps"
        )
    if not in_lightning or "_init_optimizers_and_lr_schedulers" not in functions:
        return ""
    reason = f"({type(error).__name__}: {text:.400}); correct it"
    if "configure_optimizers" in functions:
        return f"the model's configure_optimizers fails {reason}"
    return f"training cannot use what the model's configure_optimizers returns {reason}"


def _of_strategy(error: Exception, text: str, frames: Frames) -> str:
    """Explains what one of Lightning's strategies, such as a sharding one, refuses of a module."""
    path = Path(frames[-1].filename) if frames else Path()
    stock = _library(str(path)) == "lightning" and "strategies" in path.parts
    if not stock or not isinstance(error, (NotImplementedError, RuntimeError, TypeError)):
        return ""
    return f"--trainer.strategy: {text.rstrip('.'):.400}; take auto or ddp, or change the model"


def _of_option(error: Exception, text: str, frames: Frames) -> str:
    """Explains other errors that Lightning or the parser raises for the value of an option."""
    library = bool(frames) and _library(frames[-1].filename) in _LIBRARIES
    refused = library and isinstance(error, _OPTION_ERRORS)
    if not refused and not isinstance(error, MisconfigurationException):
        return ""
    if isinstance(error, ZeroDivisionError):
        place = Path(frames[-1].filename).stem
        return f"--trainer: division by zero in Lightning's {place}; give its numbers 1 or more"
    found = _CLASS_ERROR.search(text)
    return f"{found[1]}: {found[2]}" if found else f"--trainer: {condensed(str(error)):.400}"


def _stock_callback(frames: Frames) -> str:
    """Returns the file of the Lightning callback in which an error arose; empty if in none.

    PyTorch's frames are skipped: a module raises for a caller that asks for a missing attribute.
    """
    asking = [frame for frame in frames if _library(frame.filename) != "torch"]
    path = Path(asking[-1].filename) if asking else Path()
    stock = _library(str(path)) == "lightning" and "callbacks" in path.parts
    return path.stem if stock else ""


def _library(filename: str) -> str:
    """Returns the installed package that a file belongs to."""
    return filename.replace("\\", "/").rpartition("/site-packages/")[2].partition("/")[0]
