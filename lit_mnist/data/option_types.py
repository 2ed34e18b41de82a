"""Types of the data module's numeric options."""

from typing import TYPE_CHECKING, TypeAlias

from jsonargparse.typing import restricted_number_type

from lit_mnist.errors import UserError

SEEDS = 2**32  # how many NumPy and Lightning take, from 0

if TYPE_CHECKING:
    Seed: TypeAlias = int
    Folds: TypeAlias = int
else:
    Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", SEEDS)])
    Folds = restricted_number_type("Folds", int, [(">=", 2)])


def plain_sizes(batch_size: int, eval_batch_size: int) -> tuple[int, int]:
    """Returns plain numbers; the parser checks only its own options, not those given in Python.

    Raises:
        UserError: One is below 1.
    """
    for name, size in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
        if size < 1:
            raise UserError(f"--data.{name} {size}: take 1 or more")
    return int(batch_size), int(eval_batch_size)
