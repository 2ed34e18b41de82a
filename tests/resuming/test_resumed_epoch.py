"""What Lightning skips when a run is resumed; most cases are in `tests/test_recipes_resumed.py`."""

from lit_mnist.models import DenseModule
from tests.fitting import fitted, recipe
from tests.stopping import STOP_AT, assert_same_end, folder, rows, stopped


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
