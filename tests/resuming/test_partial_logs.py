"""Sums of a resumed epoch; more such runs are tested in test_recipes_resumed."""

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.connectors.logger_connector.result import _ResultCollection
from torchmetrics import CatMetric, MaxMetric, SumMetric

from lit_mnist.models import DenseModule
from lit_mnist.resuming.partial_logs import PartialLogs
from lit_mnist.runs import entries
from tests.far import Far
from tests.fitting import fitted
from tests.stopping import STOP_AT, assert_same_end, folder, rows, stopped


def test_sums_of_another_number_of_ranks_are_dropped_with_a_message(capsys):
    logs = PartialLogs()
    how = {"name": "loss", "fx": "training_step", "reduce": "mean", "sync": False}
    sums = {"logged": {"loss": {"how": how, "value": torch.tensor(1.0)}}, "metrics": {}}
    trainer = SimpleNamespace(
        world_size=1, global_rank=0, is_global_zero=True, lightning_module=LightningModule(),
        strategy=SimpleNamespace(reduce=None), _logger_connector=SimpleNamespace(),
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(_results=_ResultCollection(True))),
    )  # fmt: skip
    logs.loaded = [sums, sums]
    logs.after_start(trainer, LightningModule())
    assert logs.due == {}
    assert "resuming with 1 rank(s) instead of 2: what" in capsys.readouterr().out
    logs.loaded = [sums]
    logs.after_start(trainer, LightningModule())
    assert logs.due == sums["logged"]
    assert capsys.readouterr().out == ""


def test_ranks_send_each_other_sums_that_need_no_gpu_of_theirs(monkeypatch):
    class Counting(LightningModule):
        def __init__(self):
            super().__init__()
            self.images, self.rates = SumMetric(), CatMetric()

    module, sent = Counting(), []
    for metric in (module.images, module.rates):
        metric.update(torch.ones(3))
    module.images.sum_value = module.images.sum_value.as_subclass(Far)
    module.rates.value = [part.as_subclass(Far) for part in module.rates.value]

    def gather(everyone, own):
        sent.append(own["metrics"])
        everyone[:] = [own, own]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(_results={}))
    logs, checkpoint = PartialLogs(), {}
    logs.ended = False
    trainer = SimpleNamespace(world_size=2, fit_loop=loop, validating=False)
    logs.on_save_checkpoint(trainer, module, checkpoint)
    assert sent[0]["images"]["sum_value"].numpy() == 3
    assert [part.numpy().tolist() for part in sent[0]["rates"]["value"]] == [[1, 1, 1]]
    assert len(checkpoint[entries.LOGS]) == 2


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("LogsLate", ("4", "1", "2")),  # killed before what is late was logged at two batches
        ("CountsOn", ("5",)),  # of 9 a batch: within the first epoch
        ("CountsOn", ("10",)),  # before the first step of the second: from the end of the first
        ("LogsTwice", ("5", "7")),
        ("StartsAfresh", ("12",)),
        ("Tracks", ("5", "7")),  # of 9 a batch: within the first epoch and the second
        ("Tracks", ("10",)),
    ],
)
def test_what_is_logged_and_counted_resumes_exactly(run_cli, monkeypatch, name, moments):
    same = ("--model", f"tests.stateful.{name}", STOP_AT)
    every = () if moments == ("10",) else ("--every_n_train_steps", "1")
    fitted(run_cli("fit", *same, "--name", "whole"))
    for moment in moments:
        stopped(run_cli, monkeypatch, moment, "fit", *same, *every, "--name", "cut")
    fitted(run_cli("fit", *same, *every, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


LOGGER = "--trainer.logger={class_path: CSVLogger, init_args: {save_dir: x, name: %s, version: v}}"


def test_a_value_that_some_steps_log_has_its_points_until_it_is_logged_again(run_cli, monkeypatch):
    same = ("--model", "tests.stateful.LogsNowAndThen", STOP_AT, "--every_n_train_steps", "1")
    same += ("--trainer.log_every_n_steps", "1")
    tables = {}
    for name, moments in (("whole", ()), ("cut", ("3", "1", "8"))):  # the second logs nothing
        own = ("fit", *same, "--name", name, LOGGER % name)
        for moment in moments:
            stopped(run_cli, monkeypatch, moment, *own)
        fitted(run_cli(*own))
        with Path("x", name, "v", "metrics.csv").open(newline="") as file:
            table = [row | {"seconds": ""} for row in csv.DictReader(file)]
        tables[name] = table
    assert tables["cut"] == tables["whole"]
    assert_same_end(folder("whole"), folder("cut"))
    points = {name: sum(bool(row[name]) for row in table) for name in table[0]}
    names = ("by_step", "of_both_step", "right_step", "late", "of_both_epoch", "right_epoch")
    # Lightning itself drops what each epoch's first batch has logged before a hook
    assert [points[name] for name in names] == [10, 10, 18, 18, 2, 2]


class Largest(DenseModule):
    """Logs the largest loss of an epoch."""

    def __init__(self):
        super().__init__()
        self.largest = MaxMetric()

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.largest(loss)
        self.log("largest", self.largest, on_step=False, on_epoch=True)
        return loss


def test_a_metric_rounds_the_first_batch_after_a_resume_as_before(run_cli):
    same = ("--model", f"{__name__}.Largest", "--trainer.precision", "bf16-true")
    for name, epochs in (("whole", "3"), ("cut", "1"), ("cut", "3")):
        fitted(run_cli("fit", *same, "--name", name, "--trainer.max_epochs", epochs))
    whole, cut = ([float(row["largest"]) for row in rows(folder(n))] for n in ("whole", "cut"))
    assert whole == cut
    assert whole[1] == float(torch.tensor(whole[1]).bfloat16())


class MadeLate(DenseModule):
    """Makes a metric only once it counts."""

    def training_step(self, batch, batch_idx):
        if not hasattr(self, "largest"):
            self.largest = MaxMetric()
        self.largest.update(batch.images.max())
        return super().training_step(batch, batch_idx)


def test_a_metric_that_the_module_has_no_more_is_told(run_cli):
    same = ("--model", f"{__name__}.MadeLate", "--name", "late")
    assert "resuming:" not in fitted(run_cli("fit", *same, "--trainer.max_epochs", "1"))
    assert "resuming: the module has no metric largest any more; " in fitted(run_cli("fit", *same))
