"""Messages of `fit`: before training, when nothing is left to train, and after training."""

import math
import shlex
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch.nn.parameter import is_lazy

from lit_mnist import program, trainers
from lit_mnist.command_line.arguments import config_files, is_pipe
from lit_mnist.commands import jobs
from lit_mnist.commands.starting_point import StartingPoint
from lit_mnist.machine.hardware import device_name
from lit_mnist.messages import say
from lit_mnist.runs import best_score, checkpoints, safe_yaml
from lit_mnist.runs.ended import Ended
from lit_mnist.runs.folder import Run
from lit_mnist.runs.restored import restore
from lit_mnist.runs.resume import ResumePoint


def say_begins(
    run: Run,
    options: dict[str, Any],
    trainer: Trainer,
    model: LightningModule,
    point: ResumePoint | None,
) -> None:
    """Tells what is trained, from where, and in which arithmetic."""
    count = sum(one.numel() for one in model.parameters() if not is_lazy(one))
    kind = type(model).__name__
    say(f"{run.folder}: {kind}, {count:,} parameters; {point or 'starting'}")
    layout = options["model"].get("init_args", {}).get("channels_last")
    order = "channels last" if layout else "channels first"
    device = device_name(trainer.strategy.root_device)
    chosen = f"{device}: precision {trainers.precision(trainer)}, {order}"
    pins = "plugins" if options["trainer"]["precision"] is None else "precision"
    say(f"{chosen} (--trainer.{pins} and --model.channels_last pin them)")


@rank_zero_only
def say_done(run: Run, options: dict[str, Any], begin: StartingPoint) -> None:
    """Prints why nothing is left to train, and what would change that."""
    if begin.resume is None:
        print(f"{begin.done}; raise it")
        return
    epochs, ended = begin.resume.epochs, begin.resume.ended or Ended(begin.done)
    left = begin.resume.left and f" (the last {begin.resume.left})"
    print(f"{run.folder} is complete: {epochs} epoch{'s' * (epochs != 1)}{left}; {begin.done}.")
    remedy = ended.remedy or ("raise that limit" if ended.limit else "")
    train_on = f"To train on, {remedy}; to" if remedy else "To"
    print(f"{train_on} start afresh, add --fresh.")
    restore(run, options, begin.resume.checkpoint)
    if run.results().get("status") != "complete":  # killed after the last step of training
        by = {"ended_by": ended.limit} if ended.limit else {}
        steps = begin.resume.total_steps
        run.update_results(status="complete", **by, epochs=epochs, steps=steps)


@rank_zero_only
def say_results(run: Run, options: dict[str, Any], args: list[str]) -> None:
    """Prints how training has ended, and what to do next.

    Args:
        run: The folder.
        options: The resolved config.
        args: The command line, starting with the command.
    """
    results = run.results()
    kept = run.exists()
    if not kept and options["trainer"]["enable_checkpointing"] is not False:
        best = "nothing was trained, so there is nothing to test"
    elif not kept:
        best = f"{why_no_best(run)}, so there is nothing to test"
    elif "best_val_acc" in results:
        best = f"best val_acc {results['best_val_acc']:.4f} at epoch {results['best_epoch']}"
    else:
        best = f"{why_no_best(run)}, so there is no best.ckpt; test takes last.ckpt"
    print(f"{best}; {results.get('seconds', 0):.0f} s; everything is in {run.folder}")
    if note := best_score.unsaved(run):
        print(f"{note}; --ckpt_path last takes the last")
    if note := _short_of_minimum(results, options["trainer"]):
        print(note)
    if jobs.is_job():
        return
    tested = for_test(args[1:], run)
    if options["trainer"]["limit_test_batches"] == 0:  # which test refuses
        tested += ["--trainer.limit_test_batches", "1.0"]
    test = f"{program.name()} test {shlex.join(tested)}"
    print(f"next: {test}\n      " if kept else "next: ", end="")
    print(f"tensorboard --logdir {shlex.quote(options['log_dir'])}")


def _short_of_minimum(results: dict[str, Any], trainer: dict[str, Any]) -> str:
    """Tells that `max_epochs` has ended training before `min_steps`, as it does in Lightning."""
    steps, wanted = results.get("steps", 0), trainer["min_steps"] or 0
    if results.get("ended_by") != "max_epochs" or steps >= wanted:
        return ""
    return (
        f"--trainer.min_steps {wanted} is not reached: --trainer.max_epochs {trainer['max_epochs']}"
        f" ended training after {steps} steps; raise it to train on"
    )


def why_no_best(run: Run) -> str:
    """Returns why a run that was trained has no best checkpoint."""
    if not run.exists():
        return "no checkpoint was kept"
    known = {name for row in run.history() for name, value in row.items() if not math.isnan(value)}
    if "val_acc" in known:
        return "the weights changed after each validation"
    if "val_loss" in known or _validated(run):  # under names of the module's own
        return "the model logs no number as val_acc, by which the best is chosen"
    return "nothing was validated"


def _validated(run: Run) -> bool:
    if not run.last.exists():
        return False
    loops = checkpoints.read(run.last)["loops"]["fit_loop"]
    return bool(loops["epoch_loop.val_loop.batch_progress"]["total"]["ready"])


def for_test(args: list[str], run: Run) -> list[str]:
    """Returns the options of `fit` that `test` needs, without the starting checkpoint.

    If a config file names that one, `test` would take it, unless it is given the run's own. Weights
    that were set after the last epoch are what is to be tested. A pipe cannot be read again; the
    run's own config has all options.

    Args:
        args: The options.
        run: The folder.
    """
    kept, skip = [], False
    for arg in args:
        if not skip and arg.partition("=")[0] not in ("--ckpt_path", "--fresh"):
            kept.append(arg)
        skip = arg == "--ckpt_path"
    if any(map(is_pipe, config_files(args))):
        kept = ["--config", str(run.config_yaml)]
    last, own = best_score.set_at_end(run), run.evaluated()[0]
    if any(map(_names_start, config_files(args))) or (last and own != run.last):
        kept += ["--ckpt_path", (run.last if last else own).stem]
    return kept


def _names_start(config: str) -> bool:
    path = Path(config)
    if not path.is_file():  # a pipe, which was read
        return False
    content = safe_yaml.load(path.read_text(encoding="utf-8"))
    return isinstance(content, dict) and bool(content.get("ckpt_path"))
