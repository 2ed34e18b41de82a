"""The command `sweep`: trials are ordinary runs, whatever happens between."""

import importlib.util
import json
import math
import re
import shutil
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
import yaml
from optuna.trial import TrialState

from lit_mnist.commands import run_cli, sweep_trials
from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import read_idx, write_idx
from lit_mnist.main import main
from tests import holding
from tests.conftest import CONFIGS, SMALL, TEST, equal_weights
from tests.warm import CLI, Program

OWN = Path("tb_logs/dense/sweep")
SPACE = "model.lr: {log: [1e-4, 0.01]}\ndata.batch_size: [50, 100]\n"


@pytest.fixture
def options(hard_data, here):
    """The options of a sweep of small networks, but for how many."""
    Path("space.yaml").write_text(SPACE)
    return [
        *("sweep", "--config", f"{CONFIGS}/dense.yaml", "--space", "space.yaml"),
        *("--trainer.max_epochs", "3", "--trainer.accelerator", "cpu"),
        *("--data.dataset", SMALL, "--data.data_dir", str(hard_data)),
    ]


@pytest.fixture
def sweep(options, no_pictures, capsys):
    """Runs the command in this process; gives (exit status, output, problems)."""

    def call(*more):
        capsys.readouterr()
        return main([*options, *more]), *capsys.readouterr()

    return call


QUICK = ("--trials", "2", "--trainer.max_epochs", "1")


@pytest.fixture
def quick(shared, sweep, here):
    """Leaves two trials of one epoch in the working folder: a copy of a sweep run before."""

    def run(folder):
        assert sweep(*QUICK)[0] == 0
        shutil.move("tb_logs", folder)

    shutil.copytree(shared("quick_sweep", run) / "tb_logs", "tb_logs")


def study(url=f"sqlite:///{OWN}/study.db"):
    return optuna.load_study(study_name="dense", storage=url)


def record():
    return json.loads((OWN / "sweep.json").read_text())


def trial(number):
    return OWN / f"trial_{number:03d}" / "seed_42"


def drawn():
    return [one["options"] for one in record()["trials"]]


def test_the_best_trial_is_a_run_and_its_config_gives_the_same_bits(sweep, here):
    status, output, problems = sweep("--trials", "2")
    assert (status, problems) == (0, "")
    known, best = record(), study().best_trial
    scores = [json.loads((trial(k) / "results.json").read_text())["best_val_acc"] for k in range(2)]
    assert [one["val_acc"] for one in known["trials"]] == scores
    assert (best.value, best.number) == (max(scores), scores.index(max(scores)))
    assert known["best"] == best.number
    assert f"best val_acc {best.value:.4f}, trial {best.number}" in output
    config = yaml.safe_load((trial(best.number) / "config.yaml").read_text())
    assert config["model"]["init_args"]["lr"] == best.params["model.lr"]
    assert config["data"]["batch_size"] == best.params["data.batch_size"]
    before = drawn()
    assert main(["fit", "--config", str(OWN / "dense_best.yaml")]) == 0
    assert equal_weights(Path("tb_logs/dense_best/seed_42"), trial(best.number))
    own = OWN / "dense_best.yaml"
    own.write_text(own.read_text() + "# my note\n")
    assert sweep("--trials", "2")[0] == 0  # there is nothing left
    assert own.read_text().endswith("# my note\n")
    own.write_text(re.sub(r"config \w+\.", "config 0123.", own.read_text()))  # of another sweep's
    assert sweep("--trials", "2")[0] == 0
    assert "# my note" not in own.read_text()
    assert drawn() == before
    assert not list(OWN.glob(".worker*"))
    assert main(["report", str(OWN)]) == 0
    page = (OWN / "report.html").read_text()
    assert page.count("<svg") == 2
    assert f"<dd>{best.value:.4f}</dd>" in page


def test_a_worse_trial_is_ended_early(sweep, options, monkeypatch):
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda one: one.number == 1)
    assert sweep("--trials", "2")[0] == 0
    assert [one["state"] for one in record()["trials"]] == ["complete", "pruned"]
    results = json.loads((trial(1) / "results.json").read_text())
    assert (results["epochs"], results["ended_by"]) == (1, "TrialPruning")
    assert study().trials[1].state == TrialState.PRUNED
    assert record()["trials"][1]["val_acc"] == results["best_val_acc"]


def test_the_score_of_a_pruned_trial_is_its_best():
    by_epoch = {1: 0.5, 2: float(np.float32(0.6125)), 3: math.nan, 4: 0.55}
    ended = optuna.create_trial(
        state=TrialState.PRUNED, value=0.55, params={}, intermediate_values=by_epoch
    )
    found = sweep_trials.as_record(ended, 7)
    assert (found.number, found.state, found.val_acc, found.epochs) == (7, "pruned", 0.6125, 4)


def test_trials_of_a_fold_are_found(sweep):
    status, output, _ = sweep(*QUICK, "--data.folds", "5", "--data.fold", "0")
    assert status == 0
    assert "failed: " not in output
    assert [one["state"] for one in record()["trials"]] == ["complete"] * 2


