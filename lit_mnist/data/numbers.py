"""The numbers that options of the data take."""

from typing import TYPE_CHECKING

from jsonargparse.typing import restricted_number_type

if TYPE_CHECKING:
    Seed = Folds = int
else:
    # what NumPy and Lightning take as a seed
    Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", 2**32)])
    Folds = restricted_number_type("Folds", int, [(">=", 2)])
