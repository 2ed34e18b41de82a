"""The split of the training images into those that train and those that validate."""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_mnist.errors import UserError

NOTEBOOKS = 6  # parts in the notebook's split; the first validates


class Partition(NamedTuple):
    """A partition of the training images: one part validates, the others train.

    Attributes:
        seed: Decides which part an image belongs to.
        folds: Number of parts, whose sizes differ by at most one; None: the notebook's split, in
            which the first of six parts validates.
        fold: The part that validates, from 0. With folds, None means all parts: for a committee
            of folds, each of whose members held out a different part.
    """

    seed: int
    folds: int | None = None
    fold: int | None = None

    def split(self, count: int) -> tuple[Tensor, Tensor]:
        """Splits the indices of `count` images, int64, into those to train and to validate on.

        Raises:
            UserError: There are more parts than images, or fewer than six images.
        """
        parts = _parts(count, self.seed, self.folds)
        fold = self.fold if self.folds else 0
        if fold is None:
            return torch.empty(0, dtype=torch.int64), torch.cat(parts)
        return torch.cat([*parts[:fold], *parts[fold + 1 :]]), parts[fold]

    def fold_of_each(self, count: int) -> Tensor:
        """Returns the number of the part that each of `count` images is in: int64 (count,)."""
        numbers = torch.empty(count, dtype=torch.int64)
        for number, part in enumerate(_parts(count, self.seed, self.folds)):
            numbers[part] = number
        return numbers

    @property
    def whole(self) -> bool:
        """Whether every image is held out by some member of a committee of folds."""
        return self.folds is not None and self.fold is None


def train_val_split(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Splits `count` training images as scikit-learn's `train_test_split(test_size=1/6)` does.

    Returns:
        The int64 indices to train on and to validate on, in scikit-learn's order: for the
        notebook's 60,000 and seed 42, 50,000 starting 11210, 17024 and 10,000 starting 12628.
    """
    return Partition(seed).split(count)


def split_sha256(train: Tensor, val: Tensor) -> str:
    """Hashes which images are trained on and which validated on, in their order."""
    order = torch.cat([val, train]).cpu()
    digest = hashlib.sha256(order.numpy().astype("<i8").tobytes())
    if len(val) != -(-len(order) // NOTEBOOKS):  # not the notebook's split: its length counts too
        digest.update(str(len(val)).encode())
    return digest.hexdigest()


def check_fold(folds: int | None, fold: int | None, *, needed: bool = False) -> None:
    """Checks that the options `folds` and `fold` fit together.

    Args:
        folds: Number of parts.
        fold: The part that validates.
        needed: Whether `fold` must be given, as for training a network.

    Raises:
        UserError: Naming the option and the values that it may take.
    """
    if folds is None and fold is not None:
        raise UserError(f"--data.fold {fold}: needs --data.folds, the number of parts")
    if folds is not None and fold is None and needed:
        raise UserError(
            f"--data.folds {folds}: add --data.fold 0 to {folds - 1}, the part that validates;"
            " committee --folds trains them all"
        )
    if folds is not None and fold is not None and not 0 <= fold < folds:
        raise UserError(f"--data.fold {fold}: is not one of {folds}; take 0 to {folds - 1}")


def _parts(count: int, seed: int, folds: int | None) -> tuple[Tensor, ...]:
    if folds is None and count < NOTEBOOKS:
        raise UserError(
            f"{count} training images: a sixth of them validates, so give {NOTEBOOKS} or more"
        )
    if folds is not None and folds > count:
        raise UserError(f"--data.folds {folds}: is more than the {count} training images")
    # The legacy generator, because that is what scikit-learn's random_state=42 means
    order = torch.from_numpy(np.random.RandomState(seed).permutation(count))
    return order.tensor_split(folds or NOTEBOOKS)
