"""Keeps the rows that an earlier command has written with Lightning's CSVLogger, each once."""

import csv
import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from lightning.fabric.loggers import csv_logs
from lightning.pytorch.loggers import CSVLogger

from lit_mnist import locks
from lit_mnist.machine.patching import replaced

_save = csv_logs._ExperimentWriter.save


def kept_rows() -> AbstractContextManager[None]:
    """Adds to the `metrics.csv` of a version that the user names again, as TensorBoard does.

    Lightning deletes it, so that a resumed `fit` or a `test` with the same options loses what was
    logged before (lightning/fabric/loggers/csv_logs.py, `_check_log_dir_exists`). It also goes on
    with the columns that it remembers, where a `test` during `fit` has added some to the file.
    """
    kind = csv_logs._ExperimentWriter
    return replaced(
        (kind, "_check_log_dir_exists", _begin),
        (kind, "_record_new_keys", _add_columns),
        (kind, "save", _save_alone),
    )


def _begin(writer: Any) -> None:
    """Notes how many rows there are, and ends one that a killed process has half written."""
    if not writer._fs.isfile(writer.metrics_file_path):
        return
    with locks.alone_in(Path(writer.log_dir)):
        with _opened(writer) as file:
            lines = file.readlines()
        if lines and not lines[-1].endswith("\n"):
            with writer._fs.open(writer.metrics_file_path, "a", newline="") as file:
                file.write("\r\n")
    writer.earlier = max(0, len(lines) - 1)
    _read_columns(writer)


def _read_columns(writer: Any) -> None:
    if writer._fs.isfile(writer.metrics_file_path):
        with _opened(writer) as file:
            writer.metrics_keys = next(csv.reader(file), [])


def _add_columns(writer: Any) -> set[str]:
    """Returns the columns that the file lacks; the others keep their order there."""
    _read_columns(writer)
    new = set[str]().union(*writer.metrics).difference(writer.metrics_keys)
    if new:
        writer.metrics_keys = sorted({*writer.metrics_keys, *new})
    return new


def _save_alone(writer: Any) -> None:
    with locks.alone_in(Path(writer.log_dir)):
        _save(writer)


def count(logger: CSVLogger) -> int:
    """Returns the number of rows that were logged, also by earlier commands."""
    writer: Any = logger.experiment
    held = len(writer.metrics)
    if not writer._fs.isfile(writer.metrics_file_path):
        return held
    with _opened(writer) as file:
        # as lines, one a row: parsing them would take seconds in a long run that saves at each step
        return held + max(0, sum(1 for _ in file) - 1)


def purge(logger: CSVLogger, step: int, first: int, epochs: Collection[int] = ()) -> None:
    """Removes earlier processes' rows of this step and later ones, and those half written.

    What this process has logged itself stays: hooks before the first step may log, too.

    Args:
        logger: The logger.
        step: The first step that is logged again.
        first: The number of rows that stay in any case.
        epochs: Those below that step at whose numbers values are logged again, if any were.
    """
    writer: Any = logger.experiment
    if writer._fs.isfile(writer.metrics_file_path):
        with locks.alone_in(Path(writer.log_dir)):
            _purge(writer, step, first, epochs)


def _purge(writer: Any, step: int, first: int, epochs: Collection[int]) -> None:
    path, system = writer.metrics_file_path, writer._fs
    _read_columns(writer)
    earlier = getattr(writer, "earlier", 0)
    with _opened(writer) as file:
        rows = [
            row
            for place, row in enumerate(csv.DictReader(file))
            if _is_whole(row) and not (first <= place < earlier and _comes_again(row, step, epochs))
        ]
    if not rows:
        system.rm_file(path)
        writer.metrics_keys = []
        return
    temporary = f"{path}.tmp"
    with system.open(temporary, "w", newline="") as file:
        table = csv.DictWriter(file, writer.metrics_keys)
        table.writeheader()
        table.writerows(rows)
    system.mv(temporary, path)


def _is_whole(row: dict[Any, Any]) -> bool:
    return None not in {*row, *row.values()} and str(row.get("step")).isdecimal()


def _comes_again(row: dict[str, str], step: int, epochs: Collection[int]) -> bool:
    return int(row["step"]) >= step or _is_at(epochs, row)


def _is_at(epochs: Collection[int], row: dict[str, str]) -> bool:
    """Whether training has logged a row at the number of an epoch, as Lightning notes none then."""
    names = [name for name, value in row.items() if value and name != "step"]
    noted = any(name == "epoch" or name.endswith("-epoch") for name in names)
    return int(row["step"]) in epochs and not noted and not all(map(is_of_a_test, names))


def is_of_a_test(name: str) -> bool:
    """Whether a logged value is one of a test, such as `test_acc`; not one such as `latest`."""
    return "test" in re.split(r"[^a-z]+", name.lower())


def _opened(writer: Any) -> Any:
    return writer._fs.open(writer.metrics_file_path, "r", newline="", errors="replace")
