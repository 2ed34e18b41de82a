"""Where a run goes on: from which checkpoint, and whether its options are still the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run, flat, read_config

# Tells what is wrong with a checkpoint; empty if nothing is
Fault = Callable[[dict[str, Any]], str]
# Options that may differ when a run is resumed: none changes what is trained on or how
FREE_OPTIONS = (
    "log_dir",
    "every_n_train_steps",
    "data.data_dir",
    "data.download",
    "data.eval_batch_size",
    "data.images",
    "trainer.max_epochs",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.log_every_n_steps",
    "trainer.default_root_dir",
)


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Lists the options that differ between two resolved configs, such as `model.lr: 0.1, now 0.2`.

    Options that one of the two does not have, or that may differ, are left out.
    """
    old, new = flat(before), flat(now)
    return [
        f"{key}: {old[key]}, now {new[key]}"
        for key in old.keys() & new.keys()
        if old[key] != new[key] and not key.startswith(FREE_OPTIONS)
    ]


class ResumePoint(NamedTuple):
    """Where a run goes on."""

    checkpoint: Path
    epochs: int  # that are finished
    step: int  # of the next epoch that is done
    complete: bool  # whether there is nothing left to do

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
        UserError: The run was made with other options.
    """
    if not run.exists():
        return None
    before = read_config(run.file("config.yaml"))
    _check_unchanged(run, differences(before, config))
    path, checkpoint = newest(run, fault)
    done, step = checkpoints.progress(checkpoint)
    wanted = config["trainer"]["max_epochs"]
    if wanted is not None and 0 <= wanted < done:
        _check_unchanged(run, [f"trainer.max_epochs: {done} done, now {wanted}"])
    stopped_early = (
        run.results().get("status") == "complete"
        and flat(before).get("trainer.max_epochs") == wanted
    )
    return ResumePoint(path, done, step, done == wanted or stopped_early)


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
            checkpoints.refuse(path, fault(checkpoint))
        except UserError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            print(f"{problem.partition(';')[0]}; going on from {path.name} instead")
        return path, checkpoint
    raise UserError(f"{problems[0].partition(';')[0]}; start afresh with --fresh")
