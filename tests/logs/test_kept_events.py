"""Points that were logged before a checkpoint are there once a run goes on from it, each once."""

import csv
import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from tests.fitting import fitted
from tests.no_dropout import LinearModule
from tests.stopping import STOP_AT


@pytest.fixture(autouse=True)
def files_in_order(monkeypatch):
    """Files of one second are read in the order of their names, by which 10 comes before 9."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(100))


class Writes(LinearModule):
    """Logs as Lightning's users do by themselves, at `global_step`, and past `self.log`."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("step_loss", loss, on_step=True)
        return loss

    def write(self, name):
        for logger in self.loggers:
            logger.log_metrics({name: float(self.net[1].weight.detach().norm())}, self.global_step)

    def on_train_batch_end(self, *_):
        self.write("each")

    def on_validation_epoch_end(self):
        super().on_validation_epoch_end()
        if not self.trainer.sanity_checking:
            self.write("validated")

    def on_train_epoch_end(self):
        super().on_train_epoch_end()
        self.write("norm")


SAME = ("--model", f"{__name__}.Writes", STOP_AT, "--trainer.log_every_n_steps", "1")


def loggers(folder):
    places = {"save_dir": folder, "name": "y", "version": "z"}
    kinds = ("CSVLogger", "TensorBoardLogger")
    return f"--trainer.logger={json.dumps([{'class_path': k, 'init_args': places} for k in kinds])}"


