"""What libraries raise, told in a line where the user can mend it.

An error that is in none of these families is one of the program's, and keeps its traceback.
"""

import re
import traceback
from pathlib import Path

import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.distributed import DistError

from lit_mnist.errors import PeerError, UserError

# Where an error arises that is about the values of options, not about this program
_LIBRARIES = ("lightning", "jsonargparse")
_OPTION_ERRORS = (ValueError, ZeroDivisionError, ModuleNotFoundError)
_CLASS_ERROR = re.compile(r"Problem with given class_path '(.+?)': (.+?) - ")  # jsonargparse's
_RESTORING = re.compile(r"_?restore\w*|resume\w*|load_\w+")


def explained(error: Exception) -> Exception:
    """Gives what the program should raise instead: a UserError or PeerError, or `error` itself."""
    if isinstance(error, (UserError, PeerError)):
        return error
    text = " ".join(str(error).split())
    operation = re.search(r"(\S+) does not have a deterministic implementation", text)
    if operation:
        return UserError(
            f"{operation[1]} is not deterministic on this device; take --trainer.deterministic"
            " warn to be told of such operations only, or false"
        )
    if _out_of_memory(error, text):
        return UserError(
            "memory is used up; lower --data.batch_size or --data.eval_batch_size, end other"
            " programs, or take another --trainer.accelerator"
        )
    if isinstance(error, DistError) or "by peer" in text:  # gloo has no type of its own
        return PeerError("another process of this run has failed; see its message")
    frames = traceback.extract_tb(error.__traceback__)
    if any(
        Path(frame.filename).name == "checkpoint_connector.py" and _RESTORING.fullmatch(frame.name)
        for frame in frames
    ):
        return UserError(
            f"the checkpoint does not hold what training goes on from ({type(error).__name__}:"
            f" {text:.400}); remove it, then fit takes the other one, or start afresh with --fresh"
        )
    library = bool(frames) and _library(frames[-1].filename) in _LIBRARIES
    if isinstance(error, MisconfigurationException) or (
        library and isinstance(error, _OPTION_ERRORS)
    ):
        found = _CLASS_ERROR.search(text)
        return UserError(f"{found[1]}: {found[2]}" if found else f"--trainer: {text:.400}")
    return error


def _out_of_memory(error: Exception, text: str) -> bool:
    said = ("out of memory", "can't allocate memory", "Cannot allocate memory")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(words in text for words in said)
    )


def _library(filename: str) -> str:
    """The installed package that a file belongs to."""
    return filename.replace("\\", "/").rpartition("/site-packages/")[2].partition("/")[0]
