"""Checks the data, the log folder and its disk, file locks and clocks."""

import importlib.util
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from lit_mnist.data.datasets import DatasetSpec, SplitName
from lit_mnist.data.read import UnusableError, known_hashes, read_split
from lit_mnist.doctor.finding import Finding
from lit_mnist.errors import UserError

GB = 1e9
FULL, SCARCE = 0.1 * GB, 1 * GB  # a run of the deep net takes 0.03 GB, a committee of 50 1.3 GB
CLOCK_S = 60  # largest difference of clocks that is accepted
DAY_S = 86_400


def data(spec: DatasetSpec, data_dir: Path, *, download: bool = True) -> Iterator[Finding]:
    """Reads both splits from disk, as a run would, without downloading.

    Args:
        spec: The dataset.
        data_dir: The folder that holds the dataset's own folder.
        download: Whether a run may download files.
    """
    folder = spec.folder(data_dir)
    splits: tuple[SplitName, ...] = ("train", "test")
    for split in splits:
        try:
            found = read_split(spec, split, folder)
        except UserError as error:
            yield Finding("data", "error", str(error))
        except UnusableError as unusable:
            yield _unusable(spec, split, folder, unusable, download)
        else:
            known = set(spec.files[split]) <= set(known_hashes(spec, folder))
            check = "SHA-256 as expected" if known else "no SHA-256 is known beforehand"
            text = f"{spec.name}, {split}: {len(found.images):,} images in {folder}, {check}"
            yield Finding("data", "ok", text)


def _unusable(
    spec: DatasetSpec, split: SplitName, folder: Path, unusable: UnusableError, download: bool
) -> Finding:
    absent = [name for name in spec.files[split] if not (folder / name).exists()]
    if len(absent) < len(unusable.faults):  # a file is there, and damaged
        replaced = "fit downloads it again, unless it may be your own"
        remedy = replaced if download else "replace it, or allow --data.download"
        return Finding("data", "error", f"{spec.name}, {split}: {unusable}", remedy)
    text = f"{spec.name}, {split}: no {' and no '.join(absent)} in {folder}"
    if not download:
        return Finding("data", "error", text, "put them there, or allow --data.download")
    return Finding("data", "warning", text, "the first run that needs them downloads them")


def log_folder(log_dir: Path) -> Iterator[Finding]:
    """Writes a temporary file to the log folder, or to its parent if it does not exist yet."""
    place = next(above for above in (log_dir, *log_dir.absolute().parents) if above.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as name:
            probe = Path(name) / "probe"
            probe.write_bytes(b"whole")
            yield Finding("log folder", "ok", f"{log_dir}: {place} can be written to")
            yield clock(time.time(), probe.stat().st_mtime)
            yield locks(probe, place)
        yield disk(shutil.disk_usage(place).free, place)
    except OSError as error:
        text = f"{log_dir}: {place} cannot be written to ({error.strerror})"
        yield Finding("log folder", "error", text, "choose another --log_dir")


def disk(free: float, place: Path) -> Finding:
    """Judges the number of free bytes."""
    text = f"{free / GB:.1f} GB free at {place}"
    if free >= SCARCE:
        return Finding("disk", "ok", text)
    return Finding("disk", "error" if free < FULL else "warning", text, "make room")


def locks(path: Path, place: Path) -> Finding:
    """Locks a file twice: the second time must fail, or two runs could write the same folder."""
    remedy = "take a --log_dir on a local disk, and never start a run twice"
    try:
        with FileLock(path):
            try:
                FileLock(path).acquire(timeout=0)
            except Timeout:
                return Finding("locks", "ok", f"they work at {place}")
    except (OSError, NotImplementedError) as error:
        return Finding("locks", "error", f"not supported at {place} ({error})", remedy)
    return Finding("locks", "error", f"they do not work at {place}", remedy)


def clock(now: float, written: float) -> Finding:
    """Compares the clock with the file system's, and with the date of this package's files.

    Args:
        now: This machine's time, in seconds since 1970.
        written: Modification time of a file that was written just now.
    """
    shown = f"{datetime.fromtimestamp(now):%Y-%m-%d %H:%M}"
    if abs(now - written) > CLOCK_S:
        text = f"{shown}; the file system's clock differs by {abs(now - written):.0f} s"
        return Finding("clock", "warning", text, "set both by NTP")
    package = importlib.util.find_spec("lit_mnist")
    origin = Path(str(package and package.origin))
    if now < origin.stat().st_mtime - DAY_S:
        return Finding(
            "clock", "warning", f"{shown} is before this package was installed", "set it"
        )
    return Finding("clock", "ok", shown)
