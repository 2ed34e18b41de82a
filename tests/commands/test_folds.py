"""The command `committee --folds`: each training image is scored by who was not trained on it."""

import csv
import json
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import read_idx, write_idx
from lit_mnist.data.split import Partition
from lit_mnist.main import main
from lit_mnist.models.modules import DenseModule
from lit_mnist.reports.calibration import Answers, fit_temperature
from lit_mnist.reports.statistics import wilson_interval
from tests import holding
from tests.conftest import SMALL, TEST, TRAIN, equal_weights
from tests.warm import CLI, Program

COMMITTEE = Path("tb_logs/dense/committee_3_folds_3")


def member(number, folds=3):
    return Path(f"tb_logs/dense/seed_{42 + number}_fold_{number % folds}_of_{folds}")


def results(folder=COMMITTEE):
    return json.loads((folder / "results.json").read_text())


def out_of_fold(folder=COMMITTEE):
    """Index, label and prediction, int (N, 3); probabilities (N, 10)."""
    with (folder / "out_of_fold.csv").open(newline="") as file:
        table = np.array(list(csv.reader(file))[1:], float)
    return table[:, :3].astype(int), table[:, 3:]


@pytest.fixture
def committee(members, in_process, no_pictures, capsys):
    """Runs the command; gives (exit status, output, problems)."""

    def call(*options):
        capsys.readouterr()
        return main(["committee", *members, *options]), *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--folds", str(TRAIN + 1)), f"--data.folds {TRAIN + 1}: is more than the {TRAIN} train"),
        (
            ("--folds", "3", "--data.augment", "true", "--data.batch_size", str(TRAIN)),
            f"--data.batch_size {TRAIN} ",
        ),
        (("--model", "tests.recipes.ChangesBatches"), "ChangesBatches changes its batches in on_"),
    ],
)
def test_what_no_committee_can_use_is_refused_before_training(
    members, here, capsys, monkeypatch, options, said
):
    monkeypatch.setattr("lit_mnist.commands.plans.plan", None)  # which reads each member's folder
    assert main(["committee", *members, *options]) == 2
    output, problems = capsys.readouterr()
    assert problems.startswith(f"error: {said}")
    assert (output, problems.count("\n")) == ("", 1)
    assert not Path("tb_logs").exists()


def test_images_that_are_not_on_disk_yet_are_left_to_the_training(members, here, capsys):
    nowhere = ("--data.data_dir", "none", "--data.download", "false", "--jobs", "1")
    assert main(["committee", *members, "--folds", str(TRAIN + 1), "--member", "0", *nowhere]) == 2
    assert "not trained, see the error above" in capsys.readouterr().err


@pytest.fixture
def copied(folds, here):
    """A working folder that holds a copy of the committee of folds."""
    shutil.copytree(folds / "tb_logs", "tb_logs")
    return here


def reference(hard_data, folder, count=3):
    """What each member says of its own part, without this program's loops: (N, 10), by index."""
    spec = DATASETS[SMALL]
    images = read_idx(spec.folder(hard_data) / spec.files["train"][0])
    expected = np.full((TRAIN, 10), np.nan)
    for number in range(count):
        path = folder / member(number) / "checkpoints" / "best.ckpt"
        module = DenseModule.load_from_checkpoint(path).eval()
        own = Partition(42, 3, number).split(TRAIN)[1]
        with torch.no_grad():
            logits = module.net(images[own][:, None].float() / 255)
        expected[own.numpy()] = logits.softmax(1)
    return expected


def test_each_image_is_scored_once_by_the_member_that_left_it_out(hard_data, folds):
    answers, probabilities = out_of_fold(folds / COMMITTEE)
    assert answers[:, 0].tolist() == list(range(TRAIN))
    np.testing.assert_allclose(probabilities, reference(hard_data, folds), atol=1e-6)
    spec = DATASETS[SMALL]
    labels = read_idx(spec.folder(hard_data) / spec.files["train"][1])
    assert answers[:, 1].tolist() == labels.tolist()
    assert (answers[:, 2] == probabilities.argmax(1)).all()