def test_the_test_labels_reach_no_trial(quick, sweep, hard_data):
    before = drawn()
    weights = [torch.load(trial(k) / "checkpoints/best.ckpt", weights_only=True) for k in (0, 1)]
    shutil.rmtree("tb_logs")
    shutil.copytree(hard_data, "data")
    path = DATASETS[SMALL].folder(Path("data")) / DATASETS[SMALL].files["test"][1]
    labels = read_idx(path)
    path.unlink()
    write_idx(path, labels[torch.from_numpy(np.random.default_rng(0).permutation(TEST))])
    assert sweep(*QUICK, "--data.data_dir", "data")[0] == 0
    assert drawn() == before
    for number, expected in enumerate(weights):
        found = torch.load(trial(number) / "checkpoints/best.ckpt", weights_only=True)
        for name, value in expected["state_dict"].items():
            assert torch.equal(found["state_dict"][name], value)


def test_a_killed_trial_goes_on_to_the_same_bits(sweep, options):
    process = Program([CLI, *options, "--trials", "1"], before=holding.after_two_epochs)
    while not (trial(0) / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(9)
    process.communicate()
    assert study().trials[0].state == TrialState.RUNNING
    status, output, _ = sweep("--trials", "1")
    assert status == 0
    assert "trial 0 was interrupted; it is resumed" in output
    assert "resuming after epoch" in output
    assert [one["number"] for one in record()["trials"]] == [0]
    found, values = drawn(), [one["val_acc"] for one in record()["trials"]]
    shutil.move("tb_logs", "stopped")
    assert sweep("--trials", "1")[0] == 0
    assert equal_weights(Path("stopped/dense/sweep/trial_000/seed_42"), trial(0), "last")
    assert drawn() == found
    assert [one["val_acc"] for one in record()["trials"]] == values


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_a_trial_that_ends_as_it_starts_goes_on_later(quick, sweep, monkeypatch, kind):
    expected = drawn()
    shutil.rmtree("tb_logs")

    def end(*_):
        raise kind

    with monkeypatch.context() as patch:
        patch.setattr(run_cli, "run", end)
        assert sweep(*QUICK)[0] == (130 if kind is KeyboardInterrupt else 2)
    assert sweep(*QUICK)[0] == 0
    assert drawn() == expected
    assert [one["number"] for one in record()["trials"]] == [0, 1]


def test_two_processes_share_a_study(options):
    short = ("--trials", "4", "--trainer.max_epochs", "1")
    both = [Program([CLI, *options, *short]) for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [one["state"] for one in record()["trials"]] == ["complete"] * 4
    lines = [[line for line in out.splitlines() if " of 4: " in line] for out, _ in said]
    assert sum(map(len, lines)) == 4  # each was trained by one of them
    assert len({one["options"]["model.lr"] for one in record()["trials"]}) == 4


REFUSED = {
    "an unknown option": ("model.lrr: [1, 2]", "space.yaml: --model: there is no option lrr"),
    "a value of another type": ("model.lr: [0.1, fast]", "space.yaml: --model.lr"),
    "a value too small": ("model.lr: {range: [-1, 1]}", "space.yaml: --model.lr"),
    "the last of one option beside another": (
        "model.lr: [0.1, 0.2]\ndata.batch_size: [50, 100, many]",
        "space.yaml: --data.batch_size: 'many'",
    ),
    "below the trainer's minimum": (
        "trainer.accumulate_grad_batches: [1, 0]",
        "space.yaml: --trainer.accumulate_grad_batches 0: take 1 or more",
    ),
    "a test of some images": (
        "trainer.limit_test_batches: [1.0, 2]",
        "space.yaml: --trainer.limit_test_batches 2: would test only some",
    ),
    "no checkpoints": (
        "trainer.enable_checkpointing: [true, false]",
        "space.yaml: --trainer.enable_checkpointing false: leaves no weights",
    ),
    "a trial of a few steps": (
        "trainer.fast_dev_run: [false, true]",
        "space.yaml: --trainer.fast_dev_run: leaves no weights",
    ),
    "nothing to train": (
        "trainer.max_epochs: [2, 0]",
        "space.yaml: --trainer.max_epochs 0: there is nothing to train",
    ),
}


@pytest.mark.parametrize(("space", "said"), REFUSED.values(), ids=REFUSED)
def test_a_value_that_fit_refuses_is_named_before_anything_is_trained(sweep, space, said):
    Path("space.yaml").write_text(space)
    status, output, problems = sweep()
    assert (status, output) == (2, "")
    assert problems.startswith(f"error: {said}")
    assert problems.count("\n") == 1
    assert not Path("tb_logs").exists()


TOGETHER = "error: space.yaml: no values of its options go together: --trainer.min_epochs 10"


@pytest.mark.parametrize(
    ("least", "said"),
    [
        ("[10, 20]", TOGETHER),
        ("{range: [10, 20]}", TOGETHER),
        ("[1, 10]", "some trials will fail, as not all values go together: --trainer.min_epochs"),
    ],
)
def test_values_that_are_refused_together_are_told_before_anything_is_trained(sweep, least, said):
    Path("space.yaml").write_text(f"trainer.min_epochs: {least}\ntrainer.max_epochs: [2, 3]\n")
    status, output, problems = sweep("--trials", "2", "--trainer.max_epochs", "30")
    assert (status == 2) == said.startswith("error")
    lines = [line for line in (output + problems).splitlines() if line.startswith(said)]
    assert len(lines) == 1
    assert OWN.exists() != said.startswith("error")


def test_a_sweep_without_validation_is_refused_before_anything_is_trained(sweep):
    status, _, problems = sweep("--trainer.check_val_every_n_epoch", "9")
    assert (status, problems.count("\n")) == (2, 1)
    assert problems.startswith("error: --trainer.check_val_every_n_epoch 9: trials are chosen by")
    status, output, problems = sweep("--trainer.limit_val_batches", "0")
    assert (status, output) == (2, "")
    assert problems.startswith("error: --trainer.limit_val_batches 0: trials are chosen by")
    assert not Path("tb_logs").exists()


def test_another_space_or_storage_is_refused(quick, sweep):
    status, _, problems = sweep("--trials", "2", "--trainer.limit_train_batches", "1")
    assert status == 2
    assert "the options of the sweep dense changed: trainer.max_epochs 1, now 3;" in problems
    assert "; trainer.limit_train_batches not set, now 1" in problems
    Path("space.yaml").write_text("model.lr: [0.1, 0.2]")
    status, _, problems = sweep(*QUICK)
    assert "the space of the sweep dense changed: model.lr" in problems
    for url, said in (("nothing", "no such database"), ("oracle+x://a:secret@b/c", "a:***@b/c")):
        status, _, problems = sweep("--storage", url)
        assert (status, problems.count("\n")) == (2, 1)
        assert said in problems


def test_trials_are_not_compared_with_those_on_other_labels(quick, sweep, hard_data):
    shutil.copytree(hard_data, "data")
    own = ("--data.data_dir", "data")
    assert sweep(*QUICK, *own)[0] == 0
    path = DATASETS[SMALL].folder(Path("data")) / DATASETS[SMALL].files["train"][1]
    labels = read_idx(path).flip(0)
    path.unlink()
    write_idx(path, labels)
    status, output, problems = sweep(*QUICK, *own, "--trials", "3")
    assert (status, output) == (2, "")
    assert problems == (
        f"error: {trial(0)} was trained on other images or labels than {path.parent} holds now;"
        " choose another --name for the sweep\n"
    )
    assert not trial(2).exists()


@pytest.mark.parametrize("limit", ["--trainer.limit_val_batches", "--trainer.overfit_batches"])
def test_a_resumed_sweep_validates_on_the_same_images(sweep, monkeypatch, limit):
    monkeypatch.setattr("lit_mnist.commands.sweep_trials.Trials.run", lambda self: None)
    size = "--data.eval_batch_size"
    assert sweep(*QUICK, size, "20")[0] == sweep(*QUICK, size, "50")[0] == 0  # all in any case
    some = ("--name", "some", limit, "1", size)
    assert sweep(*QUICK, *some, "20")[0] == sweep(*QUICK, *some, "20")[0] == 0
    status, _, problems = sweep(*QUICK, *some, "50")
    assert status == 2
    assert "the --data.eval_batch_size of the sweep some changed: 20, now 50;" in problems


def test_trials_that_fail_are_counted_and_named(sweep):
    Path("space.yaml").write_text("data.batch_size: [1000, 2000]")
    status, output, problems = sweep("--data.augment", "true")
    assert status == 2
    assert output.count(" failed: ") == 3
    assert problems.startswith("error: no trial succeeds; --data.batch_size")


def test_without_optuna_the_line_says_what_to_install(sweep, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        "lit_mnist.sweep.extra.find_spec", lambda name: None if name == "optuna" else there(name)
    )
    said = "error: sweep needs Optuna: pip install -e '.[sweep]', or pip install optuna\n"
    assert sweep()[::2] == (2, said)


def test_what_is_missing_is_named(options, capsys):
    assert main(["sweep", "--config", "dense"]) == 2
    assert "name what is searched: --space FILE" in capsys.readouterr().err
    assert main([*options, "--fresh"]) == 2
    assert "--fresh: a sweep is always resumed" in capsys.readouterr().err


def test_fresh_in_a_config_is_refused_before_anything_is_trained(sweep):
    Path("again.yaml").write_text("fresh: true\n")
    status, output, problems = sweep("--config", "again.yaml")
    assert (status, output) == (2, "")
    assert problems.startswith("error: --fresh: a sweep is always resumed")
    assert problems.count("\n") == 1
    assert not Path("tb_logs").exists()


def test_trials_that_log_no_val_acc_say_so(sweep):
    named = ("--model", "tests.commands.test_fit_messages.OwnNames", "--data.batch_size", "100")
    Path("space.yaml").write_text("model.lr: [0.001, 0.002]\n")
    status, output, _ = sweep(*QUICK, "--trials", "1", *named)
    assert status == 2
    assert (
        "trial 0 failed: the model logs no number as val_acc, by which the best is chosen, so"
        in output
    )
