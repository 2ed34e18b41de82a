"""What Lightning skips when a run is resumed; most cases are in `tests/test_recipes_resumed.py`."""

from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_mnist.models import DenseModule
from tests.fitting import callback, fitted, recipe
from tests.stopping import STOP_AT, assert_same_end, checkpoint, folder, rows, stopped


def test_a_resumed_run_validates_after_a_skipped_epoch(run_cli, monkeypatch):
    same = (*recipe("SkipsAnEpoch"), STOP_AT, "--every_n_train_steps", "3")
    same += ("--trainer.max_epochs", "3", "--data.augment", "false")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "13", "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    table = rows(folder("cut"))
    known = [{name for name in ("train_loss", "val_acc") if row[name]} for row in table]
    assert known == [{"train_loss", "val_acc"}, set(), {"train_loss", "val_acc"}]


def test_a_sanity_check_is_not_made_again(run_cli):
    # it forgets the score by which the third epoch, which is not validated, sets the rate
    same = ("--model", "tests.stateful.PatientPlateau", "--trainer.check_val_every_n_epoch", "2")
    same += ("--trainer.num_sanity_val_steps", "1")
    for name, epochs in (("whole", "4"), ("cut", "2"), ("cut", "4")):
        fitted(run_cli("fit", *same, "--name", name, "--trainer.max_epochs", epochs))
    assert_same_end(folder("whole"), folder("cut"))


class TakesOut(DenseModule):
    """Counts an epoch's steps, in an entry that it takes out of the checkpoint as it loads it."""

    steps = 0

    def on_train_epoch_start(self):
        self.steps = 0

    def training_step(self, batch, batch_idx):
        self.steps += 1
        self.log("counted", float(self.steps), on_step=False, on_epoch=True, reduce_fx="max")
        return super().training_step(batch, batch_idx)

    def on_save_checkpoint(self, checkpoint):
        checkpoint["own"] = {"steps": self.steps}

    def on_load_checkpoint(self, checkpoint):
        self.steps = checkpoint["own"].pop("steps")


def test_what_a_module_takes_out_of_its_checkpoint_is_kept(run_cli, monkeypatch):
    same = ("--model", f"{__name__}.TakesOut", STOP_AT, "--every_n_train_steps", "1")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "13", "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    counted = [[row["counted"] for row in rows(folder(name))] for name in ("whole", "cut")]
    assert counted[0] == counted[1] == ["9.0", "9.0"]


class StopsAtEpochStart(DenseModule):
    """Asks to stop at the start of the first epoch that begins behind the second step."""

    def on_train_epoch_start(self):
        self.trainer.should_stop = self.global_step > 2


def test_what_is_asked_at_an_epoch_s_start_is_not_asked_within_it(run_cli, monkeypatch):
    same = ("--model", f"{__name__}.StopsAtEpochStart", STOP_AT, "--every_n_train_steps", "2")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "5", "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


class Impatient(DenseModule):
    """Looks at the last validation every third step, and is content with none."""

    def configure_optimizers(self):
        sgd = SGD(self.parameters(), lr=0.1)
        plateau = ReduceLROnPlateau(sgd, patience=0, factor=0.5, threshold=1)
        every = {"monitor": "val_loss", "interval": "step", "frequency": 3}
        return {"optimizer": sgd, "lr_scheduler": {"scheduler": plateau, **every}}


def test_a_step_that_a_validation_follows_is_ended_once(run_cli):
    fit = ("fit", "--model", f"{__name__}.Impatient", "--trainer.val_check_interval", "3")
    for name, steps in (("whole", "14"), ("cut", "6"), ("cut", "14")):
        fitted(run_cli(*fit, "--name", name, "--trainer.max_steps", steps))
    assert_same_end(folder("whole"), folder("cut"))
    assert float(rows(folder("cut"))[-1]["lr"]) < 0.1


class Halves(DenseModule):
    """Halves its rate at the end of each epoch, and changes a weight at the end of training."""

    def configure_optimizers(self):
        sgd = SGD(self.parameters(), lr=0.1)
        plateau = ReduceLROnPlateau(sgd, patience=-1, factor=0.5, threshold=1)
        return {"optimizer": sgd, "lr_scheduler": {"scheduler": plateau, "monitor": "train_loss"}}

    def on_train_end(self):
        next(self.parameters()).data.mul_(0.5)


def test_a_schedule_is_stepped_once_at_the_end_of_training(run_cli, monkeypatch):
    same = ("--model", f"{__name__}.Halves", STOP_AT, "--every_n_train_steps", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "end of 1", "fit", *same, "--name", "cut")
    for epochs, rate in (("2", 0.025), ("3", 0.0125)):
        fitted(run_cli("fit", *same, "--name", "cut", "--trainer.max_epochs", epochs))
        if epochs == "2":
            assert_same_end(folder("whole"), folder("cut"))
        (schedule,) = checkpoint("last", folder("cut"))["lr_schedulers"]
        assert schedule["_last_lr"] == [rate]
    assert [float(row["lr"]) for row in rows(folder("cut"))] == [0.1, 0.05, 0.025]


class ToldAtEpochStart(Halves):
    """Tells the rate that each epoch starts with."""

    on_train_end = DenseModule.on_train_end

    def on_train_epoch_start(self):
        print(f"epoch {self.current_epoch} starts at {self.optimizers().param_groups[0]['lr']}")


def test_the_epoch_behind_a_resumed_one_starts_at_its_own_rate(run_cli, monkeypatch):
    """Lightning's schedules are stepped before the hooks of the next epoch's start."""
    same = ("--model", f"{__name__}.ToldAtEpochStart", STOP_AT, "--every_n_train_steps", "3")
    same += (
        "--trainer.max_epochs",
        "3",
        *callback("LearningRateMonitor", logging_interval="epoch"),
    )
    told = "epoch 2 starts at 0.025\n"
    assert told in fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "13", "fit", *same, "--name", "cut")
    assert told in fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    assert [row["lr-SGD"] for row in rows(folder("cut"))] == ["0.1", "0.05", "0.025"]
