"""What metrics.csv has of each epoch."""

import pytest
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from lit_mnist.runs.folder import COLUMNS
from tests.fitting import callback, fitted, recipe
from tests.no_dropout import LinearModule
from tests.stopping import STOP_AT, assert_same_end, folder, results, rows, stopped


def test_a_value_is_in_the_row_of_the_epoch_that_logged_it_also_after_a_resume(
    run_cli, monkeypatch
):
    same = (*recipe("LogsRarely"), STOP_AT, "--trainer.max_epochs", "4")
    same += ("--every_n_train_steps", "1")
    fitted(run_cli("fit", *same, "--name", "whole"))
    names = ("start", "both", "step", "early", "validated", "end")
    table = [{name: row[name] for name in names if row[name]} for row in rows(folder("whole"))]
    second = {"step": "3.0", "early": "3.5", "validated": "4.0", "end": "5.0"}
    assert table == [{"start": "1.0", "both": "2.0"}, second, {}, {}]
    assert not {"both_epoch", "early_epoch", "early_step"} & rows(folder("whole"))[0].keys()
    for moment in ("4", "10", "22"):  # in the first epoch, after those steps, and in the third
        stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


class Named(LinearModule):
    """Logs values whose names end like Lightning's copies, shows one, and moves its batches."""

    def __init__(self):
        super().__init__()
        self.moved = 0

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        self.moved += self.trainer.training
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def training_step(self, batch, batch_idx):
        for place, name in enumerate(("time", "time_step", "time_epoch")):
            self.log(name, float(place))
        self.log("both", float(batch_idx), on_step=True, on_epoch=True)
        self.log("shown", 7.0 + batch_idx, prog_bar=True)
        self.log("moved", float(self.moved))
        return super().training_step(batch, batch_idx)


NAMED = ("--model", f"{__name__}.Named", "--trainer.max_epochs", "1")


def test_each_value_has_a_column_and_copies_of_one_have_none(run_cli):
    fitted(run_cli("fit", *NAMED))
    (row,) = rows(folder("dense"))
    logged = {name: row[name] for name in row if name not in ("epoch", *COLUMNS, "seconds")}
    expected = {"time": 0.0, "time_step": 1.0, "time_epoch": 2.0, "both": 3.68, "shown": 15.0}
    assert {name: float(text) for name, text in logged.items()} == expected | {"moved": 9.0}


def test_the_progress_bar_shows_what_is_logged_for_it_and_nothing_else(run_cli, monkeypatch):
    shown = []
    monkeypatch.setattr(Tqdm, "set_postfix", lambda bar, values: shown.append(values))
    monkeypatch.setattr(TQDMProgressBar, "_should_update", lambda *_: True)
    bar = "--trainer.callbacks+=lit_mnist.training.callbacks.ProgressBar"
    fitted(run_cli("fit", *NAMED, bar))
    assert shown[:9] == [{}, *({"shown": 7.0 + batch} for batch in range(8))]


def test_what_is_logged_after_a_checkpoint_is_in_its_epoch_s_row(run_cli):
    fitted(run_cli("fit", *recipe("SavesThenLogs"), "--trainer.max_epochs", "3"))
    assert [row["after"] for row in rows(folder("SavesThenLogs"))] == ["0.0", "1.0", "2.0"]


@pytest.mark.parametrize("model", [(), recipe("OddModule")], ids=["ours", "a user's"])
def test_a_run_begun_with_what_a_callback_saved_has_all_rows(run_cli, model):
    fit = ("fit", *model, *callback("tests.recipes.Saves"), "--trainer.max_epochs", "3")
    fit += ("--trainer.val_check_interval", "3")  # of 9 batches
    fitted(run_cli(*fit, "--name", "whole"))
    # within the second epoch, at its last validation, and at its end
    for name in ("15.validated", "18.validated", "18.ended"):
        fitted(run_cli(*fit, "--name", name, "--ckpt_path", f"{name}.ckpt"))
        assert_same_end(folder("whole"), folder(name))


@pytest.mark.parametrize("model", ["LeavesAnEpoch", "SkipsAnEpoch"])
def test_an_epoch_that_ends_right_after_a_resume_keeps_its_scores(run_cli, model):
    fit = ("fit", *recipe(model), "--trainer.max_epochs", "3", "--trainer.max_steps")
    fitted(run_cli(*fit, "20", "--name", "whole"))
    fitted(run_cli(*fit, "13" if model == "LeavesAnEpoch" else "9", "--name", "cut"))
    fitted(run_cli(*fit, "20", "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    known = [{name for name in ("train_acc", "lr") if row[name]} for row in rows(folder("cut"))]
    assert known[1] == ({"train_acc", "lr"} if model == "LeavesAnEpoch" else set())


@pytest.mark.parametrize(("every", "interval"), [("9", "9"), ("4", "4")])
def test_a_checkpoint_before_a_validation_is_not_begun_with(run_cli, every, interval):
    keeper = callback("ModelCheckpoint", dirpath="kept", every_n_train_steps=every, save_top_k="-1")
    once = ("--trainer.val_check_interval", interval, "--trainer.max_epochs", "1")
    fitted(run_cli("fit", *once, *keeper))
    start = f"kept/epoch=0-step={every}.ckpt"
    status, _, problems = run_cli("fit", "--name", "new", "--ckpt_path", start)
    assert status == 2
    assert f"{start}: saved after a batch, before the validation" in problems
    assert problems.count("\n") == 1
    fitted(run_cli("test", "--ckpt_path", start))


WAITS = callback("EarlyStopping", monitor="val_loss", mode="max", patience="3")


OWN = ("--model", "tests.stateful.LogsNowAndThen")


@pytest.mark.parametrize(
    "ends",
    [
        ("--trainer.max_steps", "12"),
        ("--trainer.val_check_interval", "3", *WAITS),  # stops after the fourth
        (*OWN, "--trainer.max_steps", "15"),
        (*OWN, "--trainer.val_check_interval", "3", *WAITS),
    ],
    ids=["a limit", "a callback", "a limit, own values", "a callback, own values"],
)
def test_a_run_killed_as_it_ends_within_an_epoch_has_the_row_of_that_epoch(
    run_cli, monkeypatch, ends
):
    same = (STOP_AT, *ends)
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "end of 1", "fit", *same, "--name", "cut")
    assert len(rows(folder("cut"))) == 1
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    for name in ("status", "epochs", "steps", "ended_by", "best_val_acc", "best_epoch"):
        assert results(folder("cut"))[name] == results(folder("whole"))[name]
    assert float(rows(folder("cut"))[1]["seconds"]) > 0
    longer = "--trainer.max_steps", "17"
    more = longer if "--trainer.max_steps" in ends else ("--trainer.callbacks.patience", "4")
    more = (*ends, *more)
    for name in ("whole", "cut"):
        fitted(run_cli("fit", STOP_AT, *more, "--name", name))
    assert_same_end(folder("whole"), folder("cut"))
    assert len(rows(folder("cut"))) == 2
