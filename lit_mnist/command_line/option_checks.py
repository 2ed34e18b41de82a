"""Refuses bad values of options that the parser or Lightning would accept silently."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger

from lit_mnist import files
from lit_mnist.command_line import groups
from lit_mnist.command_line.arguments import shipped_configs
from lit_mnist.errors import UserError
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.folder import Run

# Smallest sensible values, where Lightning does not check
_LOWEST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "fast_dev_run": 0,
    "gradient_clip_val": 0,
    "limit_predict_batches": 0,
    "limit_test_batches": 0,
    "limit_train_batches": 0,
    "limit_val_batches": 0,
    "log_every_n_steps": 0,
    "max_epochs": -1,
    "min_epochs": 0,
    "min_steps": 0,
    "num_nodes": 1,
    "num_sanity_val_steps": -1,
}
# Options of Lightning's commands, with the values that change nothing here
_UNUSED = {"verbose": (True,), "weights_only": (None, True), "return_predictions": (None, False)}
_FEW = 8  # this many processes on a CPU are accepted, however few its cores


def check_configs(paths: Iterable[str]) -> None:
    """Checks that each config file exists and holds options.

    Raises:
        UserError: A file is wrong; names it and the problem.
    """
    for name in paths:
        path = Path(name)
        if not name:
            raise UserError("--config: is empty; name a file, or leave the option out")
        if "\0" in name:
            raise UserError(f"--config {name!r:.99}: not a file name")
        files.refuse_url(name, "--config")
        try:
            if not path.exists():
                names = ", ".join(shipped_configs())
                raise UserError(f"--config {name}: no such file; name one, or one of {names}")
            if path.is_dir():
                raise UserError(f"--config {name}: is a folder; name a file, such as config.yaml")
            if not path.is_file():
                continue
            content = safe_yaml.read(name)
        except OSError:
            continue
        if not isinstance(content, dict):
            raise UserError(f"{name}: holds no options, such as `name: value` on each line")
        if "config" in content:
            raise UserError(f"{name}: config: a file cannot name another; give each with --config")
        groups.check_file(name, content)


def check_checkpoint(path: Any) -> None:
    """Refuses an empty path, as from an unset shell variable, which would mean the best checkpoint.

    Raises:
        UserError: The path is empty, or a URL.
    """
    files.refuse_url(str(path), "--ckpt_path")
    if path == "":
        raise UserError("--ckpt_path: is empty; name a checkpoint, or leave the option out")


def check_pictures(args: Sequence[str]) -> None:
    """Refuses pictures, and how they are read, for a command other than `predict`.

    In a config file, which several commands may share, they are accepted.

    Args:
        args: The command line, starting with the command.

    Raises:
        UserError: Naming the command that reads pictures.
    """
    for option in ("--data.images", "--data.layout"):
        if args[0] != "predict" and option in groups.typed(args):
            raise UserError(f"{option}: has no effect; only predict reads pictures")


def check_unused(config: Any) -> None:
    """Refuses values of Lightning's options that would have no effect; raises UserError."""
    for name, values in _UNUSED.items():
        if config.get(name, values[0]) not in values:
            raise UserError(f"--{name} {config[name]}: has no effect; leave it out")


def plain_name(name: Any) -> str:
    """Checks the name of a run, which is also the name of a folder.

    Raises:
        UserError: The name is a path, or has characters that no folder or terminal can show.
    """
    plain = isinstance(name, str) and name.isprintable() and Path(name).name == name
    plain = plain and name == name.strip()  # nobody sees a space at its end, and Windows drops it
    if not plain or name in ("", ".", "..") or name[0] == "-" or len(os.fsencode(name)) > 200:
        raise UserError(f"--name {name!s:.99}: give a plain name; it becomes a folder in --log_dir")
    return name


def plain_path(option: str, path: Any) -> Path:
    """Checks that an option's value can be the path of a folder; replaces `~` in it.

    Raises:
        UserError: It cannot, is a URL, or is empty, as a shell's unset variable is.
    """
    files.refuse_url(str(path), option)
    if path and isinstance(path, str) and "\0" not in path and len(os.fsencode(path)) < 1024:
        place = Path(os.path.expanduser(path))  # no shell does it in a file, or behind a =
        # Lightning and TensorBoard would replace the ~ that is left of ./~
        return place.absolute() if str(place)[0] == "~" else place
    raise UserError(f"{option} {str(path)!a:.99}: give the path of a folder")


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Checks the parsed options of the trainer.

    Raises:
        UserError: A value is wrong; names the option and the values that it may take.
    """
    for name, lowest in _LOWEST.items():
        value = trainer.get(name)
        if isinstance(value, (int, float)) and not value >= lowest:
            raise UserError(f"--trainer.{name} {value}: take {lowest} or more")
    interval = trainer.get("val_check_interval")
    lowest = 1 if isinstance(interval, int) else 0  # 0.0 is Lightning's "after every batch"
    if isinstance(interval, (int, float)) and not interval >= lowest:
        raise UserError(
            f"--trainer.val_check_interval {interval}: take 1 or more batches, or a fraction of an"
            " epoch; --trainer.limit_val_batches 0 turns validation off"
        )
    if trainer.get("barebones"):
        raise UserError(
            "--trainer.barebones: records no scores or checkpoints, of which a run consists;"
            " leave it out, or use it with your own Trainer in Python"
        )
    for unit in ("epochs", "steps"):
        _check_limits(unit, trainer.get(f"min_{unit}"), trainer.get(f"max_{unit}"))
    _check_processes(trainer.get("devices"), trainer.get("accelerator"))


def _check_limits(unit: str, low: int | None, high: int | None) -> None:
    """Refuses a minimum above the maximum, which Lightning would ignore."""
    if low is not None and high is not None and 0 <= high < low:
        raise UserError(
            f"--trainer.min_{unit} {low}: has no effect above --trainer.max_{unit} {high}; lower"
            " the one, or raise the other"
        )


def check_loggers(loggers: Iterable[Logger], folder: Path) -> None:
    """Refuses a CSVLogger in the run's folder, where it would write to the run's `metrics.csv`.

    In the folder of another run, any logger is refused.

    Raises:
        UserError: Naming the folder.
    """
    for logger in loggers:
        place = Path(logger.log_dir or os.devnull)  # None for loggers without a folder
        own = place.resolve() == folder.resolve()
        if not own and (Run(place).exists() or Run(place).results_json.exists()):
            raise UserError(
                f"--trainer.logger: {type(logger).__name__} would write to {place}, which is"
                " another run's; give it another save_dir, name or version"
            )
        if own and isinstance(logger, CSVLogger):
            raise UserError(
                f"--trainer.logger: CSVLogger has a metrics.csv of its own, and {folder} another;"
                " give it another save_dir, name or version"
            )


def _check_processes(devices: Any, accelerator: Any) -> None:
    """Refuses more processes on a CPU than the machine can run."""
    limit = max(_FEW, os.cpu_count() or 1)
    count = int(devices) if str(devices).isdecimal() else 1
    if count > limit and accelerator in ("auto", "cpu"):
        raise UserError(
            f"--trainer.devices {devices}: each is a process of its own on a CPU; take {limit} or"
            " fewer"
        )
