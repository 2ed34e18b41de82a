"""Parses the options of `fit` without setting up a run; may instantiate the classes they name."""

from typing import Any

from lit_mnist.command_line import no_effect
from lit_mnist.command_line.dependency_errors import explaining
from lit_mnist.command_line.run_parser import RunParser
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.models import modules
from lit_mnist.workarounds.applied import applied


class _Parsed(RunParser):
    """A LightningCLI that only parses."""

    def instantiate_classes(self) -> None:
        """Instantiates nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs nothing."""


class _Constructed(RunParser):
    """A LightningCLI that instantiates what its options name, but no trainer."""

    def before_instantiate_classes(self) -> None:
        """Refuses options without effect, as `fit` does."""
        no_effect.check(self.args, self.config["fit"])

    def instantiate_trainer(self, **_: Any) -> Any:
        """Instantiates none, as that needs the devices."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs nothing."""


def check_constructors(spec: RunSpec) -> None:
    """Instantiates the classes that the options of a run name: model, callbacks, loggers.

    Raises:
        UserError: The constructor of one refuses its arguments, or an option is wrong or has no
            effect.
    """
    with explaining(), applied():
        _Constructed(spec.argv("fit"))


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
