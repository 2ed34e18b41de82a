"""The base class of our own commands' parsers: help, errors, passing on the options of `fit`."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lit_mnist import files, program
from lit_mnist.command_line.arguments import refuse_pipes
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.errors import UserError


class CommandParser(argparse.ArgumentParser):
    """The parser of one command; subclasses add its options.

    Class attributes:
        command: Name of the command.
        summary: What it does, in one line for the list of commands.
        details: Further text of its help.
        fit: Whether it accepts the options of `fit` beside its own.
    """

    command = summary = details = ""
    fit = False

    def __init__(self) -> None:
        epilog = f"All options of fit apply: {program.name()} fit --help" if self.fit else None
        super().__init__(
            prog=f"{program.name()} {self.command}",
            description=f"{self.summary[0].upper()}{self.summary[1:]}. {self.details}",
            epilog=epilog,
            allow_abbrev=False,
        )

    def add_jobs(self) -> None:
        """Adds the option for how many runs train at once."""
        jobs = (
            "runs at once (%(default)s: one per GPU, or else one per core, as memory allows), each"
            " with a GPU or an equal share of the cores; 1: one after another on all cores"
        )
        add = self.add_argument
        add("--jobs", type=positive_or_auto, default="auto", metavar="N", help=jobs)

    def parse(self, args: Sequence[str]) -> argparse.Namespace:
        """Parses what follows the command; options of `fit` become the result's `spec`.

        Raises:
            UserError: An option is wrong; names it and the remedy.
        """
        options, rest = self.parse_known_args(list(args))
        for arg in rest:
            self._refuse_abbreviated(arg.partition("=")[0])
        if rest and not self.fit:
            self.error(f"{rest[0]}: there is no such option")
        refuse_pipes(rest, f"runs of {self.command}")
        options.spec = RunSpec.from_args(rest)
        self.check(options)
        return options

    def check(self, options: argparse.Namespace) -> None:
        """Refuses options that do not fit together; subclasses may override this."""

    def refuse_unknown(self, spec: RunSpec) -> None:
        """Refuses options that `fit` lacks; called before a missing option is reported.

        A model's own options are not known without the model, so they end the check.
        """
        if spec.typed and not any(arg.startswith("--model.") for arg in spec.typed):
            from lit_mnist.command_line.parsed_options import parsed_options  # imports torch

            parsed_options(spec)

    def _refuse_abbreviated(self, option: str) -> None:
        full = [name for name in self._option_string_actions if name.startswith(option)]
        if option.startswith("--") and option != "--" and full:
            self.error(f"{option}: options are not abbreviated; write {' or '.join(full)}")

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def path(text: str) -> Path:
    """Reads a path; no shell replaces `~` behind a `=`."""
    if not text:  # as of a variable that is not set, which would be the working folder
        raise argparse.ArgumentTypeError("is empty; name a file or folder")
    files.refuse_url(text)
    return Path(os.path.expanduser(text))


def positive(text: str) -> int:
    """Reads an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not an integer of at least 1")
    return int(text)


def positive_or_auto(text: str) -> int | None:
    """Reads an integer of at least 1; None for `auto`."""
    return None if text == "auto" else positive(text)
