"""Parses the options of `fit` without instantiating anything."""

from typing import Any

from lit_mnist.commands.run_parser import RunParser
from lit_mnist.commands.run_spec import RunSpec
from lit_mnist.models import modules
from lit_mnist.workarounds.applied import applied


class _Parsed(RunParser):
    """A LightningCLI that only parses."""

    def instantiate_classes(self) -> None:
        """Instantiates nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs nothing."""


def parsed_options(spec: RunSpec) -> dict[str, Any]:
    """Returns the options of a run, by name; the model may be left out.

    Raises:
        UserError: An option is wrong.
    """
    if not spec.names_model:
        spec = spec.with_settings({"model": modules.DenseModule.__name__})
    with applied():
        options: dict[str, Any] = _Parsed(spec.argv("fit")).checked().as_dict()
    return options
