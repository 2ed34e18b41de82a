"""Puts a downloaded file in place; nothing that may be a user's own is lost."""

import hashlib
import os
from pathlib import Path

from lit_mnist.data.datasets import DatasetSpec
from lit_mnist.data.read import note_hash
from lit_mnist.errors import UserError


class OwnFileError(UserError):
    """A file is a user's own, which no download may replace."""


def install(spec: DatasetSpec, fetched: Path, folder: Path) -> None:
    """Moves a downloaded file into place, if its hash is the known one.

    Raises:
        UserError: The hash differs; an existing file stays as it is.
        OwnFileError: That file holds other data than the downloaded one.
    """
    with fetched.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())  # so that after a crash the name never stands for half a file
    if digest != spec.sha256.get(fetched.name, digest):
        raise UserError(f"{fetched.name} came with SHA-256 {digest}")
    target = folder / fetched.name
    if target.is_file():
        _check_replaces(spec.name, fetched, target)
        _keep(fetched, target)
    fetched.replace(target)
    note_hash(spec, folder, fetched.name, digest)


def _check_replaces(dataset: str, fetched: Path, target: Path) -> None:
    """Refuses to replace an IDX file whose header is not the original's: it is a user's own.

    Raises:
        OwnFileError: Naming it.
    """
    with fetched.open("rb") as new, target.open("rb") as old:
        start = new.read(4)
        header = start + new.read(4 * start[3])
        found = old.read(len(header))
    if found[:3] == header[:3] and not header.startswith(found):
        raise OwnFileError(
            f"{target}: by its header it is not {dataset}'s but may be your own, so it stays;"
            " move it away, and keep data of your own in a --data.data_dir of their own, as"
            " FashionMNIST"
        )


def _keep(fetched: Path, target: Path) -> None:
    """Keeps the file that was there, unless it is a part of what has been downloaded."""
    with fetched.open("rb") as new, target.open("rb") as old:
        found = old.read()
        if found == new.read(len(found)):
            return
    kept = target.with_name(f"{target.name}.{hashlib.sha256(found).hexdigest()[:8]}")
    target.replace(kept)
    print(f"the file that was there is kept as {kept}, in case it is your own", flush=True)
