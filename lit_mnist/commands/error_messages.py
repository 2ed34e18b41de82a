"""Turns errors of the parser and of libraries into one line that names the option and the remedy.

Any other error is taken for a bug of the program and keeps its traceback.
"""

import difflib
import re
import traceback
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.fabric.utilities.spike import TrainingSpikeException
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.distributed import DistError

from lit_mnist import program
from lit_mnist.commands.arguments import config_files
from lit_mnist.errors import PeerError, UserError

# Lines of jsonargparse's report about how it tried to parse a value, not about what is wrong
_CLUTTER = re.compile(
    r"Does not validate|Subtypes:|Errors:|Expected a <class 'NoneType'>|Given value"
    r"|Problem with given class_path|Expected a path but|Problems parsing config"
    r"|Not a valid subclass of|Subclass types expect one of|a class path \(str\)|a dict with"
)
_SHORTER = (
    (r'Parser key "[^"]*":?\s*', ""),
    (r"Not of type \w+: ", ""),
    (r"does not conform to restriction v", "is not "),
    (r"(is not \S+ and )v", r"\1"),
    (r"int\(\) argument must be .*, not '(\w+)'", r"expected an integer, not \1"),
    (r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1"),
    (r"Expected a <class '(?:[\w.]+\.)?(\w+)'>", r"expected \1"),
    (r"\. Got value: ", ", got "),
    (r"Expected a dot import path string: (.*)", r"there is no class \1"),
    (r"Option '(.*?)' is not accepted", r"there is no option \1"),
    (r"Subcommand '\w+' does not accept option '(.*?)'", r"there is no option \1"),
    (r"unrecognized arguments: ", "there is no option "),
    (r"invalid literal for int\(\) with base 10: (.*)", r"\1 is no integer"),
    (r"could not convert string to float: (.*)", r"\1 is no number"),
    (
        r".*arguments are required: .*model",
        "no model is named; give a config, such as --config deep",
    ),
    (r"argument -c/--config: expected one argument", "--config: name a file after it"),
    (
        r"argument (--\S+): expected one argument",
        r"\1: give a value; join one that begins with a dash by =",
    ),
    (r'in "<unicode string>", ', "in its "),
)
# Packages whose errors are caused by the values of options, not by this program
_LIBRARIES = ("lightning", "jsonargparse")
_OPTION_ERRORS = (ValueError, ZeroDivisionError, ModuleNotFoundError)
_CALLBACK_ERRORS = (AttributeError, RuntimeError, TypeError, ValueError)
_CLASS_ERROR = re.compile(r"Problem with given class_path '(.+?)': (.+?) - ")  # jsonargparse's
_NO_BATCH = re.compile(r"check (\S+) of the `(\w+)_dataloader` but \S+ \* (\d+) < 1")
_RESTORING = re.compile(r"_?restore\w*|resume\w*|load_\w+")


def parser_error(report: str, args: Sequence[str], known: Sequence[str]) -> str:
    """Condenses jsonargparse's report to one line with a remedy.

    Args:
        report: The report, on one or several lines.
        args: The command line, starting with the command.
        known: Correct spellings to suggest: options with their dashes, a model's arguments, class
            names.
    """
    keys = list(dict.fromkeys(re.findall(r'Parser key "([^"]+)"', report)))
    reason = condensed(report)
    value = re.search(r"Given value: (.+)", report)
    if reason.startswith("expected") and ", got" not in reason and value:
        reason += f", got {value[1]}"
    option = "--" + ".".join(keys) if keys else ""
    culprit = option or _unknown(reason)
    typed = bool(culprit) and any(arg.lstrip("-").startswith(culprit.lstrip("-")) for arg in args)
    typed = typed or reason.startswith("--")  # the words of the command line are wrong themselves
    where = "" if typed or option == "--config" else ", ".join(config_files(args))
    parts = [part for part in (where, option, reason) if part]
    return f"{': '.join(parts)}; {_remedy(reason, args[0], known)}"


def condensed(report: str) -> str:
    """Gives the problem that a report states, on one line, without the attempts to parse it."""
    lines = [line.strip().removeprefix("- ") for line in report.splitlines()]
    lines = [line for line in lines if line and not _CLUTTER.match(line)]
    return "; ".join(dict.fromkeys(filter(None, map(_shorten, lines))))


def _shorten(line: str) -> str:
    for pattern, text in _SHORTER:
        line = re.sub(pattern, text, line)
    return line


def _unknown(reason: str) -> str:
    """Gives the word that the parser does not know, as typed; empty if that is not the problem."""
    found = re.search(r"there is no (?:option|class) ((?:--?)?[\w.]+)", reason)
    return found[1] if found else ""


def _remedy(reason: str, command: str, known: Sequence[str]) -> str:
    unknown = _unknown(reason)
    dashes = "--" if unknown.startswith("-") else ""  # none in a file or for a model's arguments
    words = [each.removeprefix("--") for each in known if each.startswith(dashes)]
    word = unknown.lstrip("-")
    longer = [each for each in words if word and each.startswith(word)]  # it was abbreviated
    near = longer or difflib.get_close_matches(word, words, n=1)
    if not near:
        return f"see {program.name()} {command} --help"
    return f"did you mean {dashes}{near[0]}?"


def explained(error: Exception) -> Exception:
    """Gives the error to raise instead: a UserError or PeerError, or `error` itself."""
    if isinstance(error, (UserError, PeerError)):
        return error
    text = " ".join(str(error).split())
    operation = re.search(r"(\S+) does not have a deterministic implementation", text)
    if operation:
        return UserError(
            f"{operation[1]} is not deterministic on this device; take --trainer.deterministic"
            " warn, which only warns of such operations, or false"
        )
    if _out_of_memory(error, text):
        return UserError(
            "memory is used up; lower --data.batch_size or --data.eval_batch_size, end other"
            " programs, or take another --trainer.accelerator"
        )
    if "does not require grad and does not have a grad_fn" in text:
        return UserError(
            "the loss depends on no trained weight; have forward return what it computes"
            " (not detached, no labels), and leave some layer unfrozen"
        )
    if isinstance(error, DistError) or "by peer" in text:  # gloo has no type of its own
        return PeerError("another process of this run has failed; see its message")
    frames = traceback.extract_tb(error.__traceback__)
    if any(
        Path(frame.filename).name == "checkpoint_connector.py" and _RESTORING.fullmatch(frame.name)
        for frame in frames
    ):
        return UserError(
            f"training cannot be resumed from the checkpoint ({type(error).__name__}:"
            f" {text:.400}); remove it, so that fit uses the other one, or start afresh with --fresh"
        )
    callback = _stock_callback(frames)
    if isinstance(error, TrainingSpikeException):
        return UserError(f"SpikeDetection: {text}; lower --model.lr, or leave the callback out")
    if callback and isinstance(error, _CALLBACK_ERRORS):
        return UserError(
            f"--trainer.callbacks: {callback} cannot work with this model"
            f" ({type(error).__name__}{': ' if text else ''}{text:.300}); leave it out, or give the"
            " model what it needs"
        )
    if fraction := _NO_BATCH.search(text):
        share, stage, batches = fraction.groups()
        also = " (or --trainer.overfit_batches)" if stage in ("train", "val") else ""
        return UserError(
            f"--trainer.limit_{stage}_batches {share}{also}: less than one of {batches} batches;"
            " give a number of batches, such as 1, or a larger fraction"
        )
    library = bool(frames) and _library(frames[-1].filename) in _LIBRARIES
    if isinstance(error, MisconfigurationException) or (
        library and isinstance(error, _OPTION_ERRORS)
    ):
        found = _CLASS_ERROR.search(text)
        told = f"{found[1]}: {found[2]}" if found else f"--trainer: {condensed(str(error)):.400}"
        return UserError(told)
    return error


def _stock_callback(frames: Sequence[traceback.FrameSummary]) -> str:
    """Gives the file of the Lightning callback in which an error arose; empty if in none.

    PyTorch's frames are skipped: a module raises for a caller that asks for a missing attribute.
    """
    asking = [frame for frame in frames if _library(frame.filename) != "torch"]
    path = Path(asking[-1].filename) if asking else Path()
    stock = _library(str(path)) == "lightning" and "callbacks" in path.parts
    return path.stem if stock else ""


def _out_of_memory(error: Exception, text: str) -> bool:
    phrases = ("out of memory", "can't allocate memory", "Cannot allocate memory")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(phrase in text for phrase in phrases)
    )


def _library(filename: str) -> str:
    """Gives the installed package that a file belongs to."""
    return filename.replace("\\", "/").rpartition("/site-packages/")[2].partition("/")[0]
