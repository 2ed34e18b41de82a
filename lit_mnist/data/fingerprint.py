"""Fingerprint of the images that a network is trained and validated on: hashes to compare."""

from collections.abc import Mapping
from typing import Any

from lit_mnist.data.read import Split
from lit_mnist.data.split import Partition, split_sha256
from lit_mnist.errors import UserError


def fingerprint(dataset: str, train_set: Split | None, partition: Partition) -> dict[str, Any]:
    """Returns the fingerprint, as far as it is known; hashes are SHA-256.

    Args:
        dataset: Name of the dataset.
        train_set: The training images; None if they were not read.
        partition: How they are split.
    """
    identity: dict[str, Any] = {"dataset": dataset, "pixels": "0 to 1"}
    if train_set is None:
        return identity
    identity["data_sha256"] = train_set.sha256
    if partition.folds:
        fields = {"folds": partition.folds, "fold": partition.fold, "split_seed": partition.seed}
        identity |= {key: value for key, value in fields.items() if value is not None}
    identity["split_sha256"] = split_sha256(*partition.split(len(train_set.labels)))
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
        if other != value:
            folds = " and --data.folds" if {"folds", "fold"} & {*current, *trained} else ""
            raise UserError(
                f"the checkpoint was trained with {key} {other}, this run has {value};"
                f" use the data and the --data.split_seed{folds} that it was trained with"
            )
