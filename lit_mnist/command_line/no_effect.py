"""Refuses options that have no effect, as another is off that they need, or overrides them."""

import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lit_mnist.command_line import groups
from lit_mnist.command_line.arguments import config_files, split_configs
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.errors import UserError
from lit_mnist.models.modules import ClassifierModule
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.run_config import flat, read_config

# What switches each on, and how to write that; the data module itself refuses its other extras
_PLATEAU = ("model.init_args.plateau", "--model.plateau true")
_NEEDS = {
    "model.init_args.patience": _PLATEAU,
    "model.init_args.factor": _PLATEAU,
    "model.init_args.min_lr": _PLATEAU,
    "data.interpolation": ("data.augment", "--data.augment true"),
    "trainer.gradient_clip_algorithm": ("trainer.gradient_clip_val", "--trainer.gradient_clip_val"),
}
# Lightning sets them to its value (lightning/pytorch/trainer/setup.py, `_init_debugging_flags`)
_OVERFIT = "trainer.overfit_batches"
_OVERRIDDEN = ("trainer.limit_train_batches", "trainer.limit_val_batches")
# A config with these has all options, as that of a run does
_OF_ALL = {"name", "log_dir", "every_n_train_steps"}


def check(args: Sequence[str], config: Any) -> None:
    """Refuses what a command line, or a config on it, gives without effect.

    An option passes that has its default, that a config gives which switches it on, or which holds
    all options, and that runs of the same name have in their `config.yaml`: they can be resumed.

    Args:
        args: The command line of `fit`.
        config: What the parser has made of it.

    Raises:
        UserError: Naming the option, and the one that it needs or that overrides it.
    """
    _check_overridden(config)
    for option, (switch, remedy) in _NEEDS.items():
        value = config.get(option)
        if switch not in config or config.get(switch) or not _is_known(option, config):
            continue
        if value in (None, _default(option, config)) or _is_of_file(args, option, switch):
            continue
        if not any(one.get(option) == value for one in _saved(config)):
            named = option.replace(".init_args", "")
            raise UserError(
                f"--{named} {value}: has no effect without {remedy}; leave it out, or add that"
            )


def _check_overridden(config: Any) -> None:
    """Refuses limits of batches beside `overfit_batches`."""
    value = config.get(_OVERFIT)
    for option in _OVERRIDDEN if value else ():
        limit = config.get(option)
        if str(limit) in ("None", str(value)):  # 1.0 is no 1
            continue
        if not any(
            (one.get(option), one.get(_OVERFIT)) == (limit, value) for one in _saved(config)
        ):
            raise UserError(
                f"--{option} {limit}: has no effect with --{_OVERFIT} {value}, which sets it; leave"
                " one of them out"
            )


def _is_known(option: str, config: Any) -> bool:
    """Whether a class uses an option as ours do: what a user adds to it may use any of them."""
    kind = pkgutil.resolve_name(config.model.class_path)
    if option.startswith("data."):
        return True
    if not isinstance(kind, type) or not issubclass(kind, ClassifierModule):
        return False
    users = [one for one in kind.__mro__ if one not in ClassifierModule.__mro__]
    own = [one for one in users if not one.__module__.startswith("lit_mnist.")]
    return all(_is_harmless(*item) for base in own for item in vars(base).items())


def _is_harmless(name: str, value: Any) -> bool:
    """Whether an attribute of a class uses no option: its net, or what it has by inheritance."""
    if name in ("net_type", "_abc_impl"):
        return True
    if callable(value):  # of each class, ClassifierModule wraps its base's configure_callbacks
        return str(inspect.unwrap(value).__module__).startswith(("lightning.", "lit_mnist."))
    return name.startswith("__")


def _default(option: str, config: Any) -> Any:
    group, _, name = option.rpartition(".")
    if group == "trainer":
        return None
    ours = group == "data"
    kind = MNISTDataModule if ours else pkgutil.resolve_name(config.model.class_path)
    return next(
        signature[name].default
        for signature in (inspect.signature(base).parameters for base in kind.__mro__)
        if name in signature
    )


def _is_of_file(args: Sequence[str], option: str, switch: str) -> bool:
    """Whether an option is only in files, of which one switches it on or has all options."""
    typed = groups.typed(split_configs(args)[1])
    if typed & {f"--{option}", f"--{option.replace('.init_args', '')}"}:
        return False
    if f"--{option.partition('.')[0]}" in typed:  # as --data FILE, which may switch it on
        return True
    files = [safe_yaml.read(path) for path in config_files(args) if Path(path).is_file()]
    return any(flat(one).get(switch) or one.keys() >= _OF_ALL for one in files)


def _saved(config: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the options of the runs of the same name."""
    for path in Path(config.log_dir, config.name).glob("*/config.yaml"):
        with suppress(UserError):  # of a run that is damaged
            yield flat(read_config(path))
