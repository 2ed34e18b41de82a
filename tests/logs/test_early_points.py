"""Points that are logged before the first step, also by a process that goes on with a run."""

import csv
from pathlib import Path

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.fitting import fitted
from tests.logs.test_kept_events import files_in_order, loggers, shown
from tests.no_dropout import LinearModule
from tests.stopping import STOP_AT

__all__ = ["files_in_order"]


class Early(LinearModule):
    def on_fit_start(self):
        for logger in self.loggers:
            logger.log_metrics({"in_module": 1.0}, self.global_step)
            if isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams({"x": 1}, {"in_hparams": 1.0})
                logger.experiment.add_histogram("weights", self.net[1].weight, self.global_step)


class Tells(Callback):
    def setup(self, trainer, module, stage):
        self.tell(trainer, "in_setup")

    def on_fit_start(self, trainer, module):
        self.tell(trainer, "in_fit_start")

    def on_sanity_check_start(self, trainer, module):
        self.tell(trainer, "in_sanity_check")

    def on_train_start(self, trainer, module):
        self.tell(trainer, "in_train_start")

    def tell(self, trainer, name):
        for logger in trainer.loggers:
            logger.log_metrics({name: 1.0}, trainer.global_step)
            logger.save()


SAME = ("--model", f"{__name__}.Early", STOP_AT, f"--trainer.callbacks+={__name__}.Tells")
SAME += ("--trainer.num_sanity_val_steps", "1")
WAYS = ((), ("--log_dir", "l", loggers("l")))  # with the run's own logger, and with a user's
PLACES = ("tb_logs/dense/seed_42", "l/y/z")


def steps(of):
    early = {name: points for name, points in of.items() if name.startswith("in_")}
    return {name: [step for step, _ in points] for name, points in early.items()}


def in_table():
    with Path("l/y/z/metrics.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    return {n: [(int(row["step"]), row[n]) for row in rows if row[n]] for n in rows[0]}


def assert_steps(**expected):
    assert steps(in_table()) == {n: at for n, at in expected.items() if n != "in_hparams"}
    for place in PLACES:
        assert steps(shown(place)) == expected
        events = EventAccumulator(place, size_guidance={"histograms": 0}).Reload()
        weights = events.Histograms("weights")
        assert [one.step for one in weights] == expected["in_module"]


EARLY = ("in_setup", "in_fit_start", "in_sanity_check", "in_train_start", "in_module", "in_hparams")


def test_they_stay_in_a_run_and_in_one_that_is_started_again_and_goes_on(run_cli, monkeypatch):
    for moment in ("error at 4", "error at 14", ""):  # of 9 a batch
        monkeypatch.setenv("STOP_AT", moment)
        for way in WAYS:
            if moment:
                with pytest.raises(RuntimeError):
                    run_cli("fit", *SAME, *way)
            else:
                fitted(run_cli("fit", *SAME, *way))
        if moment:
            assert_steps(**{name: [0] for name in EARLY})
    again = {name: [0, 0] for name in EARLY}  # before a process knows its step
    assert_steps(**again | {"in_sanity_check": [0], "in_train_start": [0, 9]})
