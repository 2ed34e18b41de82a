"""The earlier rows of a CSVLogger."""

import contextlib
import csv

import pytest
from lightning.pytorch.loggers import CSVLogger

from lit_mnist.workarounds import applied


@pytest.mark.parametrize(("changed", "kept"), [(False, []), (True, ["1.0"])])
def test_upstream_still_deletes_the_rows_of_an_earlier_csv_logger(tmp_path, changed, kept):
    for name in ("before", "now"):
        with applied.kept_rows() if changed else contextlib.nullcontext():
            logger = CSVLogger(tmp_path, "x", 0)
            logger.log_metrics({name: 1.0})
            logger.save()
    with open(tmp_path / "x" / "version_0" / "metrics.csv", newline="") as file:
        assert [row["before"] for row in csv.DictReader(file) if row.get("before")] == kept
