"""Where `fit` begins: at nothing, at the run's own checkpoint, or at one that the user names."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints, limits, resume_check
from lit_mnist.runs.folder import Run
from lit_mnist.runs.limits import Progress
from lit_mnist.runs.resume import ResumePoint, Start, best_before, resume_point


class StartingPoint(NamedTuple):
    """Where training begins."""

    goes_on: ResumePoint | None = None  # in the run's own or in another training; None: at nothing
    start: Start | None = None  # if the checkpoint is not the run's own
    done: str = ""  # why there is nothing to train; empty if there is


def find(
    run: Run,
    options: dict[str, Any],
    named: Path | None,
    fresh: bool,
    trainer: Trainer,
    model: LightningModule,
) -> StartingPoint:
    """Reads and checks what training begins with; nothing is written.

    Args:
        run: The folder.
        options: The resolved config.
        named: The checkpoint that the user names.
        fresh: Whether what is in the folder is to be replaced.
        trainer: Which has to go on from a checkpoint.
        model: Whose weights the checkpoint has to fit.

    Raises:
        UserError: It cannot be used, or training could not begin there.
    """
    model.configure_model()  # Lightning calls it again, and it may be called often
    fault = partial(resume_check.fault, trainer=trainer, model=model)
    if run.exists() and not fresh:
        found = resume_point(run, options, fault)
        if named:
            _check_same(run, named, found)
        return StartingPoint(found, done=found.ended_by if found else "")
    if named is None:
        nothing = limits.reached(options, Progress())
        return StartingPoint(done=f"{nothing}: there is nothing to train" if nothing else "")
    checkpoint = checkpoints.read(named)
    checkpoints.check_fits(checkpoint, model, named)
    checkpoints.refuse(named, checkpoints.lack(checkpoint) or fault(checkpoint))
    reached = limits.reached(options, Progress.of(checkpoint))
    if reached:
        raise UserError(f"{named}: {reached} is reached, so nothing would be trained; raise it")
    steps = checkpoint.get("global_step", 0)
    point = ResumePoint(named, *checkpoints.progress(checkpoint), steps)
    return StartingPoint(point, Start(named, best_before(named, checkpoint)))


def _check_same(run: Run, named: Path, found: ResumePoint | None) -> None:
    """Lets a run go on that began with this checkpoint; refuses another one.

    Raises:
        UserError: Naming what the run goes on from.
    """
    if str(named) == run.results().get("started_from"):
        return
    checkpoints.read(named)
    if found is None or named.resolve() != found.checkpoint.resolve():
        raise UserError(
            f"--ckpt_path {named}: {run.folder} exists, and goes on from its own last.ckpt; leave"
            " the option out, choose another --name, or add --fresh to replace the run"
        )


def checkpoint_of(run: Run, ckpt_path: str) -> Path:
    """Gives the checkpoint that `--ckpt_path` means: best or last of the run, or a path."""
    return {"best": run.best, "last": run.last}.get(ckpt_path, Path(ckpt_path))