def in_table(folder):
    """The points of each column of a CSVLogger's table."""
    with Path(folder, "y/z/metrics.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    names = {*rows[0]} - {"step", "epoch", "seconds"}
    return {name: [(int(r["step"]), float(r[name])) for r in rows if r[name]] for name in names}


def shown(folder):
    """The points of each tag, as TensorBoard shows them."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    names = {*events.Tags()["scalars"]} - {"epoch", "seconds", "hp_metric"}
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in names}


def train(run_cli, name, *options):
    """Trains with the run's own logger, and with those of a user."""
    for way in (("--log_dir", f"own_{name}"), ("--log_dir", f"l_{name}", loggers(name))):
        fitted(run_cli("fit", *SAME, *options, *way))


def kill(run_cli, monkeypatch, batch, name, *options):
    monkeypatch.setenv("STOP_AT", f"error at {batch}")
    for way in (("--log_dir", f"own_{name}"), ("--log_dir", f"l_{name}", loggers(name))):
        with pytest.raises(RuntimeError):
            run_cli("fit", *SAME, *options, *way)
    monkeypatch.setenv("STOP_AT", "")


def assert_same_points(first, second):
    """Compares the tables, and what TensorBoard shows of both loggers."""
    assert in_table(first) == in_table(second)
    assert shown(f"{first}/y/z") == shown(f"{second}/y/z")
    own, other = (shown(f"own_{name}/dense/seed_42") for name in (first, second))
    assert own == other
    assert {"each", "validated", "norm", "val_loss", "step_loss"} <= own.keys()


def test_what_a_module_writes_at_the_next_step_stays_when_the_run_goes_on(run_cli, monkeypatch):
    train(run_cli, "whole", "--trainer.max_epochs", "3")
    for epochs in ("1", "2"):
        train(run_cli, "cut", "--trainer.max_epochs", epochs)
    kill(run_cli, monkeypatch, 5, "cut", "--trainer.max_epochs", "3", "--every_n_train_steps", "3")
    train(run_cli, "cut", "--trainer.max_epochs", "3", "--every_n_train_steps", "3")
    assert_same_points("whole", "cut")
    written = in_table("cut")
    assert [step for step, _ in written["norm"]] == [9, 18, 27]
    assert [step for step, _ in written["each"]] == [*range(1, 28)]


def test_points_of_a_validation_within_an_epoch_stay(run_cli, monkeypatch):
    within = ("--trainer.val_check_interval", "4")
    train(run_cli, "whole", *within)
    train(run_cli, "cut", *within, "--trainer.max_steps", "4")
    assert [step for step, _ in in_table("cut")["val_loss"]] == [3]
    train(run_cli, "cut", *within)
    assert_same_points("whole", "cut")
    for name, batches in (("once", [6]), ("twice", [6, 2])):  # with no checkpoint between the two
        for batch in batches:
            kill(run_cli, monkeypatch, batch, name, *within)
        train(run_cli, name, *within)
        assert_same_points("whole", name)
    assert in_table("whole")["val_loss"] == in_table("cut")["val_loss"]


def test_values_of_a_part_of_an_epoch_give_way_to_those_of_the_whole(run_cli):
    train(run_cli, "whole", "--trainer.max_epochs", "3")
    for limit in ("11", "13"):  # of which the second is in the same epoch
        train(run_cli, "cut", "--trainer.max_epochs", "3", "--trainer.max_steps", limit)
        assert in_table("cut")["train_loss"][1][0] == int(limit) - 1
        assert in_table("cut")["norm"][1][0] == int(limit)
    train(run_cli, "cut", "--trainer.max_epochs", "3")
    assert_same_points("whole", "cut")
    assert [step for step, _ in in_table("cut")["train_loss"]] == [8, 17, 26]
    assert [step for step, _ in in_table("cut")["step_loss"]] == [*range(27)]


class StopsLate(Writes):
    """Asks for a stop behind the last moment at which a checkpoint of it is saved."""

    def on_validation_model_train(self):
        super().on_validation_model_train()
        self.trainer.should_stop = self.trainer.max_epochs == 2 and self.current_epoch == 1


def test_steps_behind_the_last_checkpoint_are_logged_once(run_cli):
    stops = ("--model", f"{__name__}.StopsLate", "--trainer.val_check_interval", "4")
    for epochs in ("2", "3"):
        train(run_cli, "cut", *stops, "--trainer.max_epochs", epochs)
    for found in (in_table("cut"), shown("cut/y/z"), shown("own_cut/dense/seed_42")):
        assert [step for step, _ in found["step_loss"]] == [*range(27)]


def test_the_first_batch_is_shown_once_if_the_first_epoch_is_resumed(run_cli, monkeypatch):
    own, every = ("--log_dir", "own"), ("--every_n_train_steps", "3")
    monkeypatch.setenv("STOP_AT", "error at 5")
    with pytest.raises(RuntimeError):
        run_cli("fit", *SAME, *every, *own)
    folder = "own/dense/seed_42/train"
    (before,) = EventAccumulator(folder).Reload().Images("first_batch")
    monkeypatch.setenv("STOP_AT", "")
    fitted(run_cli("fit", *SAME, *every, *own))
    (after,) = EventAccumulator(folder).Reload().Images("first_batch")
    assert (after.step, after.encoded_image_string) == (0, before.encoded_image_string)


def test_recalls_of_a_validation_before_the_resume_are_shown(run_cli, monkeypatch):
    within = ("--trainer.val_check_interval", "5", "--every_n_train_steps", "1")
    train(run_cli, "whole", *within)
    kill(run_cli, monkeypatch, 17, "killed", *within)  # the last batch but one of the second epoch
    train(run_cli, "killed", *within)
    assert_same_points("whole", "killed")
    recalls = [shown(f"own_{name}/dense/seed_42/val") for name in ("whole", "killed")]
    assert recalls[0] == recalls[1]
    assert {len(one) for one in recalls[0].values()} == {2}
    assert sum(name.startswith("recall_") for name in in_table("killed")) == 10
    folders = (f"own_{name}/dense/seed_42/val" for name in ("whole", "killed"))
    steps = [
        [one.step for one in EventAccumulator(folder).Reload().Images("by_epoch_best/confusion")]
        for folder in folders
    ]
    assert steps[0] == steps[1]


def test_what_a_run_that_is_replaced_has_logged_goes(run_cli):
    finder = ("--trainer.callbacks+=LearningRateFinder", "--trainer.callbacks.num_training_steps=4")
    for again in ((), ("--fresh",)):
        fitted(run_cli("fit", *SAME, *finder, *again, loggers("searched")))
    steps = [step for step, _ in in_table("searched")["each"]]
    assert steps == [*range(1, 19)]
    assert [step for step, _ in shown("searched/y/z")["each"]] == steps


def test_points_of_another_run_in_the_same_folder_go(run_cli):
    fitted(run_cli("fit", *SAME, "--trainer.max_epochs", "3", loggers("a")))
    fitted(run_cli("fit", *SAME, "--trainer.max_epochs", "1", "--name", "b"))
    start = ("--fresh", "--ckpt_path", "tb_logs/b/seed_42/checkpoints/last.ckpt")
    fitted(run_cli("fit", *SAME, *start, loggers("a")))
    steps = [step for step, _ in shown("a/y/z")["each"]]
    assert steps == sorted({*steps})
    assert steps[-1] == 18


def tables(*folders):
    places = [{"save_dir": folder, "name": "y", "version": "z"} for folder in folders]
    own = [{"class_path": "CSVLogger", "init_args": place} for place in places]
    return f"--trainer.logger={json.dumps(own)}"


def test_rows_of_a_moved_run_stay_in_the_table_that_they_are_in(run_cli):
    for place in ("here", "there"):
        first, second = (tables(*(f"{place}/{n}" for n in names)) for names in ("a", "ab"))
        fitted(run_cli("fit", *SAME, "--trainer.max_epochs", "1", "--log_dir", place, first))
        fitted(run_cli("fit", *SAME, "--trainer.max_epochs", "2", "--log_dir", place, second))
    Path("there").rename("away")
    for place in ("here", "away"):
        both = tables(f"{place}/a", f"{place}/b")
        fitted(run_cli("fit", *SAME, "--trainer.max_epochs", "3", "--log_dir", place, both))
    for name, epochs in (("a", [9, 18, 27]), ("b", [18, 27])):
        still, moved = (in_table(f"{place}/{name}") for place in ("here", "away"))
        assert moved == still
        assert [step for step, _ in moved["norm"]] == epochs