def test_the_score_is_counted_from_the_table_and_says_whose_it_is(folds):
    (answers, probabilities), said = out_of_fold(folds / COMMITTEE), results(folds / COMMITTEE)
    found, (_, labels, predicted) = said["out_of_fold"], answers.T
    correct = int((labels == predicted).sum())
    assert (found["errors"], found["images"]) == (TRAIN - correct, TRAIN)
    assert found["acc"] == correct / TRAIN
    assert found["acc_ci95"] == pytest.approx(wilson_interval(correct, TRAIN), abs=1e-6)
    loss = -np.log(probabilities[np.arange(TRAIN), labels]).mean()
    assert found["loss"] == pytest.approx(loss, rel=1e-6)
    assert found["members_by_fold"] == [1, 1, 1]
    expected = fit_temperature(Answers(probabilities, labels))
    assert said["calibration"]["temperature"] == pytest.approx(expected, rel=1e-3)
    assert said["calibration"]["val_images"] == TRAIN
    assert [one["fold"] for one in said["members"]] == [0, 1, 2]
    assert said["folds"] == 3
    report = (folds / COMMITTEE / "report.md").read_text()
    assert "in committees of 1, not of the committee of 3" in report


def test_members_are_runs_of_fit_and_are_tested_together_alone(folds, members, here, no_pictures):
    part = ["--data.folds", "3", "--data.fold", "1", "--seed_everything", "43"]
    assert main(["fit", *members, *part, "--trainer.max_epochs", "2"]) == 0
    assert main(["fit", *members, *part]) == 0  # goes on
    for name in ("best", "last"):
        assert equal_weights(member(1), folds / member(1), name)
    said = results(member(1))
    assert (said["folds"], said["fold"], said["split_seed"]) == (3, 1, 42)
    assert not list(folds.glob("tb_logs/dense/seed_*/ledger.csv"))
    assert results(folds / COMMITTEE)["test_reads"] == 1


def test_members_that_are_complete_are_only_tested(folds, committee, copied):
    shutil.rmtree(COMMITTEE)
    status, output, problems = committee("--folds", "3")
    assert (status, problems) == (0, "")
    assert output.splitlines()[:3] == [f"{member(number)} is complete" for number in range(3)]
    assert results() == results(folds / COMMITTEE)
    assert "is tested: see report.md" in committee("--folds", "3")[1]
    assert results()["test_reads"] == 1


def test_the_test_set_can_be_left_alone(folds, committee, hard_data, copied):
    shutil.rmtree(COMMITTEE)
    data = Path("data")
    shutil.copytree(hard_data, data)
    for name in DATASETS[SMALL].files["test"]:
        (DATASETS[SMALL].folder(data) / name).unlink()
    status, output, problems = committee("--folds", "3", "--skip_test", "--data.data_dir", "data")
    assert (status, problems) == (0, "")
    assert "out of fold: accuracy" in output
    table = (COMMITTEE / "out_of_fold.csv").read_bytes()
    assert table == (folds / COMMITTEE / "out_of_fold.csv").read_bytes()
    assert results()["out_of_fold"] == results(folds / COMMITTEE)["out_of_fold"]
    assert not (COMMITTEE / "ledger.csv").exists()
    assert committee("--folds", "3")[0] == 0
    assert results() == results(folds / COMMITTEE)


def test_several_members_of_a_fold_are_averaged_over_what_they_left_out(committee, copied):
    assert committee("--folds", "3", "--members", "2", "--skip_test")[0] == 0
    folder = COMMITTEE.with_name("committee_6_folds_3")
    found = results(folder)["out_of_fold"]
    assert (found["members_by_fold"], found["images"]) == ([2, 2, 2], TRAIN)
    assert member(5).name == "seed_47_fold_2_of_3"
    pair = [member(number) / "checkpoints" / "best.ckpt" for number in (2, 5)]
    own = Partition(42, 3, 2).split(TRAIN)[1]
    data = json.loads((folder / "results.json").read_text())
    assert data["folds"] == 3
    spec = DATASETS[SMALL]
    images = read_idx(spec.folder(Path(config_data_dir(folder))) / spec.files["train"][0])
    with torch.no_grad():
        logits = [
            DenseModule.load_from_checkpoint(path).eval().net(images[own][:, None].float() / 255)
            for path in pair
        ]
    mean = torch.stack(logits).softmax(2).mean(0)
    np.testing.assert_allclose(out_of_fold(folder)[1][own.numpy()], mean, atol=1e-6)


def config_data_dir(folder):
    """Where a committee's data lie."""
    (line,) = [
        one for one in (folder / "config.yaml").read_text().splitlines() if "data_dir" in one
    ]
    return line.split(":", 1)[1].strip()


