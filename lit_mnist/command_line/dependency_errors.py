"""Turns errors of libraries into a UserError that names the option and the remedy.

Any other error is taken for a bug of the program and keeps its traceback.
"""

import copy
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning.fabric.utilities.spike import TrainingSpikeException
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.distributed import DistError

from lit_mnist.command_line import callback_checks, constructors, device_errors, training_errors
from lit_mnist.command_line.error_messages import condensed
from lit_mnist.command_line.training_errors import Frames, library
from lit_mnist.errors import PeerError, UserError

# Packages whose errors are caused by the values of options, not by this program
_LIBRARIES = ("lightning", "jsonargparse")
_OPTION_ERRORS = (ValueError, ZeroDivisionError, ModuleNotFoundError)
_CALLBACK_ERRORS = (AttributeError, RuntimeError, TypeError, ValueError)
_CLASS_ERROR = re.compile(r"Problem with given class_path '(.+?)': (.+?) - ")  # jsonargparse's
_NO_BATCH = re.compile(r"check (\S+) of the `(\w+)_dataloader` but \S+ \* (\d+) < 1")
# Of int, and of PyTorch's schedules
_ENDLESS = re.compile(r"convert float infinity to integer|got inf\b")
_RESTORING = re.compile(r"_?restore\w*|resume\w*|load_\w+")

# The methods of Trainer in which an error is not one of resuming
_EVALUATING = {"_validate_impl", "_test_impl", "_predict_impl"}


@contextmanager
def explaining() -> Iterator[None]:
    """Explains errors of what runs inside; also of the classes that options name.

    Raises:
        UserError: For an error that the user can fix.
        PeerError: For one that another process of this run reports.
    """
    try:
        yield
    except Exception as error:
        instead = explained(error)
        if instead is error:
            raise
        raise instead from error


def explained(error: Exception) -> Exception:
    """Returns the error to raise instead: a UserError or PeerError, or `error` itself."""
    if isinstance(error, (UserError, PeerError)):
        return error
    if failed := constructors.failed(error):
        return failed
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    message = device_errors.explained(error, text) or training_errors.explained(error, text, frames)
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
    if failed := constructors.failed(error):
        return failed
    message = device_errors.explained(error, " ".join(str(error).split()))
    return UserError(message or f"--trainer: {condensed(str(error)):.400}")


def _of_resuming(error: Exception, text: str, frames: Frames) -> str:
    """Explains an error while Lightning restores a checkpoint."""
    if not any(
        Path(frame.filename).name == "checkpoint_connector.py" and _RESTORING.fullmatch(frame.name)
        for frame in frames
    ):
        return ""
    reason = f"({type(error).__name__}: {text:.400})"
    if not _EVALUATING.isdisjoint(frame.name for frame in frames):
        return (
            f"the checkpoint cannot be loaded {reason}; name another: --ckpt_path, or train again"
        )
    return (
        f"training cannot be resumed from the checkpoint {reason};"
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
    in_lightning = bool(frames) and library(frames[-1].filename) == "lightning"
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
    stock = library(str(path)) == "lightning" and "strategies" in path.parts
    if not stock or not isinstance(error, (NotImplementedError, RuntimeError, TypeError)):
        return ""
    return f"--trainer.strategy: {text.rstrip('.'):.400}; take auto or ddp, or change the model"


def _of_option(error: Exception, text: str, frames: Frames) -> str:
    """Explains other errors that Lightning or the parser raises for the value of an option."""
    in_library = bool(frames) and library(frames[-1].filename) in _LIBRARIES
    refused = in_library and isinstance(error, _OPTION_ERRORS)
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
    So are those of `copy`, with which an average of weights begins.
    """
    files = [frame.filename for frame in frames if frame.filename != copy.__file__]
    asking = [file for file in files if library(file) != "torch"]
    path = Path(asking[-1]) if asking else Path()
    stock = library(str(path)) == "lightning" and "callbacks" in path.parts
    return path.stem if stock else ""
