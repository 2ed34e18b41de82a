"""The parser of fit, validate, test and predict: LightningCLI's, plus the options of a run."""

import inspect
import re
from argparse import ArgumentError
from typing import Any, Union, get_args, get_origin

from jsonargparse.typing import NonNegativeInt
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.strategies import Strategy

from lit_mnist import program
from lit_mnist.command_line import constructors, durations, groups, named_class, option_checks
from lit_mnist.command_line.arguments import config_files, configs_first, default_name
from lit_mnist.command_line.error_messages import parser_error
from lit_mnist.command_line.overview import RUN_COMMANDS
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.data.option_types import Seed
from lit_mnist.errors import UserError
from lit_mnist.models import ensemble, modules
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.runs import safe_yaml

# Parsers by command: building one takes longer than parsing. Subclasses share them, as they differ
# in what they do with the options alone
_BUILT: dict[str, tuple[Any, Any, Any]] = {}
# Classes of this package's own use, in the parser's lists of all that an option could name
_INTERNAL = re.compile(
    r",\s+lit_mnist\.(?:logs|reports|resuming|training|models\.[a-z_]+)(?:\.\w+)+"
)
# Options that take a class or a word: the parser takes the first that fits
_NAMED = {"trainer.accelerator": Accelerator | str, "trainer.strategy": Strategy | str}
# Lightning chooses autocast's device by the word, and this program the precision
_WORDS = {"CPUAccelerator": "cpu", "CUDAAccelerator": "cuda", "MPSAccelerator": "mps"}
DEFAULTS = {"max_epochs": 30, "num_sanity_val_steps": 0, "enable_model_summary": False}


