"""Keeps the rows that an earlier command has written with Lightning's CSVLogger."""

import csv
from contextlib import AbstractContextManager
from typing import Any

from lightning.fabric.loggers import csv_logs

from lit_mnist.training.patching import replaced


def kept_rows() -> AbstractContextManager[None]:
    """Adds to the `metrics.csv` of a version that the user names again, as TensorBoard does.

    Lightning deletes it, so that a resumed `fit` or a `test` with the same options loses what was
    logged before (lightning/fabric/loggers/csv_logs.py, `_check_log_dir_exists`).
    """

    def read_columns(writer: Any) -> None:
        if writer._fs.isfile(writer.metrics_file_path):
            with writer._fs.open(writer.metrics_file_path, "r", newline="") as file:
                writer.metrics_keys = next(csv.reader(file), [])

    return replaced((csv_logs._ExperimentWriter, "_check_log_dir_exists", read_columns))
