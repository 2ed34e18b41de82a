"""The options of the commands, and what they set up: run folder, trainer, callbacks."""

import inspect
import sys
from argparse import ArgumentError
from pathlib import Path
from typing import Any

from jsonargparse.typing import NonNegativeInt
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.plugins.environments import ClusterEnvironment, SLURMEnvironment
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_mnist.commands import configs, trainer_values
from lit_mnist.commands.arguments import config_files, configs_first
from lit_mnist.commands.messages import one_line
from lit_mnist.commands.names import plain_name, plain_path
from lit_mnist.data.datamodule import MNISTDataModule, Seed
from lit_mnist.errors import UserError
from lit_mnist.models import ensemble, members, modules
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.reports.run_report import Curves
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.folder import Run, flat, read_config
from lit_mnist.training import hardware
from lit_mnist.training.callbacks import (
    MetricsCSV,
    ProgressBar,
    RunFolder,
    StepCheckpoint,
    checkpoints_of,
)
from lit_mnist.training.launcher import by_slurm, launched
from lit_mnist.training.workarounds import PlainTensorBoardLogger, WholeFileCheckpointIO

DEFAULTS = {"max_epochs": 30, "num_sanity_val_steps": 0, "enable_model_summary": False}
# Said for one call, not about the run; kept out of its config.yaml
FOR_THIS_CALL = ("config", "fresh", "ckpt_path", "weights_only")

PURPOSES = {
    "fit": "Trains a model, or resumes its training.",
    "validate": "Scores a trained model on the held-out training images.",
    "test": "Scores a trained model on the test images and draws what it misread.",
    "predict": "Names the digits in image files: --data.images FILE...",
}


