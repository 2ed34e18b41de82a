"""Which stop of EarlyStopping counts, and how it is restored; other runs are in test_stopping."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping

from lit_mnist.models import DenseModule
from lit_mnist.training.ending import OwnPatience
from tests.fitting import callback
from tests.stopping import assert_same_end, folder, results


def resumed(patience, *values):
    """Restores an EarlyStopping of patience 1 that has seen these losses; returns its trainer."""
    strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)
    trainer = SimpleNamespace(
        current_epoch=0, should_stop=False, fast_dev_run=False, strategy=strategy
    )
    before = EarlyStopping("loss", patience=1)
    for value in values:
        trainer.callback_metrics = {"loss": torch.tensor(value)}
        before._run_early_stopping_check(trainer)
        trainer.current_epoch += 1
    after, own = EarlyStopping("loss", patience=patience), OwnPatience()
    trainer = SimpleNamespace(callbacks=[after], should_stop=False, is_global_zero=True)
    own.setup(trainer, None, "fit")
    after.load_state_dict(before.state_dict())
    own.on_fit_start(trainer, None)
    own.on_train_start(trainer, None)
    assert after.patience == patience
    return trainer


@pytest.mark.parametrize(
    ("patience", "values", "stops"),
    [
        (1, (0.5, 0.4), False),
        (1, (0.5, 0.6), True),
        (1, (0.5, 0.6, 0.4), True),  # to which min_epochs made it train on
        (2, (0.5, 0.6), False),
        (2, (0.5, torch.nan), True),
    ],
)
def test_a_stop_holds_unless_there_is_more_patience(patience, values, stops, capsys):
    assert resumed(patience, *values).should_stop is stops
    assert ("EarlyStopping, before this resume: Monitored" in capsys.readouterr().out) is stops


class Counting(DenseModule):
    """Logs for each epoch what exceeds the epoch before, unless the epoch is cut short."""

    def training_step(self, batch, batch_idx):
        count = 1.0 + self.current_epoch
        self.log("count", count, on_step=False, on_epoch=True, reduce_fx="sum")
        return super().training_step(batch, batch_idx)


def test_a_stop_that_has_seen_a_part_of_an_epoch_does_not_hold_if_the_limit_is_raised(run_cli):
    options = callback("EarlyStopping", monitor="count", mode="max", patience="0")
    options += ["--trainer.callbacks.check_on_train_epoch_end", "true"]
    options += ["--model", f"{__name__}.Counting", "--trainer.max_steps"]
    for name, every in (("whole", ("16",)), ("parts", ("10", "16"))):  # 9 are an epoch
        for steps in every:
            status, _, problems = run_cli("fit", "--name", name, *options, steps)
            assert (status, results(folder(name))["ended_by"]) == (0, "max_steps"), problems
    assert_same_end(folder("whole"), folder("parts"))