class CommandLineWins(LightningCLI):
    """A LightningCLI in which options on the command line override every file."""

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Moves config files to the front, so that options always override (Lightning #17533)."""
        self.config = parser.parse_args(configs_first(args))

    def _parse_ckpt_path(self) -> None:
        """Prevents a checkpoint's hyperparameters from overriding options (Lightning #21455)."""


class RunParser(CommandLineWins):
    """LightningCLI with the options that place a run in its folder.

    Args:
        args: The command line, starting with the command.
    """

    def __init__(self, args: list[str]) -> None:
        self.args = args
        # no abbreviations: of an abbreviated --config, the run's default name would not be known
        common = {"exit_on_error": False, "allow_abbrev": False}
        super().__init__(
            ScoredModule,
            MNISTDataModule,
            save_config_callback=None,
            trainer_defaults=DEFAULTS,
            parser_kwargs=common | {args[0]: common | {"description": _description(args[0])}},
            subclass_mode_model=True,
            args=args,
            auto_configure_optimizers=False,
        )
        self.parser._instantiators = None  # or it would keep model and trainer

    def setup_parser(self, add_subcommands: bool, main_kwargs: Any, subparser_kwargs: Any) -> None:
        """Builds the parser once per process, as a committee parses many command lines."""
        command = self.args[0]
        if command not in _BUILT:
            super().setup_parser(add_subcommands, main_kwargs, subparser_kwargs)
            built = self.parser, self._subcommand_parsers, self._subcommand_method_arguments
            _BUILT[command] = built
            _list_no_internal_classes(self._subcommand_parsers[command])
            groups.pass_over_empty(self._subcommand_parsers[command])
        self.parser, self._subcommand_parsers, self._subcommand_method_arguments = _BUILT[command]
        files = config_files(self.args)
        parser = self._subcommand_parsers[command]
        parser.set_defaults(name=default_name(files))
        parser.usage = f"{program.name()} {command} --config CONFIG [options]"

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override] # theirs is static
        """Limits LightningCLI to the given command, as building all four parsers is slow."""
        return {self.args[0]: super().subcommands()[self.args[0]]}

    def add_default_arguments_to_parser(self, parser: Any) -> None:
        """Adds the options that belong to neither trainer, model nor data."""
        add = parser.add_argument
        add("--seed_everything", type=Seed, default=groups.SEED, help="Seed of all randomness.")
        add("--name", type=str, default="run", help="Name of the run (that of the first config).")
        add("--log_dir", type=str, default="tb_logs", help="Folder of all runs.")
        add("--fresh", action="store_true", help="With fit: replace the run instead of resuming.")
        if self.args[0] == "predict":
            output = "Folder for digits.csv, digits.json and digits.png (the run's)."
            add("--output", type=str, default=None, help=output)
        steps = "With fit: also write last.ckpt every N steps within an epoch (0: at its end only)."
        add("--every_n_train_steps", type=NonNegativeInt, default=0, help=steps)

    def add_arguments_to_parser(self, parser: Any) -> None:
        """Links the data module's seed to the run's, and parses 1 as an integer.

        The dotted name of a strategy or an accelerator is parsed as a class also where none of its
        options is given.
        """
        parser.link_arguments("seed_everything", "data.seed")
        for action in parser._actions:
            action._typehint = _whole_numbers_first(getattr(action, "_typehint", None))
            if action.dest in _NAMED:
                action._typehint = _NAMED[action.dest]

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Parses the command line; errors are one line."""
        safe_yaml.guard_parser()
        option_checks.check_configs(config_files(self.args))
        option_checks.check_pictures(self.args)
        groups.check_typed(self.args)
        try:
            super().parse_arguments(parser, args)
        except Exception as error:
            if failed := named_class.failed_import(error):
                raise failed from error
            if not isinstance(error, (ArgumentError, ValueError, TypeError, RecursionError)):
                raise
            raise UserError(parser_error(str(error), self.args, self._known_words())) from error

    def checked(self) -> Any:
        """Checks the parsed options of run, trainer and data; returns them, with `~` replaced.

        Raises:
            UserError: A value is wrong that the parser accepts.
        """
        command = self.args[0]
        config = self.config[command]
        constructors.check_nulls(self._subcommand_parsers[command], config)
        if not isinstance(config.fresh, bool):  # a file's "false" would replace the run
            raise UserError(f"--fresh {config.fresh!r:.99}: give true or false, without quotes")
        if not config.name and not default_name(config_files(self.args)):
            raise UserError("--config: a pipe gives the run no name; add --name NAME")
        config.log_dir = str(option_checks.plain_path("--log_dir", config.log_dir))
        data = config.data
        data.data_dir = str(option_checks.plain_path("--data.data_dir", data.data_dir))
        config.trainer.accelerator = _as_word(config.trainer.accelerator)
        option_checks.check_trainer(config.trainer)
        durations.check(config.trainer)
        return config

    def _known_words(self) -> list[str]:
        options = [f"--{action.dest}" for action in self._subcommand_parsers[self.args[0]]._actions]
        kinds: list[type] = [ensemble.EnsembleModule, *modules.ClassifierModule.__subclasses__()]
        models = [kind.__name__ for kind in kinds]
        return [*inspect.signature(modules.ClassifierModule).parameters, *models, *options]


def _as_word(accelerator: Any) -> Any:
    """Returns the word for a class of Lightning's own; any other value as it is."""
    room, _, name = getattr(accelerator, "class_path", "").rpartition(".")
    is_own = room.startswith("lightning.pytorch.accelerators")
    return _WORDS.get(name, accelerator) if is_own else accelerator


def _list_no_internal_classes(parser: Any) -> None:
    """Leaves callbacks and loggers out of a parser's help that only this program adds."""
    whole = parser.format_help
    parser.format_help = lambda: _INTERNAL.sub("", whole())


def _whole_numbers_first(kind: Any) -> Any:
    """Orders the types of an option so that 1 is a number of batches, and 1.0 means all of them.

    `Union[int, float]` and `Union[float, int]` are equal, and `typing` returns whichever was
    created first in the process for both; the parser uses the first type that fits.
    """
    kinds = get_args(kind) if get_origin(kind) is Union else ()
    if not {int, float} <= set(kinds):
        return kind
    remaining = [other for other in kinds if other not in (int, float)]
    return Union[tuple([int, float, *remaining])]  # noqa: UP007 # made at run time


def _description(command: str) -> str:
    summary = RUN_COMMANDS[command]
    return f"{summary[0].upper()}{summary[1:]}. A model's options: --model.help DeepConvModule."
