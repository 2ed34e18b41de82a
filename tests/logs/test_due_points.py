"""What loggers are told last of an epoch, by a run that is killed just before."""

from types import SimpleNamespace

import pytest
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.trainer.connectors.logger_connector import logger_connector

from lit_mnist.logs import loggers as told
from tests.fitting import fitted
from tests.logs.test_epoch_as_step import OverEpochs
from tests.logs.test_kept_events import Writes, in_table, loggers, shown

CONNECTOR = logger_connector._LoggerConnector


class BothByEpoch(OverEpochs):
    """Logs training over epochs, too."""

    def on_train_epoch_end(self):
        super().on_train_epoch_end()
        self.log("step", float(self.current_epoch))


EPOCH, STEP = "update_train_epoch_metrics", "update_train_step_metrics"


def kill(run_cli, monkeypatch, turn, epoch, *command):
    """Ends a run before the loggers' first turn in an epoch: behind all steps, or behind one."""
    tell = getattr(CONNECTOR, turn)

    def dies(connector):
        if connector.trainer.current_epoch == epoch:
            raise KeyboardInterrupt
        tell(connector)

    with monkeypatch.context() as patch:
        patch.setattr(CONNECTOR, turn, dies)
        with pytest.raises(SystemExit):
            run_cli(*command)


@pytest.mark.parametrize(
    ("module", "moments"),
    [
        (Writes, [(EPOCH, 0), (STEP, 1)]),
        (Writes, [(EPOCH, 1)]),
        (BothByEpoch, [(EPOCH, 0), (EPOCH, 1)]),
        (BothByEpoch, [(STEP, 1)]),
    ],
)
def test_the_values_of_an_epoch_are_there_once(run_cli, monkeypatch, module, moments):
    same = ("--model", f"{module.__module__}.{module.__name__}", "--trainer.log_every_n_steps", "1")
    for name in ("whole", "cut"):
        for way in (("--log_dir", f"own_{name}"), ("--log_dir", f"l_{name}", loggers(name))):
            command = ("fit", *same, *way)
            for moment in moments if name == "cut" else ():
                kill(run_cli, monkeypatch, *moment, *command)
            fitted(run_cli(*command))
    assert in_table("cut") == in_table("whole")
    assert shown("cut/y/z") == shown("whole/y/z")
    own, other = (shown(f"own_{name}/dense/seed_42") for name in ("cut", "whole"))
    assert own == other
    assert len(own["train_loss"]) == 2


def test_loggers_from_which_nothing_is_removed_are_not_told_twice(monkeypatch):
    monkeypatch.setattr(DummyLogger, "log_metrics", lambda *_: pytest.fail("told again"))
    before = {"due": {"values": {"train_loss": 1.0}, "step": 8}}
    told.tell(SimpleNamespace(loggers=[DummyLogger()]), before)
