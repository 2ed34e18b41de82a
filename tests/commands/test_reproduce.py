"""The command `reproduce`, with three small systems in place of the notebook's six."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from lit_mnist.commands import plans, reproduce
from lit_mnist.commands.jobs import Jobs
from lit_mnist.main import main
from lit_mnist.models import DenseModule
from lit_mnist.reports.notebook import System
from tests.conftest import SMALL, train_here
from tests.training.test_swapped_weights import Negated

DENSE = System(
    name="dense", title="dense net", config="dense", accuracy=0.98, loss=0.11, epoch_s=1.0
)
SIMPLE = System(
    name="simple", title="simple conv", config="simple", accuracy=0.99, loss=0.04, epoch_s=6.0
)
PAIR = System(
    name="committee_deep",
    title="committee of 2",
    config="dense",  # so that it shares its first seed with the single network
    accuracy=0.997,
    loss=0.007,
    epoch_s=1.0,
    members=2,
    note="best",
)
OUTPUT = Path("tb_logs/reproduce")
TABLE = OUTPUT / "tutorial.json"


@pytest.fixture
def order(monkeypatch):
    """Trains members and runs in this process; returns their names, in order."""
    names = []

    def note(jobs, todo):
        names.extend(job.name for job in todo)
        return train_here(jobs, todo)

    monkeypatch.setattr(Jobs, "run", note)
    return names


@pytest.fixture
def call(hard_data, here, order, no_pictures, monkeypatch, capsys):
    """Runs the command; returns (exit status, lines of stdout, stderr)."""
    monkeypatch.setattr(reproduce, "SYSTEMS", (DENSE, SIMPLE, PAIR))
    options = [
        *("--data.dataset", SMALL, "--data.data_dir", str(hard_data), "--data.batch_size", "250"),
        *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
    ]

    def run(*own):
        order.clear()
        capsys.readouterr()
        status = main(["reproduce", *options, *own])
        output, problems = capsys.readouterr()
        return status, output.splitlines(), problems

    run.data_dir = str(hard_data)
    return run


def facts():
    return json.loads(TABLE.read_text())


def results(run):
    return json.loads(Path("tb_logs", run, "results.json").read_text())


def snapshot():
    """The modification time of each file of a run."""
    files = [path for path in Path("tb_logs").rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files if OUTPUT not in path.parents}


def test_all_systems_are_trained_tested_and_compared(call, order):
    status, lines, problems = call()
    assert (status, problems) == (0, "")
    assert lines[0] == "less than a minute left for dense, simple, committee_deep"
    assert lines[-1] == "the table is tb_logs/reproduce/tutorial.md"
    # what two systems share is trained once
    assert order == ["dense/seed_42", "simple/seed_42", "dense/seed_43"]
    recorded = facts()
    assert list(recorded) == ["dense", "simple", "committee_deep"]
    for name, run in (
        *(("dense", "dense/seed_42"), ("simple", "simple/seed_42")),
        ("committee_deep", "dense/committee_2"),
    ):
        for key in ("test_acc", "test_loss", "test_errors"):
            assert recorded[name]["ours"][key] == results(run)[key]
        assert results(run)["test_reads"] == 1
    members = [results(f"dense/seed_{k}")["test_acc"] for k in (42, 43)]
    assert recorded["committee_deep"]["mean_acc"] == pytest.approx(np.mean(members))
    for name in ("tutorial_curves.png", "tutorial_gallery.png"):
        assert Image.open(OUTPUT / name).size[0] >= 200

    # the same command again finds all done
    before, table = snapshot(), TABLE.read_text()
    status, lines, problems = call()
    assert (status, problems, order) == (0, "", [])
    assert snapshot() == before
    assert TABLE.read_text() == table

    # a part of it, with more seeds, keeps the other rows
    status, lines, _ = call("--only", "dense", "--seeds", "2", "--output", "other")
    assert (status, order) == (0, [])
    assert lines[0].endswith("for dense")
    recorded = json.loads(Path("other/tutorial.json").read_text())
    assert recorded["dense"]["seeds"] == [42, 43]
    assert recorded["dense"]["sd_acc"] == pytest.approx(np.std(members, ddof=1))
    assert list(recorded) == ["dense", "committee_deep"]  # the other network has one seed so far
    assert snapshot() == before
    assert TABLE.read_text() == table
    assert not Path("results").exists()


def test_the_table_names_the_options_that_change_the_training(call):
    rate = ("--model.lr", "0.01", "--trainer.limit_train_batches=2")
    free = ("--seed_everything", "7", "--trainer.logger.class_path=CSVLogger", "--fresh")
    free += ("--trainer.logger.init_args.save_dir=csv",)
    assert call("--only", "dense", *rate, *free)[0] == 0
    short = "--trainer.max_epochs 1"
    expected = f"--data.dataset {SMALL} --data.batch_size 250 {short} {' '.join(rate)}"
    assert facts()["dense"]["options"] == expected
    assert f"`{expected}`" in (OUTPUT / "tutorial.md").read_text()


def test_the_table_is_written_under_the_log_folder(call):
    assert call("--only", "dense", "--log_dir", "elsewhere")[0] == 0
    assert json.loads(Path("elsewhere/reproduce/tutorial.json").read_text()).keys() == {"dense"}


def test_a_table_of_the_users_is_not_replaced(call, order):
    Path("mine").mkdir()
    Path("mine/tutorial.md").write_text("# My tutorial\n")
    status, _, problems = call("--only", "dense", "--output", "mine")
    assert (status, order) == (2, [])
    assert problems.startswith("error: mine/tutorial.md: would be replaced, but")
    assert Path("mine/tutorial.md").read_text() == "# My tutorial\n"


def test_fresh_keeps_the_rows_of_the_other_systems(call, order):
    assert call()[0] == 0
    before = facts()
    assert call("--only", "simple", "--fresh")[0] == 0
    assert order == ["simple/seed_42"]
    assert list(facts()) == ["dense", "simple", "committee_deep"]
    assert facts()["dense"] == before["dense"]


def test_fresh_trains_and_tests_what_two_systems_share_once(call, order):
    assert call()[0] == 0
    before = snapshot()
    status, _, problems = call("--fresh")
    assert (status, problems) == (0, "")
    assert order == ["dense/seed_42", "simple/seed_42", "dense/seed_43"]
    assert {name: facts()[name]["ours"]["test_reads"] for name in facts()} == {
        "dense": 2,
        "simple": 2,
        "committee_deep": 1,  # of the same weights again
    }
    after = snapshot()
    replaced = {path for path, when in before.items() if after.get(path) != when}
    assert {Path(f"tb_logs/{run}/checkpoints/best.ckpt") for run in order} <= replaced


def test_a_committee_with_a_member_that_was_trained_anew_has_no_row(call, monkeypatch):
    assert call("--only", "dense", "committee_deep")[0] == 0
    best = Path("tb_logs/dense/seed_42/checkpoints/best.ckpt")

    def train_otherwise(jobs, todo):
        failed = train_here(jobs, todo)
        checkpoint = torch.load(best, weights_only=True)
        checkpoint["state_dict"]["net.1.weight"] *= 2
        torch.save(checkpoint, best)
        return failed

    monkeypatch.setattr(Jobs, "run", train_otherwise)
    assert call("--only", "dense", "--fresh")[0] == 0
    assert list(facts()) == ["dense"]


def test_a_committee_on_a_fold_has_its_row(call):
    fold = ("--data.folds", "5", "--data.fold", "0")
    status, _, problems = call("--only", "committee_deep", *fold)
    assert (status, problems) == (0, "")
    whole = results("dense/committee_2_fold_0_of_5")
    assert facts()["committee_deep"]["ours"]["test_acc"] == whole["test_acc"]
    assert call("--only", "dense", *fold)[0] == 0
    assert list(facts()) == ["dense", "committee_deep"]


def test_systems_that_were_not_requested_are_ignored_if_invalid(call, order):
    assert call("--only", "dense")[0] == 0
    shutil.copytree("tb_logs/dense", "tb_logs/simple")  # made with other options
    assert call("--only", "committee_deep")[0] == 0
    assert order == ["dense/seed_43"]
    assert list(facts()) == ["dense", "committee_deep"]
    (Path("tb_logs/simple/seed_42/config.yaml")).write_text("{[")  # and damaged
    assert call("--only", "committee_deep")[0] == 0
    assert not order
    assert list(facts()) == ["dense", "committee_deep"]
    before = snapshot()
    status, _, problems = call("--only", "dense", "simple")
    assert status == 2
    assert "simple/seed_42/config.yaml: damaged" in problems
    assert problems.count("\n") == 1
    assert snapshot() == before


def test_seeds_count_up_from_seed_everything(call, monkeypatch):
    wanted = []
    monkeypatch.setattr(Jobs, "run", lambda jobs, todo: wanted.extend(todo) or todo)
    assert call("--only", "dense", "--seed_everything", "7", "--seeds", "2")[0] == 2
    assert [job.name for job in wanted] == ["dense/seed_7", "dense/seed_8"]


def test_finished_systems_are_kept_after_a_failure_or_stop(call, order, monkeypatch):
    Path("tb_logs").mkdir()
    Path("tb_logs/simple").touch()  # where a folder should be
    status, _, problems = call()
    assert status == 2
    assert "error: simple/seed_42: not trained, see the error above" in problems
    assert order == ["dense/seed_42", "simple/seed_42"]
    assert facts()["dense"]["ours"]["test_acc"] == results("dense/seed_42")["test_acc"]

    Path("tb_logs/simple").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(plans, "test", interrupt)
        assert call()[0] == 130
    assert order == ["simple/seed_42"]
    assert list(facts()) == ["dense"]

    before = snapshot()
    assert call()[0] == 0
    assert order == ["dense/seed_43"]
    assert list(facts()) == ["dense", "simple", "committee_deep"]
    kept = {path: when for path, when in before.items() if "seed_42/checkpoints" in str(path)}
    assert len(kept) == 4
    assert snapshot().items() >= kept.items()
    assert results("dense/seed_42")["test_reads"] == 1


def interrupt(*_):
    raise KeyboardInterrupt


def test_shipped_configs_are_used_despite_local_files(call, order):
    Path("dense.yaml").write_text("model: SimpleConvModule\n")
    assert call("--only", "dense")[0] == 0
    assert order == ["dense/seed_42"]
    assert results("dense/seed_42")["status"] == "complete"
    config = Path("tb_logs/dense/seed_42/config.yaml").read_text()
    assert "DenseModule" in config


class SwapsInTests(Negated):
    """Puts other weights in place to test a dense net."""

    def on_test_start(self, trainer, pl_module):
        if isinstance(pl_module, DenseModule):
            self.swap(trainer, pl_module)


def test_a_system_without_a_valid_test_has_no_row_and_is_not_tested_again(call, order):
    swaps = f"--trainer.callbacks+={__name__}.SwapsInTests"
    swapped = "a callback has swapped net.1.weight, and no checkpoint holds what it put there"
    why = f"{swapped}; the table has no row for"
    told = (
        f"tb_logs/dense/seed_42, tb_logs/dense/seed_43: {swapped}; the committee calls no callback"
        " of its members, and averages the weights in their checkpoints\n"
        f"error: dense/seed_42: {why} dense; dense/seed_42: {why} committee_deep\n"
    )
    status, lines, problems = call(swaps)
    assert (status, problems) == (2, told)
    assert lines[-1] == "the table is tb_logs/reproduce/tutorial.md"
    assert order == ["dense/seed_42", "simple/seed_42", "dense/seed_43"]
    assert list(facts()) == ["simple"]

    before = snapshot()
    assert call(swaps)[::2] == (2, told)
    assert list(facts()) == ["simple"]
    assert snapshot() == before  # the ledgers, too

    for number in ("42", "43"):
        kept = results(f"dense/seed_{number}")["test_unrecorded"]["reason"]
        assert why.startswith(f"{kept};")
        weights = f"tb_logs/dense/seed_{number}/checkpoints/best.ckpt"
        own = ("--config", "dense", "--seed_everything", number, "--trainer.accelerator", "cpu")
        data = ("--data.dataset", SMALL, "--data.data_dir", call.data_dir)
        assert main(["test", *own, *data, "--ckpt_path", weights]) == 0
        assert "test_unrecorded" not in results(f"dense/seed_{number}")
    assert call(swaps)[0] == 0
    assert list(facts()) == ["dense", "simple", "committee_deep"]


# -------------------------------------------------------------------- clock


@pytest.fixture
def clock(monkeypatch):
    """A clock for runs named `label/epochs_left`, and its fake time."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(reproduce.time, "perf_counter", lambda: now.seconds)

    def plan(text):
        label, epochs = text.split("/")
        return SimpleNamespace(label=label, epochs_left=int(epochs))

    def watch(systems, runs):
        planned = {name: list(map(plan, names)) for name, names in runs.items()}
        return reproduce.Clock(systems, planned), now

    return watch


