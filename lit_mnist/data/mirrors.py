"""Downloads a dataset's files from torchvision's mirrors.

torchvision's own download has no timeout, and after a broken connection it gives up without trying
the next mirror (pytorch/vision#7016, #8568).
"""

import gzip
import hashlib
import shutil
import zipfile
from collections.abc import Collection, Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

from lit_mnist.data.datasets import Archive, DatasetSpec, archives
from lit_mnist.errors import UserError

TIMEOUT_S = 10.0  # for connecting, and for each read
CHUNK_BYTES = 1 << 18


class DamagedError(Exception):
    """A mirror's file does not have the known hash."""


def fetch(spec: DatasetSpec, names: Collection[str], scratch: Path) -> Iterator[Path]:
    """Downloads and unpacks files, each from the first mirror that serves it completely.

    Args:
        spec: The dataset.
        names: The unpacked files to get.
        scratch: An existing temporary folder for the files; the caller removes it.

    Yields:
        The unpacked files in `scratch`, under their own names, as they arrive.

    Raises:
        UserError: Some files could not be downloaded; raised after all others were yielded, with
            the reason for each mirror.
    """
    refusals: dict[str, str] = {}
    unreachable: set[str] = set()
    served: set[str] = set()
    for archive in archives(spec):
        requested = [name for name in archive.files if name in names]
        packed = _first_served(archive, scratch, refusals, unreachable) if requested else None
        if packed:
            yield from _unpack(packed, requested)
            packed.unlink()
            served.update(requested)
    if not served.issuperset(names):
        raise UserError(", ".join(f"{host}: {why}" for host, why in refusals.items()))


def _first_served(
    archive: Archive, scratch: Path, refusals: dict[str, str], unreachable: set[str]
) -> Path | None:
    """Tries an archive's mirrors one after another and records in `refusals` why each failed.

    Hosts that could not be reached are added to `unreachable`: each attempt may cost the timeout.
    """
    for url in archive.urls:
        host = urlsplit(url).netloc
        if host in unreachable:
            continue
        try:
            return _transfer(url, archive.md5, scratch)
        except HTTPError as error:
            refusals[host] = f"HTTP status {error.code}"
        except (URLError, TimeoutError) as error:
            refusals[host] = _reason(error)
            unreachable.add(host)
        except (OSError, HTTPException, DamagedError) as error:
            refusals[host] = _reason(error)
    return None


def _transfer(url: str, md5: str, scratch: Path) -> Path:
    """Downloads a file into a folder; prints a line and, on a terminal, a progress bar."""
    packed = scratch / url.rpartition("/")[2]
    digest = hashlib.md5(usedforsecurity=False)
    request = Request(url, headers={"User-Agent": "lit-mnist"})  # some hosts refuse urllib's own
    with urlopen(request, timeout=TIMEOUT_S) as response, packed.open("wb") as file:
        size = f" ({response.length / 1e6:.1f} MB)" if response.length else ""
        print(f"fetching {url}{size}", flush=True)
        # disable=None: no bar where stderr is not a terminal
        with tqdm(
            total=response.length, unit="B", unit_scale=True, leave=False, disable=None
        ) as bar:
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
    if digest.hexdigest() != md5:
        raise DamagedError(f"{packed.name} came with MD5 {digest.hexdigest()} instead of {md5}")
    return packed


def _unpack(packed: Path, names: list[str]) -> Iterator[Path]:
    """Unpacks a .gz file, or the named files of EMNIST's .zip of .gz files."""
    if packed.suffix != ".zip":
        with gzip.open(packed) as source:
            yield _write(source, packed.with_name(names[0]))
        return
    with zipfile.ZipFile(packed) as archive:
        for name in names:
            with archive.open(f"gzip/{name}.gz") as member, gzip.open(member) as source:
                yield _write(source, packed.with_name(name))


def _write(source: gzip.GzipFile, target: Path) -> Path:
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK_BYTES)
    return target


def _reason(error: Exception) -> str:
    """Describes an error in a few words, on one line."""
    cause = getattr(error, "reason", error)
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split())
