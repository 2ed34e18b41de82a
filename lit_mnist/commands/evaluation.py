"""The weights that validate, test and predict evaluate, and the part of the data that they read."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.seed import isolate_rng

from lit_mnist.commands import starting_point
from lit_mnist.errors import UserError
from lit_mnist.logs.digits import rounded
from lit_mnist.machine.patching import overrides
from lit_mnist.messages import warn
from lit_mnist.models import answers, classes, lazy
from lit_mnist.models.ensemble import EnsembleModule, nets_of
from lit_mnist.models.rebuild import Evaluating
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.runs import best_score, checkpoints, copies, of_training, same_members, tested
from lit_mnist.runs.folder import Run
from lit_mnist.runs.trained_on import check_pixels
from lit_mnist.runs.weights import makes_layers_late
from lit_mnist.training import changed_images, swapped_weights


def refuse_zero_limit(trainer: Trainer, stage: str) -> None:
    """Refuses a limit that leaves no image to read.

    Args:
        trainer: The trainer with the user's limits.
        stage: val, test or predict.

    Raises:
        UserError: Naming the option.
    """
    option, verbs = f"limit_{stage}_batches", {"val": "validated", "test": "tested"}
    if getattr(trainer, option) == 0:
        raise UserError(
            f"--trainer.{option} 0: no image would be {verbs.get(stage, 'read')}; leave it out"
        )


@rank_zero_only
def say_replaced(run: Run, model: EnsembleModule) -> None:
    """Tells whose results those of this committee are about to replace."""
    if before := same_members.other(run, [member.path for member in model.members]):
        print(f"{run.folder}: replaces the results of other members, with {before}")


def scores(trainer: Trainer, stage: str) -> str:
    """Formats what a finished evaluation has logged, and whose scores they are if in doubt.

    Args:
        trainer: The trainer that has evaluated.
        stage: val or test.
    """
    if stage == "test" and trainer.fast_dev_run:  # type: ignore[attr-defined] # set in its __init__
        # each score of test images that anybody sees is in the ledger
        return "no score is shown, as fast_dev_run writes nothing, nor a line in the ledger"
    logged = {name: rounded(name, value) for name, value in trainer.callback_metrics.items()}
    # the second name of a value that is logged for each step and the epoch
    again = {f"{name}_epoch" for name in logged if logged.get(f"{name}_epoch") == logged[name]}
    ours = [name for name in (f"{stage}_acc", f"{stage}_loss") if name in logged]
    names = [*ours, *(name for name in logged if name not in again.union(ours))]
    text = "  ".join(f"{name} {_number(logged[name])}" for name in names)
    text = text or "no scores were logged"
    read = int(getattr(trainer, f"num_{stage}_batches")[0])
    total = len(getattr(trainer, f"{stage}_dataloaders"))
    notes = [] if read == total else [f"of {read} of {total} batches"]
    if swapped := swapped_weights.found(trainer):
        notes.append(f"of other weights: {swapped}")
    if changed := changed_images.found(trainer):
        notes.append(changed)
    return "  ".join([text, *(f"({note})" for note in notes)])


def _number(score: float) -> str:
    return "is not a number" if math.isnan(score) else f"{score:.4f}"


def trained(
    run: Run,
    model: ScoredModule,
    ckpt_path: str | None,
    options: Mapping[str, Any],
    trainer: Trainer,
) -> tuple[str | None, tested.Weights]:
    """Returns the checkpoint to evaluate, None for a committee, and its weights.

    Args:
        run: The folder.
        model: The model that the checkpoint must fit.
        ckpt_path: The user's choice; by default the run's best, or its last if there is no best.
        options: The resolved config.
        trainer: The trainer that will evaluate it.

    Raises:
        UserError: There is no checkpoint, it is of another model or was shown other images in
            training, or the model's code has changed.
    """
    if isinstance(model, EnsembleModule):
        if ckpt_path:
            raise UserError(
                "--ckpt_path: a committee's weights are named by --model.checkpoints; leave it out"
            )
        model.configure_model()
        return None, tested.Weights(model.sha256, ())
    path = starting_point.checkpoint_of(run, ckpt_path) if ckpt_path else _of_run(run)
    checkpoint = checkpoints.read(path)
    lazy.complete(model, trainer)
    _check_fits(path, checkpoint, model, options["model"].get("init_args") or {})
    of = [place.folder.resolve() for place in of_training.places(path)]
    if run.exists() and run.folder.resolve() not in of:
        own = run.evaluated()[0]  # which a config that names where fit began does not
        warn(f"{path}: not of {run.folder}; --ckpt_path {own.stem} takes its {own.name}")
    return str(path), tested.Weights.of(path, checkpoint)


def _of_run(run: Run) -> Path:
    """Returns a run's best checkpoint, or its last if there is no best, and tells so."""
    path, note = run.evaluated()
    if note:
        warn(note)
    elif unsaved := best_score.unsaved(run):
        warn(f"{unsaved}; --ckpt_path last takes the last")
    if not path.exists():
        raise UserError(f"{path}: no such checkpoint; there is no trained model, run fit first")
    return path


def _check_fits(
    path: Path, checkpoint: dict[str, Any], model: ScoredModule, given: Mapping[str, Any]
) -> None:
    """Refuses a checkpoint that is not of this model, with its options and its code."""
    of_lightning = "pytorch-lightning_version" in checkpoint
    checkpoints.refuse(path, "" if of_lightning else "written by hand")
    checkpoints.check_fits(checkpoint, model, path)
    check_pixels(checkpoint, path)
    classes.check_same_module(checkpoint, model, path, given)
    # a score belongs to the weights and the code, and a run's results to those that it trained
    answers.check(checkpoint, _with_all_layers(model), path)


def say_unused(model: ScoredModule, step: str) -> None:
    """Tells which members of a committee have a step of their own, as it is not called there.

    Args:
        model: The model, whose members are loaded if it is a committee.
        step: The step, such as `test_step`.
    """
    nets = nets_of(model) if isinstance(model, EnsembleModule) else []
    kinds = [type(net.module if isinstance(net, Evaluating) else net) for net in nets]
    for kind in dict.fromkeys(kinds):
        if getattr(kind, step) is not getattr(ScoredModule, step):
            warn(
                f"{kind.__module__}.{kind.__qualname__}: its own {step} is not called in a"
                " committee, which averages what its members' `evaluate` returns"
            )


def say_unused_loaders(model: ScoredModule, *stages: str) -> None:
    """Tells which loaders of a module's own are not called, as the data module has the images.

    Args:
        model: The module.
        stages: Among train, val, test and predict.
    """
    for hook in (f"{stage}_dataloader" for stage in stages):
        if overrides(model, LightningModule, hook):
            warn(
                f"{type(model).__name__}.{hook} is not called: the images are those of --data.*;"
                " for others, see examples/README.md"
            )


def _with_all_layers(model: ScoredModule) -> ScoredModule:
    """Returns a copy of a module whose own `setup` makes layers, with them; any other as it is."""
    if not makes_layers_late(model):
        return model
    try:
        with isolate_rng(include_cuda=False):
            made = copies.deep(model)
            made.setup("test")
    except Exception:  # whatever a user's module may raise, such as that it has no trainer yet
        return model
    return made
