"""How many digits of a logged value are kept."""

import torch
from torch import Tensor

from lit_mnist.runs import best_score
from lit_mnist.runs.folder import COLUMNS


def rounded(name: str, value: Tensor) -> float:
    """Returns a logged value with the digits of its precision; the fixed columns have float32's.

    So the rate is 0.001, not 0.0010000000474974513.
    """
    is_exact = value.dtype == torch.float64 and name not in COLUMNS
    return float(value) if is_exact else best_score.rounded(float(value))
