"""Values that a module logs over epochs, by logging the epoch as `step`, as Lightning allows."""

import pytest

from tests.fitting import fitted
from tests.logs.test_kept_events import in_table, loggers, shown
from tests.no_dropout import LinearModule
from tests.stopping import STOP_AT


class OverEpochs(LinearModule):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("each", loss, on_step=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("step", float(self.current_epoch))
        self.log("latest_gap", 1.0)  # which is of no test
        return super().validation_step(batch, batch_idx)


SAME = ("--model", f"{__name__}.OverEpochs", STOP_AT, "--trainer.log_every_n_steps", "1")
WITHIN = ("--trainer.val_check_interval", "4", "--every_n_train_steps", "3")


@pytest.mark.parametrize("moment", [5, 15])  # behind a validation, and it behind a checkpoint
def test_points_within_the_epoch_of_a_resume_are_there_once(run_cli, monkeypatch, moment):
    for name in ("whole", "cut"):
        for way in (("--log_dir", f"own_{name}"), ("--log_dir", f"l_{name}", loggers(name))):
            run = ("fit", *SAME, *WITHIN, *way)
            if name == "cut":
                monkeypatch.setenv("STOP_AT", f"error at {moment}")
                with pytest.raises(RuntimeError):
                    run_cli(*run)
                monkeypatch.setenv("STOP_AT", "")
            fitted(run_cli(*run))
    assert in_table("cut") == in_table("whole")
    assert shown("cut/y/z") == shown("whole/y/z")
    own, other = (shown(f"own_{name}/dense/seed_42") for name in ("cut", "whole"))
    assert own == other
    for name in ("val_loss", "latest_gap"):
        assert [step for step, _ in own[name]] == [0, 0, 1, 1]
    assert [step for step, _ in own["each"]] == [*range(18)]
