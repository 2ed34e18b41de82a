"""Saves and loads a run's detector of images that are no digit."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lit_mnist import files
from lit_mnist.models.gaussians import Gaussians
from lit_mnist.models.novelty import Member, Novelty
from lit_mnist.shape import CLASSES


def save(novelty: Novelty, weights_sha256: str, path: Path) -> None:
    """Saves the detector, in float32, with the hash of the weights that it belongs to."""
    arrays: dict[str, np.ndarray] = {"threshold": np.array(novelty.threshold)}
    arrays["weights_sha256"] = np.array(weights_sha256)
    for place, member in enumerate(novelty.members):
        for kind, gaussians in member._asdict().items():
            for name, values in gaussians._asdict().items():
                arrays[f"{kind}_{name}_{place}"] = values.astype(np.float32)
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type] # its stub takes a name for allow_pickle


def load(path: Path, weights_sha256: str, widths: Sequence[int]) -> tuple[Novelty | None, str]:
    """Loads the detector, if it belongs to these weights.

    Args:
        path: The file that `save` wrote.
        weights_sha256: Hash of the weights.
        widths: Number of features of each net.

    Returns:
        The detector or None, and the reason if it is None; empty otherwise.
    """
    if not widths:
        return None, "a net has no linear layer"
    if not path.is_file():
        return None, "none was fitted when the run was tested, or it was not tested"
    try:
        with np.load(path, allow_pickle=False) as saved:
            if str(saved["weights_sha256"]) != weights_sha256:
                return None, f"{path.name} is of other weights; test the run"
            members = tuple(_member(saved, place, width) for place, width in enumerate(widths))
            return Novelty(members, float(saved["threshold"])), ""
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None, f"{path.name} is damaged, or of an earlier version; test the run"


def _member(saved: np.lib.npyio.NpzFile, place: int, width: int) -> Member:
    """Reads the distributions of one net.

    Raises:
        ValueError: The net has another number of features.
        KeyError: The file has no such net.
    """
    digits, letters = (
        Gaussians(saved[f"{kind}_means_{place}"], saved[f"{kind}_roots_{place}"])
        for kind in Member._fields
    )
    digits.means.reshape(CLASSES, width)
    digits.roots.reshape(CLASSES, width, width)
    letters.means.reshape(-1, width)
    letters.roots.reshape(1, width, width)
    return Member(digits, letters)
