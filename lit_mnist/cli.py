"""The commands fit, validate, test and predict: LightningCLI over our modules and run folders."""

import inspect
import shlex
import signal
import sys
from argparse import ArgumentError
from pathlib import Path
from typing import Any

from jsonargparse.typing import NonNegativeInt
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException
from torch import nn

from lit_mnist import checkpoints, modules
from lit_mnist.arguments import config_files, images_as_list
from lit_mnist.callbacks import Bar, History, RunFolder, checkpoints_of
from lit_mnist.data import MNISTDataModule
from lit_mnist.errors import UserError
from lit_mnist.messages import one_line
from lit_mnist.reports import Curves, PredictReport, TestReport
from lit_mnist.runs import ResumePoint, Run, resume_point
from lit_mnist.workarounds import (
    CommandLineWins,
    PlainTensorBoardLogger,
    WholeFileCheckpointIO,
    quieten,
)

say = rank_zero_only(print)
DEFAULTS = {"max_epochs": 30, "num_sanity_val_steps": 0, "enable_model_summary": False}


def run(argv: list[str]) -> None:
    """Runs one command; raises UserError for whatever the user can mend."""
    quieten()
    args = images_as_list(argv)
    cli = RunCLI.__new__(RunCLI)
    try:
        cli.__init__(args)  # type: ignore[misc] # LightningCLI runs the command in its __init__
    except ArgumentError as error:
        raise UserError(one_line(str(error), args, cli.known_words())) from error
    except MisconfigurationException as error:
        raise UserError(f"--trainer: {' '.join(str(error).split())}") from error


