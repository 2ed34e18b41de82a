"""The earlier rows of a CSVLogger."""

import contextlib
import csv

import pytest
from lightning.pytorch.loggers import CSVLogger

from lit_mnist.logs import kept_rows
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


def rows(folder):
    """The rows of a table as dicts, without blank cells; each must fit the header."""
    with open(folder / "x" / "version_0" / "metrics.csv", newline="") as file:
        header, *found = csv.reader(file)
    assert {len(row) for row in found} <= {len(header)}
    return [{key: one for key, one in zip(header, row, strict=True) if one} for row in found]


def log(logger, step, **values):
    logger.log_metrics(values, step)
    logger.save()


@pytest.fixture
def fit(tmp_path):
    """A logger to which another command's adds, beginning with one row of step 0."""
    with applied.kept_rows():
        logger = CSVLogger(tmp_path, "x", 0)
        log(logger, 0, loss=3.0)
        yield logger


def test_rows_fit_the_columns_that_another_command_has_added_meanwhile(fit, tmp_path):
    log(CSVLogger(tmp_path, "x", 0), 0, acc=0.5)
    log(fit, 1, loss=2.0)
    log(fit, 2, loss=1.0, val_loss=4.0)
    assert rows(tmp_path) == [
        {"step": "0", "loss": "3.0"},
        {"step": "0", "acc": "0.5"},
        {"step": "1", "loss": "2.0"},
        {"step": "2", "loss": "1.0", "val_loss": "4.0"},
    ]


def test_rows_fit_columns_in_an_order_of_the_users_own(fit, tmp_path):
    table = tmp_path / "x" / "version_0" / "metrics.csv"
    table.write_text("step,loss\n0,3.0\n")
    log(fit, 1, loss=2.0)
    log(CSVLogger(tmp_path, "x", 0), 2, loss=1.0)
    assert rows(tmp_path)[1:] == [{"step": "1", "loss": "2.0"}, {"step": "2", "loss": "1.0"}]


def test_rows_of_another_command_stay_when_later_ones_are_purged(fit, tmp_path):
    log(CSVLogger(tmp_path, "x", 0), 0, test_acc=0.5)
    log(CSVLogger(tmp_path, "x", 0), 5, test_acc=0.6)
    resumed = CSVLogger(tmp_path, "x", 0)
    kept_rows.purge(resumed, step=5, first=1)
    log(resumed, 5, loss=1.0)
    assert rows(tmp_path) == [
        {"step": "0", "loss": "3.0"},
        {"step": "0", "test_acc": "0.5"},
        {"step": "5", "loss": "1.0"},
    ]


def test_rows_before_the_step_stay_whatever_their_columns(fit, tmp_path):
    log(fit, 3, **{"p-loss": 1.5, "p-epoch": 0.0})  # of a logger with a prefix
    log(fit, 4, own=2.0)  # by hand
    log(fit, 5, loss=2.0)
    resumed = CSVLogger(tmp_path, "x", 0)
    kept_rows.purge(resumed, step=5, first=1)
    log(resumed, 5, loss=1.0)
    assert rows(tmp_path) == [
        {"step": "0", "loss": "3.0"},
        {"step": "3", "p-loss": "1.5", "p-epoch": "0.0"},
        {"step": "4", "own": "2.0"},
        {"step": "5", "loss": "1.0"},
    ]


def test_rows_of_this_process_stay_also_behind_one_that_a_killed_process_has_half_written(
    fit, tmp_path
):
    with (tmp_path / "x" / "version_0" / "metrics.csv").open("a", newline="") as file:
        file.write("2.")
    again = CSVLogger(tmp_path, "x", 0)
    log(again, 0, own=1.0)
    kept_rows.purge(again, step=0, first=0)
    log(again, 0, own=2.0)
    assert rows(tmp_path) == [{"step": "0", "own": "1.0"}, {"step": "0", "own": "2.0"}]


def test_work_arounds_that_are_in_force_twice_write_each_row_once(fit, tmp_path):
    with applied.kept_rows():
        log(fit, 1, loss=2.0)
    assert rows(tmp_path) == [{"step": "0", "loss": "3.0"}, {"step": "1", "loss": "2.0"}]