def test_remaining_time_is_corrected_by_measured_durations(clock):
    runs = {"dense": ["a/600"], "simple": ["b/100"], "committee_deep": ["a/600", "c/1200"]}
    watch, now = clock([DENSE, SIMPLE, PAIR], runs)
    assert watch.left() == "about 0 h 40 min left"  # 600 + 600 + 1200 s; the shared run once
    now.seconds = 300
    watch.finished(DENSE)  # twice as fast as thought
    assert watch.left() == "about 0 h 15 min left"
    now.seconds = 1200
    watch.finished(SIMPLE)  # slower
    assert watch.left() == "about 0 h 30 min left"
    watch.finished(PAIR)
    assert watch.left() == "less than a minute left"


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (59, "less than a minute left"),
        (60, "about 0 h 01 min left"),
        (3585, "about 1 h 00 min left"),
        (7260, "about 2 h 01 min left"),
        (90000, "about 25 h 00 min left"),
    ],
)
def test_minutes_are_rounded_before_splitting_off_hours(clock, epochs, expected):
    watch, _ = clock([DENSE], {"dense": [f"a/{epochs}"]})
    assert watch.left() == expected


def test_a_short_system_does_not_change_the_pace(clock):
    watch, now = clock([DENSE, SIMPLE], {"dense": ["a/30"], "simple": ["b/100"]})
    now.seconds = 300  # nearly all of it the start
    watch.finished(DENSE)
    assert watch.left() == "about 0 h 10 min left"
