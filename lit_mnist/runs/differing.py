"""The options in which several runs differ, and the images of their tests."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from lit_mnist.runs.config_changes import FREE_OPTIONS

# Options that only name a run, or that have a column of their own in the list of runs
OWN_COLUMNS = ("seed_everything", "name", "data.seed", "model.init_args.checkpoints")


def options(configs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns, for each of several flat configs, the options in which they differ.

    The keys are as short as is unambiguous: `lr`, not `model.init_args.lr`.
    """
    varying = [
        key for key in dict.fromkeys(k for one in configs for k in one) if _varies(key, configs)
    ]
    names = {key: _short(key, varying) for key in varying}
    return [{names[key]: _plain(one[key]) for key in varying if key in one} for one in configs]


def images(datasets: Sequence[Any], hashes: Sequence[str]) -> list[dict[str, str]]:
    """Returns, for each of several runs, a mark of its test's images if those of others differ.

    Args:
        datasets: The name of each run's data set, which is among its options if they differ.
        hashes: Of the images of each run's test; empty if it has none.
    """
    known = {pair for pair in zip(datasets, hashes, strict=True) if pair[1]}
    if len(known) == len({dataset for dataset, _ in known}):
        return [{} for _ in hashes]
    return [{"test_images": one[:8]} if one else {} for one in hashes]


def _varies(key: str, configs: Sequence[dict[str, Any]]) -> bool:
    if key in OWN_COLUMNS or key.startswith(FREE_OPTIONS):
        return False
    # a run with a missing or damaged config differs in no option
    return len({repr(one.get(key)) for one in configs if one}) > 1


def _short(key: str, others: Iterable[str]) -> str:
    if key == "model.class_path":
        return "model"
    last = key.rpartition(".")[2]
    return last if [other.rpartition(".")[2] for other in others].count(last) == 1 else key


def _plain(value: Any) -> Any:
    """Shortens a class path to its class; other values stay as they are."""
    path = isinstance(value, str) and re.fullmatch(r"(\w+\.)+[A-Z]\w*", value)
    return value.rpartition(".")[2] if path else value
