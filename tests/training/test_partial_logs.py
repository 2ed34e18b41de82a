"""Sums of an epoch that is resumed; resumed runs themselves are in test_recipes_resumed."""

from types import SimpleNamespace

from lightning.pytorch import LightningModule

from lit_mnist.training.partial_logs import PartialLogs


def test_sums_of_another_number_of_ranks_are_dropped_with_a_message(capsys):
    logs = PartialLogs()
    sums = {"logged": {"loss": {"name": "loss", "value": 1.0}}, "metrics": {}}
    trainer = SimpleNamespace(world_size=1, global_rank=0, is_global_zero=True)
    logs.loaded = [sums, sums]
    logs.on_train_start(trainer, LightningModule())
    assert logs.due == {}
    assert "going on with 1 rank(s) instead of 2: what" in capsys.readouterr().out
    logs.loaded = [sums]
    logs.on_train_start(trainer, LightningModule())
    assert logs.due == sums["logged"]
    assert capsys.readouterr().out == ""
