"""How a stop of EarlyStopping, and its patience, are restored."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping

from lit_mnist.resuming.own_patience import OwnPatience


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
