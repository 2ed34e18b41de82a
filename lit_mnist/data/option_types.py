"""Types of the data module's options, and checks of those that are given in Python."""

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args

from jsonargparse.typing import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    restricted_number_type,
)

from lit_mnist.errors import UserError

Choice = TypeVar("Choice", bound=str)
SEEDS = 2**32  # how many NumPy and Lightning take, from 0

if TYPE_CHECKING:
    Seed: TypeAlias = int
    Folds: TypeAlias = int
else:
    Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", SEEDS)])
    Folds = restricted_number_type("Folds", int, [(">=", 2)])

_TAKEN: dict[type, str] = {
    PositiveInt: "1 or more",
    NonNegativeInt: "0 or more",
    NonNegativeFloat: "0 or more",
    Seed: f"0 to {SEEDS - 1}",
    Folds: "2 or more",
}


def plain(name: str, value: float, kind: type) -> Any:
    """Returns a plain number; the parser checks only its own options, not those given in Python.

    Args:
        name: The option.
        value: What it is given.
        kind: The type of its numbers.

    Raises:
        UserError: It is none of them.
    """
    try:
        number = kind(value)
        if number != value:  # such as a text, or part of a number
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"--data.{name} {value!r:.99}: take {_taken(kind)}") from None
    return float(number) if isinstance(number, float) else int(number)


def _taken(kind: type) -> str:
    return f"{_TAKEN[kind]}{'' if issubclass(kind, float) else ', a whole number'}"


def one_of(name: str, value: Choice, kind: Any) -> Choice:
    """Returns a value, which the parser checks only if it is not given in Python.

    Args:
        name: The option.
        value: What it is given.
        kind: The `Literal` that lists its values.

    Raises:
        UserError: It is none of them.
    """
    if value not in get_args(kind):
        choices = " or ".join(get_args(kind))
        raise UserError(f"--data.{name} {value!r:.99}: take {choices}")
    return value