def test_the_test_labels_reach_no_fold_temperature_or_choice(committee, hard_data, folds, copied):
    """The last member trains beside other test labels, and all are tested on them."""
    shutil.rmtree(COMMITTEE)
    shutil.rmtree(member(2))
    shutil.copytree(hard_data, "data")
    path = DATASETS[SMALL].folder(Path("data")) / DATASETS[SMALL].files["test"][1]
    labels = read_idx(path)
    path.unlink()
    write_idx(path, labels[torch.from_numpy(np.random.default_rng(0).permutation(TEST))])
    assert committee("--folds", "3", "--data.data_dir", "data")[0] == 0
    ours, theirs = results(), results(folds / COMMITTEE)
    assert ours["test_errors"] > theirs["test_errors"]
    for number in range(3):
        for name in ("best", "last"):
            assert equal_weights(member(number), folds / member(number), name)
        assert (
            results(member(number))["split_sha256"]
            == (results(folds / member(number))["split_sha256"])
        )
    for key in ("run", "fold", "epoch", "val_acc", "weights_sha256"):
        assert [one[key] for one in ours["members"]] == [one[key] for one in theirs["members"]]
    assert ours["out_of_fold"] == theirs["out_of_fold"]
    table = (COMMITTEE / "out_of_fold.csv").read_bytes()
    assert table == (folds / COMMITTEE / "out_of_fold.csv").read_bytes()
    for key in ("temperature", "threshold", "val_errors_allowed", "val_images"):
        assert ours["calibration"][key] == theirs["calibration"][key]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_kill_in_the_third_fold_leaves_the_same_bits_and_out_of_fold_answers(
    folds, members, committee, copied
):
    shutil.rmtree(COMMITTEE)
    shutil.rmtree(member(2))
    command = [CLI, "committee", *members, "--folds", "3", "--skip_test"]
    process = Program(command, before=holding.after_two_epochs)  # which its member inherits
    while not (member(2) / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    (pid,) = holding.children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert holding.ended(pid)
    assert results(member(2))["status"] != "complete"
    status, output, _ = committee("--folds", "3", "--skip_test")
    assert status == 0
    assert "resuming after epoch" in output
    for name in ("best", "last"):
        assert equal_weights(member(2), folds / member(2), name)
    table = (COMMITTEE / "out_of_fold.csv").read_bytes()
    assert table == (folds / COMMITTEE / "out_of_fold.csv").read_bytes()


REFUSED = {
    "one fold": (["--folds", "1"], "--folds 1: nothing would be left to train on"),
    "a fold of its own": (["--folds", "3", "--data.fold", "0"], "--data.fold: --folds 3 sets it"),
    "no such member": (["--folds", "3", "--member", "3"], "--member 3: take 0 to 2"),
    "more than images": (["--folds", "700", "--member", "0"], "--data.folds 700: is more than"),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_what_are_no_folds_is_refused_in_a_line(committee, here, options, said):
    status, _, problems = committee(*options)
    assert status == 2
    assert said in problems
    assert problems.splitlines()[0].startswith("error: ")
    assert not list(here.rglob("*.ckpt"))


def test_a_committee_that_lacks_a_fold_has_no_score(committee, copied, hard_data, capsys):
    best = [str(member(number) / "checkpoints" / "best.ckpt") for number in (0, 2)]
    options = ["--model", "EnsembleModule", "--model.checkpoints", json.dumps(best)]
    data = ["--data.dataset", SMALL, "--data.data_dir", str(hard_data)]
    assert main(["validate", *options, *data, "--data.folds", "3"]) == 2
    assert "no member was validated on part 1" in capsys.readouterr().err
    assert main(["validate", *options, *data]) == 2  # where each has seen a part of the images
    assert "--data.folds that it was trained with" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["gone", "damaged", "unknown"])
def test_lost_files_come_back_without_another_test(folds, committee, copied, damage):
    names = ("out_of_fold.csv", "report.md")
    if damage == "unknown":
        known = {key: value for key, value in results().items() if key != "out_of_fold"}
        (COMMITTEE / "results.json").write_text(json.dumps(known))
    for name in names if damage == "gone" else ():
        (COMMITTEE / name).unlink()
    if damage == "damaged":
        (COMMITTEE / "out_of_fold.csv").write_text("index,label\n1,2\n")
    status, output, problems = committee("--folds", "3")
    assert (status, problems) == (0, "")
    assert "is tested: see report.md" in output
    for name in names:
        assert (COMMITTEE / name).read_bytes() == (folds / COMMITTEE / name).read_bytes()
    assert results() == results(folds / COMMITTEE)
    assert (COMMITTEE / "ledger.csv").read_bytes() == (
        folds / COMMITTEE / "ledger.csv"
    ).read_bytes()
