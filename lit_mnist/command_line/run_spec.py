"""The options of a run, not yet parsed, for passing runs between commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from lit_mnist.command_line.arguments import as_yaml, split_configs


@dataclass(frozen=True)
class RunSpec:
    """The options of a run, before they are parsed.

    Attributes:
        configs: Config files or names of shipped ones; later ones override earlier ones.
        typed: Other options, as the user typed them.
        settings: Options that a command sets, by name; they override all others.
    """

    configs: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_args(cls, args: Sequence[str]) -> Self:
        """Creates a spec from a command line without its command."""
        configs, typed = split_configs(args)
        return cls(tuple(configs), tuple(typed))

    @property
    def names(self) -> set[str]:
        """The typed options, without their values."""
        return {arg.partition("=")[0] for arg in self.typed}

    @property
    def names_model(self) -> bool:
        """Whether a model is among the typed options, or may be in a config."""
        return bool(self.configs or self.names & {"--model", "--model.class_path"})

    def with_settings(self, settings: Mapping[str, object]) -> Self:
        """Returns a copy with further options set."""
        return replace(self, settings={**self.settings, **settings})

    def with_seed(self, seed: int) -> Self:
        """Returns a copy with another seed."""
        return self.with_settings({"seed_everything": seed})

    def argv(self, command: str) -> list[str]:
        """Returns the command line that runs `command`, such as fit, with these options."""
        configs = [part for config in self.configs for part in ("--config", config)]
        settings = [f"--{name}={_as_typed(value)}" for name, value in self.settings.items()]
        return [command, *configs, *self.typed, *settings]


def _as_typed(value: object) -> str:
    return value if isinstance(value, str) else as_yaml(value)