class RunCLI(CommandLineWins):
    """LightningCLI whose commands work on a run's folder.

    Args:
        args: The command line, the command first.
    """

    def __init__(self, args: list[str]) -> None:
        self.args = args
        no_exit = {"exit_on_error": False}
        super().__init__(
            modules.ClassifierModule,
            MNISTDataModule,
            save_config_callback=None,
            trainer_defaults=DEFAULTS,
            parser_kwargs=no_exit | dict.fromkeys(self.subcommands(), no_exit),
            subclass_mode_model=True,
            args=args,
            auto_configure_optimizers=False,
        )

    # ------------------------------------------------------------ options

    def add_default_arguments_to_parser(self, parser: Any) -> None:
        """Adds what belongs to neither trainer nor model nor data."""
        configs = config_files(self.args)
        add = parser.add_argument
        add("--seed_everything", type=NonNegativeInt, default=42, help="Seed of all randomness.")
        name = Path(configs[0]).stem if configs else "run"
        add("--name", type=str, default=name, help="The run's name; else the first config file's.")
        add("--log_dir", type=str, default="tb_logs", help="The folder of all runs.")
        add("--fresh", action="store_true", help="With fit: replace the run instead of resuming.")

    def add_arguments_to_parser(self, parser: Any) -> None:
        """Makes the run's seed the data module's."""
        parser.link_arguments("seed_everything", "data.seed")

    def known_words(self) -> list[str]:
        """Names every option, model and option of a model, for `did you mean`."""
        options = [action.dest for action in self._subcommand_parsers[self.args[0]]._actions]
        models = [kind.__name__ for kind in modules.ClassifierModule.__subclasses__()]
        return [*options, *models, *inspect.signature(modules.ClassifierModule).parameters]

    # ------------------------------------------------------------ set-up

    def before_instantiate_classes(self) -> None:
        """Finds the run's folder and, for `fit`, where to go on from; refuses early."""
        self.options: dict[str, Any] = self._resolved()
        name, seed = self.options["name"], self.options["seed_everything"]
        if name in ("", ".", "..") or Path(name).name != name:
            raise UserError(f"--name {name}: give a plain name; it becomes a folder in --log_dir")
        self.run = Run(Path(self.options["log_dir"]) / name / f"seed_{seed}")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds our logger, checkpoint writer and callbacks to those of the user."""
        config = self.config_init[self.subcommand]["trainer"]
        self.dry = bool(config["fast_dev_run"])  # Lightning's dry run leaves nothing behind
        ours: list[Callback] = [] if self.dry else self._callbacks()
        if config["logger"] in (None, True) and not self.dry:
            folder = self.run.folder
            kwargs["logger"] = PlainTensorBoardLogger(
                folder.parent.parent, folder.parent.name, folder.name, default_hp_metric=False
            )
        if config["plugins"] is None:
            kwargs["plugins"] = [WholeFileCheckpointIO()]
        if config["enable_progress_bar"] is None:
            kwargs["enable_progress_bar"] = sys.stdout.isatty()
            ours += [Bar()] if sys.stdout.isatty() else []
        config["callbacks"] = [*(config["callbacks"] or []), *ours]
        try:
            return super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError) as error:  # an option with a value that Lightning refuses
            raise UserError(f"--trainer: {' '.join(str(error).split())}") from error

    def _callbacks(self) -> list[Callback]:
        if self.subcommand != "fit":
            return []  # those of test and predict need to know the checkpoint
        folder = RunFolder(self.run, self.options, self.options["fresh"])
        return [folder, History(self.run), *checkpoints_of(self.run), Curves(self.run)]

    def _resolved(self) -> dict[str, Any]:
        self._dump_config()
        return {key: value for key, value in self.config_dump.items() if key != "config"}

    # ------------------------------------------------------------ commands

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except SystemExit as ended:  # which is how Lightning leaves at Ctrl-C and SIGTERM
            number = signal.SIGTERM if isinstance(ended, SIGTERMException) else signal.SIGINT
            again = "; the same command goes on from the last finished epoch"
            say(f"stopped by {number.name}{again if subcommand == 'fit' else ''}")
            raise SystemExit(128 + number) from None

    def fit(
        self, model: LightningModule, datamodule: LightningDataModule, ckpt_path: Any, **_: Any
    ) -> None:
        """Trains, from the start or from where the run's newest checkpoint ends."""
        start = self._starting_point(ckpt_path)
        if start and start.complete:
            say(f"{self.run.folder} is complete: {start.epochs} epochs.")
            say("To train on, raise --trainer.max_epochs; to start afresh, add --fresh.")
            return
        path = start.checkpoint if start else None
        if path:
            checkpoints.check_fits(checkpoints.read(path), model, path)
        count = sum(weights.numel() for weights in model.parameters())
        begin = f"going on after epoch {start.epochs - 1} from {path}" if start else "starting"
        say(f"{self.run.folder}: {type(model).__name__}, {count:,} parameters; {begin}")
        self.trainer.fit(
            model, datamodule, ckpt_path=str(path) if path else None, weights_only=True
        )
        self._after_fit()

    def validate(self, model: LightningModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Scores a trained model on the held-out training images."""
        path, _ = self._trained(model, ckpt_path)
        self.trainer.validate(
            model, datamodule, ckpt_path=str(path), verbose=False, weights_only=True
        )
        say(f"{path}: {self._scores('val')}")

    def test(self, model: LightningModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Scores a trained model on the test images and reports."""
        path, checkpoint = self._trained(model, ckpt_path)
        digest = checkpoints.weights_sha256(checkpoint["state_dict"])
        tested = {"test_checkpoint": str(path), "test_weights_sha256": digest}
        self._add(TestReport(self.run, tested))
        self.trainer.test(model, datamodule, ckpt_path=str(path), verbose=False, weights_only=True)
        results = self.run.results()
        say(f"{path}: {self._scores('test')}  errors {results['test_errors']}")
        say(f"see {self.run.folder}: misclassified.png, confusion.png, curves.png, predictions.csv")

    def predict(self, model: LightningModule, datamodule: Any, ckpt_path: Any, **_: Any) -> None:
        """Names the digits in the user's image files."""
        path, _ = self._trained(model, ckpt_path)
        self._add(PredictReport(self.run))
        self.trainer.predict(
            model, datamodule, ckpt_path=str(path), return_predictions=False, weights_only=True
        )

    def _starting_point(self, ckpt_path: str | None) -> ResumePoint | None:
        if self.dry:
            return None
        found = None if self.options["fresh"] else resume_point(self.run, self.options)
        if ckpt_path and not found:
            path = self._named(ckpt_path)
            return ResumePoint(path, checkpoints.read(path)["epoch"] + 1, complete=False)
        return found

    def _trained(self, model: nn.Module, ckpt_path: str | None) -> tuple[Path, dict[str, Any]]:
        path = self._named(ckpt_path or "best")
        if not ckpt_path and not path.exists():
            raise UserError(f"{path}: no such checkpoint; there is no trained model, run fit first")
        checkpoint = checkpoints.read(path)
        checkpoints.check_fits(checkpoint, model, path)
        return path, checkpoint

    def _named(self, ckpt_path: str) -> Path:
        return {"best": self.run.best, "last": self.run.last}.get(ckpt_path, Path(ckpt_path))

    def _add(self, callback: Callback) -> None:
        self.trainer.callbacks.append(callback)  # type: ignore[attr-defined] # set in its __init__

    def _scores(self, stage: str) -> str:
        names = (f"{stage}_acc", f"{stage}_loss")
        return "  ".join(f"{name} {self.trainer.callback_metrics[name]:.4f}" for name in names)

    def _after_fit(self) -> None:
        if self.trainer.interrupted or self.dry:
            return
        results = self.run.results()
        best = f"best val_acc {results['best_val_acc']:.4f} at epoch {results['best_epoch']}"
        say(f"{best}; {results['seconds']:.0f} s; everything is in {self.run.folder}")
        again = [arg for arg in self.args[1:] if arg != "--fresh"]
        say(f"next: {program()} test {shlex.join(again)}")
        say(f"      tensorboard --logdir {self.options['log_dir']}")


def program() -> str:
    """How the user calls this program: `python cli.py` or `lit-mnist`."""
    name = Path(sys.argv[0]).name
    return f"python {name}" if name.endswith(".py") else name
