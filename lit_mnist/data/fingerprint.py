"""Fingerprint of the images that a network is trained and validated on: hashes to compare."""

from collections.abc import Mapping
from typing import Any

import torch

from lit_mnist.data.read import Split
from lit_mnist.data.shown_pixels import pixels
from lit_mnist.data.split import Partition, split_sha256
from lit_mnist.errors import UserError
from lit_mnist.runs.trained_on import PIXELS


def fingerprint(data: Any, partition: Partition | None) -> dict[str, Any]:
    """Returns the fingerprint, as far as it is known; hashes are SHA-256.

    Args:
        data: The data module, which may be a subclass that has chosen its images itself.
        partition: A split to use in place of the one that it has.
    """
    train_set = getattr(data, "train_set", None)
    cpu = torch.device("cpu")
    shown = pixels(data, train_set.images.device if isinstance(train_set, Split) else cpu)
    identity: dict[str, Any] = {"dataset": data.dataset} | ({"pixels": shown} if shown else {})
    if not isinstance(train_set, Split):
        return identity
    identity["data_sha256"] = train_set.sha256
    part = partition or data.partition
    if part.folds:
        fields = {"folds": part.folds, "fold": part.fold, "split_seed": part.seed}
        identity |= {key: value for key, value in fields.items() if value is not None}
    count = len(train_set.labels)
    split = part.split(count) if partition else (data.train_indices, data.val_indices)
    identity["split_sha256"] = split_sha256(*split)
    return identity


def check_same(current: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
    """Refuses a checkpoint that was trained on other data or another split.

    Args:
        current: The fingerprint of this run.
        trained: The checkpoint's, which may lack entries.

    Raises:
        UserError: Naming what differs.
    """
    for key, value in current.items():
        other = trained.get(key, value)
        if key == "pixels" and other == PIXELS:
            continue  # so did earlier versions describe any
        if other != value:
            folds = " and --data.folds" if {"folds", "fold"} & {*current, *trained} else ""
            raise UserError(
                f"the checkpoint was trained with {key} {other}, this run has {value};"
                f" use the data and the --data.split_seed{folds} that it was trained with"
            )
