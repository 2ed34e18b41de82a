"""Types of the data module's numeric options."""

from typing import TYPE_CHECKING, TypeAlias

from jsonargparse.typing import restricted_number_type

if TYPE_CHECKING:
    Seed: TypeAlias = int
    Folds: TypeAlias = int
else:
    # what NumPy and Lightning take as a seed
    Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", 2**32)])
    Folds = restricted_number_type("Folds", int, [(">=", 2)])
