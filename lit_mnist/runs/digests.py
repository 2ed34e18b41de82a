"""Hashes of weights, so that equal hashes mean equal networks."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor


def of_weights(weights: dict[str, Any]) -> str:
    """Hashes names, shapes and values of a checkpoint's weights."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        for part in _parts(name, value):
            digest.update(part)
    return digest.hexdigest()


def of_committee(average: str, members: Iterable[str]) -> str:
    """Hashes the hashes of a committee's members, in order, and the way to average."""
    return hashlib.sha256(" ".join([average, *members]).encode()).hexdigest()


def _parts(name: str, value: Any) -> Iterator[bytes]:
    """Returns the bytes to hash of a weight or of a module's extra state."""
    if isinstance(value, Tensor):
        yield f"{name}{tuple(value.shape)}".encode()
        whole = value.detach().cpu().resolve_conj().resolve_neg()
        # as bytes, since NumPy has no bfloat16
        yield whole.reshape(-1).view(torch.uint8).numpy().tobytes()
    elif isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from _parts(f"{name}.{key}", part)
    else:
        shown = sorted(map(repr, value)) if isinstance(value, set) else value
        yield f"{name}={shown!r}".encode()
