"""Which of the training images are trained on, and which validated on."""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_mnist.errors import UserError

NOTEBOOKS = 6  # parts, of which the first validates


class Partition(NamedTuple):
    """Training images cut into parts, of which one validates and the others are trained on.

    Attributes:
        seed: Decides which part an image belongs to.
        folds: How many parts there are, of sizes that differ by at most one; None: the notebook's
            split, which is that of the first of six.
        fold: The part that validates, from 0. With folds, None means all of them: for a committee
            whose members have each left out another one.
    """

    seed: int
    folds: int | None = None
    fold: int | None = None

    def split(self, count: int) -> tuple[Tensor, Tensor]:
        """Gives the int64 indices, of `count` images, to train on and to validate on.

        Raises:
            UserError: There are more parts than images.
        """
        parts = _parts(count, self.seed, self.folds or NOTEBOOKS)
        fold = self.fold if self.folds else 0
        if fold is None:
            return torch.empty(0, dtype=torch.int64), torch.cat(parts)
        return torch.cat([*parts[:fold], *parts[fold + 1 :]]), parts[fold]

    def fold_of_each(self, count: int) -> Tensor:
        """Gives the part that each of `count` images belongs to: int64 (count,)."""
        numbers = torch.empty(count, dtype=torch.int64)
        for number, part in enumerate(_parts(count, self.seed, self.folds or NOTEBOOKS)):
            numbers[part] = number
        return numbers

    @property
    def whole(self) -> bool:
        """Whether all images are held out, each by other networks."""
        return self.folds is not None and self.fold is None


def train_val_split(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Splits `count` training images as scikit-learn's `train_test_split(test_size=1/6)` does.

    Returns:
        The int64 indices to train on and to validate on, in scikit-learn's order: for the
        notebook's 60,000 and seed 42, 50,000 that start 11210, 17024 and 10,000 that start 12628.
    """
    return Partition(seed).split(count)


def split_sha256(train: Tensor, val: Tensor) -> str:
    """Hashes which images are trained on and which validated on, in their order."""
    order = torch.cat([val, train])
    digest = hashlib.sha256(order.numpy().astype("<i8").tobytes())
    if len(val) != -(-len(order) // NOTEBOOKS):  # where one ends: of the notebook's it is known
        digest.update(str(len(val)).encode())
    return digest.hexdigest()


def check_fold(folds: int | None, fold: int | None, *, needed: bool = False) -> None:
    """Checks that there is such a part.

    Args:
        folds: How many there are.
        fold: Which one validates.
        needed: Whether it must be named, as whenever a network is trained.

    Raises:
        UserError: Naming what to take.
    """
    if folds is None and fold is not None:
        raise UserError(f"--data.fold {fold}: of how many? Add --data.folds")
    if folds is not None and fold is None and needed:
        raise UserError(
            f"--data.folds {folds}: add --data.fold 0 to {folds - 1}, the part that validates;"
            " committee --folds trains them all"
        )
    if folds is not None and fold is not None and fold >= folds:
        raise UserError(f"--data.fold {fold}: is none of {folds}; take 0 to {folds - 1}")


def _parts(count: int, seed: int, folds: int) -> tuple[Tensor, ...]:
    if folds > count:
        raise UserError(f"--data.folds {folds}: is more than the {count} training images")
    # The legacy generator, because that is what scikit-learn's random_state=42 means
    order = torch.from_numpy(np.random.RandomState(seed).permutation(count))
    return order.tensor_split(folds)