class CommandLineWins(LightningCLI):
    """A LightningCLI in which what stands on the command line beats every file."""

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Puts the files first, so that options win wherever they stand (Lightning #17533)."""
        self.config = parser.parse_args(configs_first(args))

    def _parse_ckpt_path(self) -> None:
        """Keeps a checkpoint's hyperparameters from overwriting options (Lightning #21455)."""


class RunOptions(CommandLineWins):
    """LightningCLI that places a run in its folder.

    Args:
        args: The command line, the command first.
    """

    def __init__(self, args: list[str]) -> None:
        self.args = args
        no_exit = {"exit_on_error": False}
        helped = {command: no_exit | _help(command) for command in self.subcommands()}
        super().__init__(
            ScoredModule,
            MNISTDataModule,
            save_config_callback=None,
            trainer_defaults=DEFAULTS,
            parser_kwargs=no_exit | helped,
            subclass_mode_model=True,
            args=args,
            auto_configure_optimizers=False,
        )

    def add_default_arguments_to_parser(self, parser: Any) -> None:
        """Adds what belongs to neither trainer nor model nor data."""
        files = config_files(self.args)
        add = parser.add_argument
        add("--seed_everything", type=Seed, default=42, help="Seed of all randomness.")
        name = Path(files[0]).stem if files else "run"
        add("--name", type=str, default=name, help="The run's name; else the first config file's.")
        add("--log_dir", type=str, default="tb_logs", help="The folder of all runs.")
        add("--fresh", action="store_true", help="With fit: replace the run instead of resuming.")
        steps = "With fit: also write last.ckpt every N steps within an epoch (0: at its end only)."
        add("--every_n_train_steps", type=NonNegativeInt, default=0, help=steps)

    def add_arguments_to_parser(self, parser: Any) -> None:
        """Makes the run's seed the data module's."""
        parser.link_arguments("seed_everything", "data.seed")

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Parses the command line; refuses it in one line."""
        safe_yaml.guard_parser()
        configs.check(config_files(self.args))
        try:
            super().parse_arguments(parser, args)
        except (ArgumentError, ValueError, TypeError, RecursionError) as error:
            raise UserError(one_line(str(error), self.args, self._known_words())) from error

    def _known_words(self) -> list[str]:
        options = [action.dest for action in self._subcommand_parsers[self.args[0]]._actions]
        kinds: list[type] = [ensemble.EnsembleModule, *modules.ClassifierModule.__subclasses__()]
        models = [kind.__name__ for kind in kinds]
        return [*options, *models, *inspect.signature(modules.ClassifierModule).parameters]

    def before_instantiate_classes(self) -> None:
        """Finds the run's folder and settles what the user left to the program."""
        config = self.config[self.subcommand]
        self.fresh, name = bool(config.fresh), plain_name(config.name)
        log_dir = plain_path("--log_dir", config.log_dir)
        plain_path("--data.data_dir", config.data.data_dir)
        configs.check_given("--model", config.model)
        trainer_values.check(config.trainer)
        named = config.get("model.init_args.checkpoints")
        place = f"seed_{config.seed_everything}" if named is None else _committee(named)
        self.run = Run(log_dir / name / place)
        self._suit_launcher(config.trainer)
        self._suit_machine(config)
        self._dump_config()
        self.options: dict[str, Any] = {
            key: value for key, value in self.config_dump.items() if key not in FOR_THIS_CALL
        }

    def _suit_launcher(self, trainer: Any) -> None:
        """Takes as many processes as torchrun or SLURM has started, unless the user says."""
        found = launched()
        if found is None or (trainer.devices, trainer.num_nodes) != ("auto", 1):
            return
        trainer.devices, trainer.num_nodes = found
        if found.devices * found.num_nodes > 1 and trainer.strategy == "auto":
            trainer.strategy = "ddp"

    def _suit_machine(self, config: Any) -> None:
        """Chooses precision and memory layout; a run that goes on keeps those it began with."""
        goes_on = self.run.exists() and not self.fresh
        before = flat(read_config(self.run.file("config.yaml"))) if goes_on else {}
        device = hardware.device_type(config.trainer.accelerator)
        chosen: dict[str, object] = {
            "model.init_args.channels_last": hardware.channels_last(device)
        }
        if self.subcommand == "fit":  # everything else is computed in float32
            chosen["trainer.precision"] = hardware.precision(device)
        for key, value in chosen.items():
            if key in config and config[key] is None:
                config[key] = before.get(key, value)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds our logger, checkpoint writer and callbacks to those of the user."""
        config = self.config_init[self.subcommand]["trainer"]
        self.fast_dev_run = bool(
            config["fast_dev_run"]
        )  # Lightning's dry run leaves nothing behind
        ours: list[Callback] = [] if self.fast_dev_run else self._callbacks()
        if config["logger"] in (None, True) and not self.fast_dev_run:
            folder = self.run.folder
            kwargs["logger"] = PlainTensorBoardLogger(
                folder.parent.parent, folder.parent.name, folder.name, default_hp_metric=False
            )
        kwargs["plugins"] = self._plugins(config["plugins"])
        if config["enable_progress_bar"] is None:
            kwargs["enable_progress_bar"] = sys.stdout.isatty()
            ours += [ProgressBar()] if sys.stdout.isatty() else []
        users = config["callbacks"] or []
        config["callbacks"] = [*(users if isinstance(users, list) else [users]), *ours]
        try:
            return super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError, MisconfigurationException) as error:
            raise UserError(f"--trainer: {' '.join(str(error).split())}") from error

    def _plugins(self, users: Any) -> list[Any]:
        """Adds whole files, and leaves it to SLURM to put a job back into its queue."""
        plugins = list(users) if isinstance(users, list) else [users] if users else []
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins.append(WholeFileCheckpointIO())
        named = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
        if by_slurm() and not named:
            plugins.append(SLURMEnvironment(auto_requeue=False))
        return plugins

    def _callbacks(self) -> list[Callback]:
        if self.subcommand != "fit":
            return []  # those of test and predict need to know the checkpoint
        folder = RunFolder(self.run, self.options, self.fresh)
        steps = self.options["every_n_train_steps"]
        within = [StepCheckpoint(self.run, steps)] if steps else []
        return [folder, MetricsCSV(self.run), *checkpoints_of(self.run), *within, Curves(self.run)]


def _committee(checkpoints: list[str] | str) -> str:
    return f"committee_{len(members.find(checkpoints))}"


def _help(command: str) -> dict[str, str]:
    return {
        "usage": f"python cli.py {command} --config configs/NAME.yaml [options]",
        "description": f"{PURPOSES[command]} A model's options: --model.help DeepConvModule.",
    }
