"""Where a run goes on: from which checkpoint, and whether its options are still the same."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints, limits
from lit_mnist.runs.config_changes import LIMITS, changes, differences
from lit_mnist.runs.folder import BEST, Run, flat, read_config
from lit_mnist.runs.limits import Progress

# Tells what is wrong with a checkpoint; empty if nothing is
Fault = Callable[[dict[str, Any]], str]


class Start(NamedTuple):
    """A checkpoint that is not the run's own, and that a run begins with."""

    checkpoint: Path
    best: Path | None  # the best that is known of what led to it


class ResumePoint(NamedTuple):
    """Where a run goes on."""

    checkpoint: Path
    epochs: int  # that are finished
    step: int  # of the next epoch that is done
    total_steps: int  # of the optimizer
    ended_by: str = ""  # why there is nothing left to do; empty if there is

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        return bool(self.ended_by)

    def __str__(self) -> str:
        """Says so."""
        place = f"after epoch {self.epochs - 1}"
        if self.step:
            place = f"after step {self.step} of epoch {self.epochs}"
        return f"going on {place} from {self.checkpoint}"


def resume_point(
    run: Run, config: dict[str, Any], fault: Fault = lambda _: ""
) -> ResumePoint | None:
    """Tells where `fit` with this config goes on.

    Args:
        run: The folder.
        config: The resolved config.
        fault: Tells what keeps training from going on from a checkpoint; empty if nothing does.

    Returns:
        None if the run has no checkpoint yet.

    Raises:
        UserError: The run was made with other options, an option would have no effect, or no
            checkpoint holds what it takes to go on to the same bits.
    """
    if not run.exists():
        return None
    before = read_config(run.file("config.yaml"))
    _check_unchanged(run, differences(before, config))
    path, checkpoint = newest(run, fault)
    place = (path, *checkpoints.progress(checkpoint), checkpoint.get("global_step", 0))
    results, old, new = run.results(), flat(before), flat(config)
    lowered = [
        line
        for line in limits.gone_beyond(config, checkpoint)
        if old.get(key := line.partition(":")[0]) != new.get(key)  # some callbacks add an epoch
    ]
    _check_unchanged(run, lowered)
    raised = [line for line in changes(before, config) if line.startswith(LIMITS)]
    limit = limits.reached(config, Progress.of(checkpoint))
    cut_short = results.get("status") != "complete"
    if limit and not (cut_short and limits.averages_at_the_end(config)):
        _check_effect(raised, str(limit))
        return ResumePoint(*place, f"{limit} is reached")
    same = all(old.get(key) == new.get(key) for key in (*LIMITS, "trainer.callbacks"))
    if results.get("status") == "complete" and same:
        return ResumePoint(*place, f"ended by {results.get('ended_by', 'a callback')}")
    if lack := checkpoints.lack(checkpoint):
        raise UserError(f"{path}: {lack}; choose another --name, or replace the run with --fresh")
    return ResumePoint(*place)


def _check_effect(raised: list[str], limit: str) -> None:
    """Refuses to raise a limit while another one is reached."""
    option = limit.partition(" ")[0].removeprefix("--")
    useless = [line for line in raised if line.partition(":")[0] != option]
    if useless:
        raise UserError(
            f"{'; '.join(useless)}: has no effect, as {limit} is reached; raise --{option} instead"
        )


def _check_unchanged(run: Run, changed: list[str]) -> None:
    if changed:
        raise UserError(
            f"{run.folder} was made with other options ({'; '.join(sorted(changed))});"
            " choose another --name, or replace it with --fresh"
        )


def newest(run: Run, fault: Fault) -> tuple[Path, dict[str, Any]]:
    """Reads the newest checkpoint that is whole; a damaged one is named and passed over.

    Args:
        run: The folder.
        fault: Tells what keeps training from going on from a checkpoint.

    Raises:
        UserError: None is whole.
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
            print(f"{problem.partition(';')[0]}; going on from {path.name} instead")
        return path, checkpoint
    told = problems[0] if run.last.exists() else problems[-1]
    raise UserError(f"{told.partition(';')[0]}; start afresh with --fresh")


def best_before(start: Path, checkpoint: dict[str, Any]) -> Path | None:
    """Finds the best weights of what led to a checkpoint: its own, or those of its `best.ckpt`.

    Args:
        start: The checkpoint's file.
        checkpoint: What is in it.

    Returns:
        A file whose score is known; None if there is none.
    """
    scored = {start: checkpoints.scores(checkpoint)}
    beside = start.with_name(BEST)
    with suppress(UserError):
        other = checkpoints.read(beside)
        rows = checkpoints.history(other)
        if rows and str(rows) == str(checkpoints.history(checkpoint)[: len(rows)]):  # one history
            scored[beside] = checkpoints.scores(other)
    known = {path: scores for path, scores in scored.items() if scores}
    # Of equal ones the first, as in a run that was never left
    return max(
        known, key=lambda path: (known[path]["val_acc"], -known[path]["epoch"]), default=None
    )
