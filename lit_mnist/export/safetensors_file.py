"""safetensors: the weights, with what rebuilds the networks as metadata."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lit_mnist.data.datasets import DATASETS
from lit_mnist.errors import UserError
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE
from lit_mnist.models.sureness import Abstention
from lit_mnist.runs import checkpoints, entries, trained_on

NETWORKS, AVERAGE, SHA256 = "networks", "average", "weights_sha256"  # keys of the metadata


def content(trained: TrainedRun, metadata: Mapping[str, str]) -> bytes:
    """Returns the content of the file; `<i>.<name>` is the weight `name` of the i-th network.

    Raises:
        UserError: A hyperparameter cannot be written as JSON, or a module's state is not a tensor.
    """
    tensors = {}
    for place, one in enumerate(trained.checkpoints):
        for name, value in one["state_dict"].items():
            if not isinstance(value, torch.Tensor):
                raise UserError(
                    f"{trained.paths[0]}: safetensors cannot hold {name:.99}, not a tensor;"
                    " take --format onnx"
                )
            whole = value.resolve_conj().resolve_neg().contiguous()
            tensors[f"{place}.{name}"] = whole.clone()  # safetensors refuses shared memory
    others = [
        {key: value for key, value in one.items() if key != "state_dict" and _is_kept(key, value)}
        for one in trained.checkpoints
    ]
    try:
        networks = json.dumps(others)
        _check_keys(others)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{trained.paths[0]}: safetensors cannot hold its hyperparameters ({error});"
            " take --format onnx"
        ) from error
    return save(tensors, {**metadata, NETWORKS: networks, SHA256: trained.weights_sha256})


def _check_keys(value: Any) -> None:
    """Refuses keys that JSON would make texts.

    Raises:
        TypeError: Naming one.
    """
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r:.99} is no text")
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            _check_keys(one)


def _is_kept(key: str, value: Any) -> bool:
    """Returns whether a checkpoint's entry is kept: not what JSON cannot hold, unless required."""
    try:
        json.dumps(value)
        _check_keys(value)
    except (TypeError, ValueError):
        return key in ("hyper_parameters", trained_on.MODULE, entries.MODEL_CLASS)
    return True


def read(path: Path, classes: Sequence[type] = ()) -> TrainedRun:
    """Reads a file written by `content`.

    Raises:
        UserError: The file is missing, damaged, or not an export of this program.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 # no dict
        networks = _networks(path, metadata, tensors)
        average: Any = metadata.get(AVERAGE, DEFAULT_AVERAGE)
        abstention, labels = _abstention(metadata), json.loads(metadata["labels"])
        dataset = metadata["dataset"]
        if average not in get_args(AVERAGES) or dataset not in DATASETS:
            raise ValueError("an unknown data set or way to average")
        paths, names = [path] * len(networks), [str(label) for label in labels]
        found = TrainedRun(paths, networks, average, dataset, abstention, classes, names)
        if metadata.get(SHA256, found.weights_sha256) != found.weights_sha256:
            raise ValueError("other weights than were written")
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: missing, damaged or no export of this program; export it again"
        ) from error
    return found


def _networks(
    path: Path, metadata: Mapping[str, str], tensors: Mapping[str, torch.Tensor]
) -> list[dict[str, Any]]:
    """Returns the networks' checkpoints, of which there is at least one."""
    networks: list[dict[str, Any]] = json.loads(metadata[NETWORKS])
    if not networks:
        raise ValueError("no networks")
    for one in networks:
        one["state_dict"] = {}
    for name, value in tensors.items():
        place, _, key = name.partition(".")
        networks[int(place)]["state_dict"][key] = value
    for one in networks:
        checkpoints.check(path, one)
    return networks


def _abstention(metadata: Mapping[str, str]) -> Abstention:
    """Reads the threshold and temperature; files of older versions get the default rule."""
    if "threshold" not in metadata:
        return Abstention()
    threshold, temperature = (float(metadata[name]) for name in ("threshold", "temperature"))
    return Abstention(threshold, temperature, metadata["threshold_source"])


class Reader:
    """An exported file, loaded into rebuilt networks."""

    def __init__(self, path: Path, classes: Sequence[type] = ()) -> None:
        self.model = read(path, classes).model()

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Maps images (N, 28, 28) to float32 (N, 10)."""
        with torch.no_grad():
            return self.model(torch.from_numpy(images)).numpy()
