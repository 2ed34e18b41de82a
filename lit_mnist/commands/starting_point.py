"""Where `fit` begins: from scratch, from the run's own checkpoint, or from one the user names."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer

from lit_mnist import trainers
from lit_mnist.commands import same_images
from lit_mnist.errors import UserError
from lit_mnist.messages import say
from lit_mnist.resuming.asked_stop import AskedStop
from lit_mnist.runs import checkpoints, limits, resume_check
from lit_mnist.runs.folder import BEST, Run
from lit_mnist.runs.limits import Progress
from lit_mnist.runs.resume import ResumePoint, Start, resume_point
from lit_mnist.training.known_ends import known_ends
from lit_mnist.training.run_folder import RunFolder
from lit_mnist.training.searched import Searched

# Options of a module whose effect is in the state of its optimizer or its schedule
_IN_STATE = ("lr", "patience", "factor", "min_lr")


class StartingPoint(NamedTuple):
    """Where training begins."""

    resume: ResumePoint | None = None  # the checkpoint to resume from; None: from scratch
    start: Start | None = None  # set if the checkpoint is not the run's own
    done: str = ""  # why nothing is left to train; empty if something is


def find(
    run: Run,
    options: dict[str, Any],
    named: Path | None,
    fresh: bool,
    trainer: Trainer,
    model: LightningModule,
) -> StartingPoint:
    """Finds, loads and checks the checkpoint that training begins with; writes nothing.

    Args:
        run: The folder.
        options: The resolved config.
        named: The checkpoint that the user names.
        fresh: Whether to replace an existing run.
        trainer: The trainer that must be able to resume from the checkpoint.
        model: The model that the checkpoint must fit, with all of its layers.

    Raises:
        UserError: The checkpoint cannot be used, or training cannot begin from it.
    """
    ends = known_ends(trainer, model)
    if run.exists() and not fresh:
        fault = partial(resume_check.fault, trainer=trainer, model=model)
        other = partial(resume_check.other, trainer=trainer, model=model)
        point = resume_point(run, options, fault, other, ends)
        if named:
            _check_same(run, named, point)
        if point:
            same_images.check(run, options["data"], point.data_sha256)
        return StartingPoint(point, done=point.ended.why if point and point.ended else "")
    if named is None:
        nothing = limits.reached(options, Progress(), ends.timers)
        return StartingPoint(done=f"{nothing}: there is nothing to train" if nothing else "")
    checkpoint = checkpoints.read(named)
    _check_start(named, checkpoint, trainer, model)
    reached = limits.reached(options, Progress.of(checkpoint), ends.timers)
    if reached:
        raise UserError(f"{named}: {reached} is reached, so nothing would be trained; raise it")
    _say_kept(named, checkpoint, model)
    return StartingPoint(ResumePoint.of(named, checkpoint), _start(named, checkpoint))


def tell(trainer: Trainer, begin: StartingPoint) -> None:
    """Tells the callbacks where training begins."""
    for folder in trainers.callbacks_of(trainer, RunFolder):
        folder.start = begin.start
        if begin.resume is None and folder.run.exists():  # a checkpoint that is of no use
            folder.outdated = folder.run.written()
    for searched in trainers.callbacks_of(trainer, Searched):
        searched.resumes = begin.resume is not None
        searched.is_own = begin.start is None
    for stop in trainers.callbacks_of(trainer, AskedStop):
        stop.holds = begin.resume is not None and begin.resume.asked


def _check_same(run: Run, named: Path, point: ResumePoint | None) -> None:
    """Checks that an existing run began with the named checkpoint.

    Raises:
        UserError: It did not; names the checkpoint that the run would resume from.
    """
    if str(named) == run.results().get("started_from"):
        return
    checkpoints.read(named)
    if point is None or named.resolve() != point.checkpoint.resolve():
        raise UserError(
            f"--ckpt_path {named}: {run.folder} exists, and resumes from its own last.ckpt; leave"
            " the option out, choose another --name, or add --fresh to replace the run"
        )


def _check_start(
    named: Path, checkpoint: dict[str, Any], trainer: Trainer, model: LightningModule
) -> None:
    """Checks that training can go on from a checkpoint of another run; raises UserError."""
    checkpoints.check_fits(checkpoint, model, named)
    lack = checkpoints.lack(checkpoint) or resume_check.other(checkpoint, trainer, model)
    checkpoints.refuse(named, lack or resume_check.fault(checkpoint, trainer, model))


def checkpoint_of(run: Run, ckpt_path: str) -> Path:
    """Resolves `--ckpt_path`: the run's `best` or `last`, or a path."""
    path = Path(os.path.expanduser(ckpt_path))
    return {"best": run.best, "last": run.last}.get(ckpt_path, path)


def _say_kept(named: Path, checkpoint: dict[str, Any], model: LightningModule) -> None:
    """Tells which options have no effect, as optimizer and schedule go on."""
    before, now = checkpoint.get("hyper_parameters", {}), model.hparams
    kept = [
        f"{name} {before[name]} (not {now[name]})"
        for name in _IN_STATE
        if isinstance(before.get(name), (int, float)) and name in now and before[name] != now[name]
    ]
    if kept:
        say(f"{named}: its optimizer and schedule go on, with {', '.join(kept)}")


def _start(named: Path, checkpoint: dict[str, Any]) -> Start:
    """Finds the best weights of the training that led to a checkpoint: its own or `best.ckpt`'s.

    Args:
        named: The checkpoint's file.
        checkpoint: Its content.
    """
    scored = {named: checkpoints.scores(checkpoint)}
    links = [named.resolve()] if named.is_symlink() else []
    for neighbour in (one.with_name(BEST) for one in (named, *links)):
        with suppress(UserError):
            other = checkpoints.read(neighbour)
            rows = checkpoints.history(other)
            if rows and str(rows) == str(checkpoints.history(checkpoint)[: len(rows)]):
                scored[neighbour] = checkpoints.scores(other)  # of one history
    known = {path: scores for path, scores in scored.items() if scores}
    if len({scores["images"] for scores in known.values() if "images" in scores}) > 1:
        # scores of other images cannot be compared
        known = {path: scores for path, scores in known.items() if path == named}
    # Of equal scores the first, as in an uninterrupted run
    best = max(
        known, key=lambda path: (known[path]["val_acc"], -known[path]["epoch"]), default=None
    )
    return Start(named, best, known[best]) if best else Start(named, None)
