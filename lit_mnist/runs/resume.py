"""Where a run is resumed: from which checkpoint, and whether its options are still the same."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from lit_mnist.errors import UserError
from lit_mnist.messages import say
from lit_mnist.runs import checkpoints, early_stopping, limits
from lit_mnist.runs.callback_kinds import listed
from lit_mnist.runs.config_changes import differences
from lit_mnist.runs.ended import Ended, holds, why_ended
from lit_mnist.runs.folder import Run
from lit_mnist.runs.limits import Ends
from lit_mnist.runs.run_config import flat, read_config
from lit_mnist.runs.trained_on import fingerprint_of
from lit_mnist.runs.version_0_1 import with_moved_classes

# A function that returns what is wrong with a checkpoint; empty if nothing is
Fault = Callable[[dict[str, Any]], str]
_UNKNOWN = Ends()


class Start(NamedTuple):
    """A checkpoint from elsewhere that a run begins with."""

    checkpoint: Path
    best: Path | None  # the best weights of the training that led to it; None if none is known
    scores: Mapping[str, float] = MappingProxyType({})  # of the best


class ResumePoint(NamedTuple):
    """Where a run is resumed."""

    checkpoint: Path
    epochs: int  # finished epochs
    step: int  # finished steps of the next epoch
    total_steps: int  # optimizer steps so far
    ended: Ended | None = None  # why nothing is left to train; None if something is
    data_sha256: str = ""  # of the files that it was trained on; empty if not known
    asked: bool = False  # whether a callback has asked for a stop that has not happened yet
    left: str = ""  # how far the last epoch has come, if the rest of it is never trained

    @classmethod
    def of(
        cls,
        path: Path,
        checkpoint: dict[str, Any],
        ended: Ended | None = None,
        asked: bool = False,
    ) -> Self:
        """Describes a checkpoint that was read from a path."""
        epochs, step = checkpoints.progress(checkpoint)
        return cls(
            path,
            epochs,
            step,
            total_steps=checkpoint.get("global_step", 0),
            ended=ended,
            data_sha256=str(fingerprint_of(checkpoint).get("data_sha256", "")),
            asked=asked,
            left=limits.left_out(checkpoint),
        )

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self.ended is not None

    def __str__(self) -> str:
        """Describes it for the user."""
        place = f"epoch {self.epochs - 1}{self.left and f' ({self.left})'}"
        if self.step:
            place = f"step {self.step} of epoch {self.epochs}"
        return f"resuming after {place} from {self.checkpoint}"


def resume_point(
    run: Run,
    config: dict[str, Any],
    fault: Fault = lambda _: "",
    other: Fault = lambda _: "",
    ends: Ends = _UNKNOWN,
) -> ResumePoint | None:
    """Finds where `fit` with this config resumes.

    Args:
        run: The folder.
        config: The resolved config.
        fault: Returns what is wrong with a checkpoint; empty if nothing is.
        other: Returns why this model cannot go on from a sound one; empty if it can.
        ends: How the callbacks and the module end training.

    Returns:
        The point; None if the run has no checkpoint yet from which it could be resumed.

    Raises:
        UserError: The run was made with other options, an option would have no effect, or no
            checkpoint allows an exact resume.
    """
    if not run.exists():
        return None
    before = read_config(run.config_yaml) or _options_without_config(run)
    _check_unchanged(run, differences(before, config))
    if why := _why_again(run):
        say(f"{run.best}: {why}; starting again, as no epoch was finished")
        return None
    path, checkpoint = newest(run, fault)
    _check_unchanged(run, _lowered(before, config, checkpoint, ends))
    ended = why_ended(run, before, config, checkpoint, ends)
    if not ended and (checkpoints.lack(checkpoint) or other(checkpoint)):
        path, checkpoint = newest(
            run, lambda one: fault(one) or checkpoints.lack(one) or other(one)
        )
    return ResumePoint.of(path, checkpoint, ended, holds(run, before, config, checkpoint))


def _why_again(run: Run) -> str:
    """Returns what a run's only checkpoint lacks if it is from within the first epoch."""
    with suppress(UserError):  # that epoch's row is there if it was killed before its `last.ckpt`
        later = len(run.history()) > 1 or run.results().get("status") == "complete"
        if not (later or run.last.exists()):
            best = checkpoints.read(run.best)
            return "" if checkpoints.progress(best)[0] else checkpoints.lack(best)
    return ""


def _lowered(
    before: dict[str, Any], config: dict[str, Any], checkpoint: dict[str, Any], ends: Ends
) -> list[str]:
    """Lists limits that are now below what is trained, and less patience, which may be.

    Some callbacks add an epoch.
    """
    old, new = flat(listed(before)), flat(listed(config))
    found = limits.exceeded(config, checkpoint)
    changed = early_stopping.changes(checkpoint, ends.patience)
    return [
        *(line for line in found if old.get(key := line.partition(":")[0]) != new.get(key)),
        *(str(one) for one in changed if one.now < one.before),
    ]


def _options_without_config(run: Run) -> dict[str, Any]:
    """Returns the options that a checkpoint contains if `config.yaml` is missing; prints a note."""
    for path in (run.last, run.best):
        with suppress(UserError):
            before = _options_of(checkpoints.read(path))
            say(
                f"{run.config_yaml}: missing; the model and its options are compared with"
                f" {path.name}, the others cannot be"
            )
            return before
    return {}


def _options_of(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Returns the part of its config that a checkpoint contains: the model and its options."""
    values = checkpoint.get("hyper_parameters", {})
    arguments = {key: value for key, value in values.items() if not str(key).startswith("_")}
    name = checkpoints.class_name(checkpoint)
    model = {"init_args": arguments} | ({"class_path": name} if name else {})
    return with_moved_classes({"model": model})


def _check_unchanged(run: Run, changed: list[str]) -> None:
    if changed:
        raise UserError(
            f"{run.folder} was made with other options ({'; '.join(sorted(changed))});"
            " choose another --name, or replace it with --fresh"
        )


def newest(run: Run, fault: Fault = lambda _: "") -> tuple[Path, dict[str, Any]]:
    """Reads the newest intact checkpoint; damaged ones are reported and skipped.

    Args:
        run: The folder.
        fault: Returns what prevents resuming from a checkpoint; empty if nothing does.

    Raises:
        UserError: No checkpoint is intact.
    """
    problems = []
    for path in (run.last, run.best):
        try:
            checkpoint = checkpoints.read(path)
            lack = checkpoints.lack(checkpoint) if path == run.best else ""
            checkpoints.refuse(path, lack or fault(checkpoint))
        except UserError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            say(f"{problem.partition(';')[0]}; resuming from {path.name} instead")
        return path, checkpoint
    problem = problems[0] if run.last.exists() else problems[-1]
    raise UserError(f"{problem.partition(';')[0]}; start afresh with --fresh")
