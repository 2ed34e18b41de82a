"""The options of the commands, and what they set up: run folder, trainer, callbacks."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import progress
from lightning.pytorch.plugins.environments import ClusterEnvironment, SLURMEnvironment
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_mnist.command_line import (
    callback_checks,
    constructors,
    dependency_errors,
    option_checks,
    precision_checks,
    rank_checks,
)
from lit_mnist.command_line.arguments import refuse_pipes
from lit_mnist.command_line.run_parser import RunParser
from lit_mnist.commands.fit_callbacks import fit_callbacks
from lit_mnist.data.split import check_fold
from lit_mnist.logs.run_logger import RunLogger
from lit_mnist.logs.unlogged import Unlogged
from lit_mnist.machine import hardware
from lit_mnist.machine.launcher import by_slurm, launched
from lit_mnist.models import members
from lit_mnist.resuming.across_resumes import in_order
from lit_mnist.resuming.plain_states import PlainStates
from lit_mnist.runs import regular_files, safe_yaml
from lit_mnist.runs.folder import Run
from lit_mnist.runs.run_config import flat, read_config
from lit_mnist.training import checkpoint_names, save_folders
from lit_mnist.training.callbacks import ProgressBar
from lit_mnist.training.checkpoint_io import whole_files

# jsonargparse's prefix for values it takes for class instances, such as a device or the name of a
# library's function
_UNSERIALIZED = "Unable to serialize instance "
# Options of a single call; left out of config.yaml, which any command may be given
FOR_THIS_CALL = ("config", "fresh", "output", "ckpt_path", "weights_only", "verbose")


class RunOptions(RunParser):
    """LightningCLI that settles a run's folder, trainer and callbacks.

    Args:
        args: The command line, the command first.
        extra: Callbacks for `fit` beside those of the options.
    """

    def __init__(self, args: list[str], extra: Sequence[Callback] = ()) -> None:
        self.extra = extra
        super().__init__(args)

    def before_instantiate_classes(self) -> None:
        """Finds the run's folder and settles what the user left to the program."""
        config = self.checked()
        self.fresh, name = bool(config.fresh), option_checks.plain_name(config.name)
        log_dir = Path(config.log_dir)
        output = config.get("output")
        self.output = output and option_checks.plain_path("--output", output)
        constructors.check("--model", config.model)
        option_checks.check_checkpoint(config.get("ckpt_path"))
        option_checks.check_unused(config)
        constructors.check_callbacks(config.trainer.callbacks)
        constructors.check_dict_kwargs(config.model, config.trainer)
        named = config.get("model.init_args.checkpoints")
        part = config.data.folds, config.data.fold
        check_fold(*part, needed=named is None)
        if named is None:
            self.run = Run.of_seed(log_dir, name, config.seed_everything, *part)
        else:
            self.run = Run.of_committee(log_dir, name, len(members.find(named)), *part)
        regular_files.check(self.run)
        self._suit_launcher(config.trainer)
        self._suit_machine(config)
        self.options = self._resolved()

    def _resolved(self) -> dict[str, Any]:
        # As Lightning does it, but for checking all values once more, and for what follows another
        # option: `data.seed` in a config would be in the way of another `seed_everything`
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", rf"\s*{_UNSERIALIZED}[^<]*$")
            dumped = self.parser.dump(
                self.config, skip_validation=True, format="yaml", skip_none=False
            )
        self.config_dump = safe_yaml.load_dumped(dumped)[self.subcommand]
        dump = _as_given(self.config_dump)
        return {key: value for key, value in dump.items() if key not in FOR_THIS_CALL}

    def _suit_launcher(self, trainer: Any) -> None:
        """Takes as many processes as torchrun or SLURM has started, unless the user says."""
        found = launched()
        if found is None or (trainer.devices, trainer.num_nodes) != ("auto", 1):
            return
        trainer.devices, trainer.num_nodes = found
        if found.devices * found.num_nodes > 1 and trainer.strategy == "auto":
            trainer.strategy = "ddp"

    def _suit_machine(self, config: Any) -> None:
        """Chooses precision and memory layout; a resumed run keeps its own."""
        resuming = self.run.exists() and not self.fresh
        before = flat(read_config(self.run.config_yaml)) if resuming else {}
        device = hardware.device_type(config.trainer.accelerator)
        chosen: dict[str, object] = {
            "model.init_args.channels_last": hardware.channels_last(device)
        }
        named = precision_checks.plugin(config.trainer)
        if self.subcommand == "fit" and not named:  # everything else is computed in float32
            chosen["trainer.precision"] = hardware.precision(device)
        for key, value in chosen.items():
            if key in config and config[key] is None:
                config[key] = before.get(key, value)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds our logger, checkpoint writer and callbacks to those of the user."""
        config = self.config_init[self.subcommand]["trainer"]
        # A trial of a few steps leaves nothing behind
        self.fast_dev_run = bool(config["fast_dev_run"])
        ours = self._own_callbacks()
        if config["logger"] in (None, True) and not self.fast_dev_run:
            kwargs["logger"] = self._logger()
        kwargs["plugins"] = self._plugins(config["plugins"])
        users = constructors.listed(config["callbacks"])
        if config["enable_progress_bar"] is None:
            has_bar = any(isinstance(one, progress.ProgressBar) for one in users)
            kwargs["enable_progress_bar"] = has_bar or sys.stdout.isatty()
            ours += [ProgressBar()] if sys.stdout.isatty() and not has_bar else []
        config["callbacks"] = in_order([*users, *ours])
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError, RuntimeError, MisconfigurationException) as error:
            raise dependency_errors.of_trainer(error) from error
        self._check_trainer(trainer, config["devices"])
        return trainer

    def _own_callbacks(self) -> list[Callback]:
        ours: list[Callback] = [checkpoint_names.CheckpointNames(self.run)]
        ours += [save_folders.SaveFolders(), PlainStates()]
        if self.subcommand == "fit" and not self.fast_dev_run:  # others need the checkpoint first
            ours += [*fit_callbacks(self.run, self.options, self.fresh), *self.extra]
        return ours

    def _check_trainer(self, trainer: Trainer, devices: Any) -> None:
        """Refuses a trainer whose parts cannot work together; raises UserError."""
        rank_checks.check(trainer, devices)
        precision_checks.check(trainer, self.model)
        if trainer.num_devices > 1 and trainer.strategy.launcher:  # which starts the other ranks
            refuse_pipes(self.args, "ranks")
        callback_checks.check(trainer)
        option_checks.check_loggers(trainer.loggers, self.run.folder)
        checkpoint_names.check(trainer, self.run)
        if self.subcommand == "fit":
            save_folders.check(trainer)

    def _logger(self) -> RunLogger:
        folder = self.run.folder
        kind = RunLogger if self.subcommand in ("fit", "test") else Unlogged
        return kind(folder.parent.parent, folder.parent.name, folder.name, default_hp_metric=False)

    def _plugins(self, users: Any) -> list[Any]:
        """Adds whole files, and leaves it to SLURM to put a job back into its queue."""
        plugins = whole_files(constructors.listed(users), self.run)
        named = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
        if by_slurm() and not named:
            plugins.append(SLURMEnvironment(auto_requeue=False))
        return plugins


def _as_given(value: Any) -> Any:
    """Returns the values of a config that are named `_UNSERIALIZED` as they were given."""
    if isinstance(value, dict):
        return {key: _as_given(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_given(part) for part in value]
    return value.removeprefix(_UNSERIALIZED) if isinstance(value, str) else value
