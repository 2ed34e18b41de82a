"""The command `committee`: its members are ordinary runs, each trained once."""

import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import read_idx, write_idx
from lit_mnist.main import main
from lit_mnist.models.modules import DenseModule
from lit_mnist.reports import committee_plots
from tests import holding, warm
from tests.conftest import CONFIGS, SMALL, TEST, digits, equal_weights
from tests.warm import CLI, Program

OWN = Path("tb_logs/dense/committee_3")
HASHES = ("test_files_sha256", "best_file_sha256", "best_file_touched")


def seed(number):
    return Path(f"tb_logs/dense/seed_{number}")


def files(folder="tb_logs"):
    """Modification time and content of each file below a folder."""
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def results(folder=OWN):
    """Its results without what differs between equal runs, as files hold the seconds of epochs."""
    recorded = json.loads((folder / "results.json").read_text())
    return {key: value for key, value in recorded.items() if key not in HASHES}


def looks(folder):
    return (folder / "ledger.csv").read_text().count("\n") - 1


@pytest.fixture
def committee(members, in_process, no_pictures, capsys):
    """Runs the command; returns (exit status, stdout, stderr)."""

    def call(*options):
        capsys.readouterr()
        return main(["committee", *members, *options]), *capsys.readouterr()

    return call


def test_members_are_ordinary_runs(members, three, here, no_pictures):
    assert main(["fit", *members, "--seed_everything", "43"]) == 0
    assert main(["test", *members, "--seed_everything", "43"]) == 0
    fitted, member = seed(43), three / seed(43)
    assert equal_weights(fitted, member)
    recorded, expected = results(fitted), results(member)
    assert recorded.pop("seconds") > 0
    expected.pop("seconds")
    assert recorded == expected
    for name in ("config.yaml", "predictions.csv", "misclassified.png", "confusion.png"):
        assert (fitted / name).read_bytes() == (member / name).read_bytes(), name
    names = [
        {path.name.partition(".tfevents")[0] for path in f.iterdir()} for f in (fitted, member)
    ]
    assert names[0] == names[1]
    pictures = [(fitted / f"{name}.png").read_bytes() for name in ("misclassified", "confusion")]
    assert pictures[0] != pictures[1]  # in tests, their colours encode what they would show


def test_the_committee_s_config_works_with_every_command(trained, capsys):
    config = "tb_logs/dense/committee_3/config.yaml"
    assert main(["validate", "--config", config, "--trainer.accelerator", "cpu"]) == 0
    png = "picture.png"
    Image.fromarray(digits(1, 0)[0][0].numpy()).save(png)
    given = ["--data.images", png, "--trainer.accelerator", "cpu"]
    assert main(["predict", "--config", config, *given]) == 0, capsys.readouterr().err


def test_finished_members_are_not_changed(committee, trained):
    before = files()
    status, output, problems = committee("--members", "3")
    assert (status, problems) == (0, "")
    assert output.splitlines() == [
        *(f"tb_logs/dense/seed_{k} is complete" for k in (42, 43, 44)),
        "tb_logs/dense/committee_3 is tested: see report.md in it",
    ]
    assert files() == before


def test_a_smaller_committee_uses_the_existing_members(committee, trained):
    before = files()
    assert committee("--members", "2")[0] == 0
    assert files().items() >= before.items()
    recorded = results(Path("tb_logs/dense/committee_2"))
    assert [member["run"] for member in recorded["members"]] == ["dense/seed_42", "dense/seed_43"]


def test_another_average_only_tests_the_committee_again(committee, trained):
    before = {path: record for path, record in files().items() if "committee" not in path}
    assert results()["test_reads"] == looks(OWN) == 1
    status, output, _ = committee("--members", "3", "--average", "vote")
    assert status == 0
    assert f"{OWN}: its test averages probabilities, not vote; it is tested again" in output
    assert (results()["average"], results()["test_reads"], looks(OWN)) == ("vote", 2, 2)
    assert "Average of vote" in (OWN / "report.md").read_text()
    assert files().items() >= before.items()


def test_the_committee_s_own_test_has_its_members_logger(committee, trained):
    shutil.rmtree(OWN)
    places = {"save_dir": "x", "name": "y", "version": "z"}
    for logger in ("false", json.dumps({"class_path": "CSVLogger", "init_args": places})):
        status, _, problems = committee(
            "--members", "3", "--trainer.logger", logger, "--average=logits"
        )
        assert (status, problems) == (0, "")
        assert not [*OWN.rglob("events.out.tfevents.*")]
        assert Path("x/y/z/metrics.csv").exists() is (logger != "false")
        (OWN / "results.json").unlink()


class OwnSteps(DenseModule):
    """A user's module that shows its images twice in a test."""

    def test_step(self, batch, batch_idx):
        probabilities = super().test_step(batch, batch_idx)
        return (probabilities + self(batch.images.flip(2)).softmax(1)) / 2

    def validation_step(self, batch, batch_idx):
        return super().validation_step(batch, batch_idx)


class OwnAnswers(OwnSteps):
    """Likewise, and it evaluates in its own way."""

    def evaluate(self, batch):
        return super().evaluate(batch)


@pytest.mark.parametrize("kind", [OwnSteps, OwnAnswers])
def test_a_step_of_the_members_own_that_a_committee_does_not_call_is_told(committee, here, kind):
    named = f"{kind.__module__}.{kind.__name__}"
    options = ("--members", "2", "--model", named, "--trainer.max_epochs", "1")
    for more, step in ((["--skip_test"], "validation_step"), ([], "test_step")):
        status, _, problems = committee(*options, *more)
        assert status == 0
        assert problems == (
            f"{named}: its own {step} is not called in a committee, which averages what its"
            " members' `evaluate` returns\n"
        )


def test_a_callback_that_evaluates_members_otherwise_is_told(committee, here):
    swaps = "--trainer.callbacks+=tests.training.test_swapped_weights.AtStart"
    status, _, problems = committee("--members", "2", "--trainer.max_epochs", "1", swaps)
    assert status == 0
    assert problems.splitlines()[-1] == (
        f"{seed(42)}, {seed(43)}: a callback has swapped net.1.weight, and no checkpoint holds what"
        " it put there; the committee calls no callback of its members, and averages the weights in"
        " their checkpoints"
    )


def test_an_interrupted_test_is_repeated(committee, trained, monkeypatch):
    expected = results()
    shutil.rmtree(OWN)
    with monkeypatch.context() as patch:
        patch.setattr(committee_plots, "errors_by_size_figure", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            committee("--members", "3")
    assert (OWN / "predictions.csv").exists()
    assert committee("--members", "3")[0] == 0
    assert (OWN / "report.md").exists()
    assert results() == expected | {"test_reads": 2}


def test_a_single_member_can_be_trained(committee, here, three):
    status, output, problems = committee("--members", "3", "--member", "1")
    assert (status, problems) == (0, "")
    assert [path.name for path in Path("tb_logs/dense").iterdir()] == ["seed_43"]
    assert equal_weights(seed(43), three / seed(43))
    assert "test_acc" not in results(seed(43))
    assert "next:" in output


def test_a_failed_member_is_reported_and_the_others_are_trained(committee, trained):
    shutil.rmtree(OWN)
    for number in (43, 44):
        shutil.rmtree(seed(number))
    seed(43).touch()  # where a folder should be
    status, _, problems = committee("--members", "3")
    assert status == 2
    *reasons, last = problems.splitlines()
    assert reasons == [
        "error: tb_logs/dense/seed_43: File exists; move what is there elsewhere or choose another"
    ]
    assert last.startswith("error: dense/seed_43: not trained, see the error above")
    assert results(seed(44))["status"] == "complete"
    assert not OWN.exists()


REFUSED = {
    "fewer epochs": (["--trainer.max_epochs", "2"], "trainer.max_epochs: 3 done, now 2"),
    "another rate": (["--model.lr", "0.1"], "model.init_args.lr: 0.001, now 0.1"),
    "seeds too large": (["--seed_everything", "4294967294"], "take 4294967293 or less"),
    "no number": (["--members", "three"], "--members: three is not an integer"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_untrainable_options_are_refused_without_changes(committee, trained, options, message):
    before = files()
    status, output, problems = committee("--members", "3", *options)
    assert (status, output) == (2, "")
    assert problems.startswith("error: ")
    assert message in problems
    assert problems.count("\n") == 1
    assert files() == before


def permute_test_labels(source):
    """Copies a data_dir to `data`, with shuffled test labels."""
    shutil.copytree(source, "data")
    path = DATASETS[SMALL].folder(Path("data")) / DATASETS[SMALL].files["test"][1]
    labels = read_idx(path)
    path.unlink()
    write_idx(path, labels[torch.from_numpy(np.random.default_rng(0).permutation(TEST))])


def test_the_test_labels_influence_neither_training_nor_choices(
    committee, hard_data, three, trained
):
    """The second member is trained with shuffled test labels present; both are tested on them."""
    permute_test_labels(hard_data)
    shutil.rmtree(seed(43))
    assert committee("--members", "2", "--data.data_dir", "data")[0] == 0
    ours, theirs = results(Path("tb_logs/dense/committee_2"))["members"], results(three / OWN)
    for number, own, other in zip((42, 43), ours, theirs["members"], strict=False):
        for name in ("best", "last"):
            assert equal_weights(seed(number), three / seed(number), name)
        for key in ("run", "weights_sha256", "epoch", "val_acc"):
            assert own[key] == other[key]
        assert own["test_errors"] > other["test_errors"]
        rows = [
            [line.rpartition(",")[0] for line in (f / "metrics.csv").read_text().splitlines()]
            for f in (seed(number), three / seed(number))
        ]
        assert rows[0] == rows[1]


# -------------------------------------------------- members in processes of their own


def test_parallel_members_are_bit_identical_and_prefix_their_lines(members, three, here):
    command = [CLI, "committee", *members, "--members", "2", "--jobs", "2"]
    status, output, problems = warm.run(command)
    assert (status, problems) == (0, "")
    for number in (42, 43):
        for name in ("best", "last"):
            assert equal_weights(seed(number), three / seed(number), name)
        assert (seed(number) / "predictions.csv").read_bytes() == (
            three / seed(number) / "predictions.csv"
        ).read_bytes()
    lines = output.splitlines()
    for number in (42, 43):
        own = [line for line in lines if line.startswith(f"[dense/seed_{number}] epoch ")]
        assert [line.split()[2] for line in own] == ["0", "1", "2"]
    assert not any("next:" in line for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_committee_stopped_in_its_third_member_resumes(
    members, trained, committee, three, number
):
    shutil.rmtree(OWN)
    shutil.rmtree(seed(44))
    before = files()
    command = [CLI, "committee", *members, "--members", "3"]
    process = Program(command, before=holding.after_two_epochs)  # which its member inherits
    holding.wait_for_epoch(process, seed(44))
    (member,) = holding.children(process.pid)
    os.kill(process.pid, number)
    holding.GO_ON.touch()
    _, problems = process.communicate()
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert holding.ended(member)
    assert "Traceback" not in problems
    assert results(seed(44))["status"] != "complete"
    assert files().items() >= before.items()
    assert committee("--members", "3")[0] == 0
    assert files().items() >= before.items()
    assert equal_weights(seed(44), three / seed(44), "last")
    assert results() == results(three / OWN)


# -------------------------------------------------- cascades


def test_a_cascade_changes_no_answer_on_validation_and_is_used_by_predict(
    committee, trained, capsys
):
    known = results()["cascade"]
    assert known["val"]["changed"] == 0
    assert 1 <= known["val"]["members_per_image"] <= 3
    assert (known["val"]["images"], known["test"]["images"]) == (100, TEST)
    assert "As a cascade, whose thresholds validation sets: " in (OWN / "report.md").read_text()
    Image.fromarray(digits(1, 5)[0][0].numpy()).save("digit.png")
    line = [
        *("predict", "--config", f"{CONFIGS}/ensemble.yaml", "--name", "dense"),
        *("--model.checkpoints", "tb_logs/dense/seed_*/checkpoints/best.ckpt"),
        *("--data.dataset", SMALL, "--trainer.accelerator", "cpu", "--data.images", "digit.png"),
    ]
    capsys.readouterr()
    assert main([*line, "--model.cascade", "true"]) == 0
    assert "of 3 members used per digit" in capsys.readouterr().out
    (OWN / "results.json").write_text("{}")
    assert main([*line, "--model.cascade", "true"]) == 2
    assert "holds no thresholds for these members" in capsys.readouterr().err
    assert main(["validate", *line[1:-2], "--model.cascade", "true"]) == 2
    assert "--model.cascade is for predict and test" in capsys.readouterr().err
    assert main([*line, "--model.cascade", "true", "--model.average", "vote"]) == 2
    assert "--model.cascade: averages probabilities, not vote" in capsys.readouterr().err


def test_test_labels_set_no_cascade_threshold_and_timing_is_optional(
    trained, hard_data, no_pictures, capsys
):
    before = results()
    permute_test_labels(hard_data)
    line = [
        *("test", "--config", f"{CONFIGS}/ensemble.yaml", "--name", "dense"),
        *("--model.checkpoints", "tb_logs/dense/seed_*/checkpoints/best.ckpt"),
        *("--data.dataset", SMALL, "--data.data_dir", "data"),
        *("--trainer.accelerator", "cpu", "--model.cascade", "true"),
    ]
    assert main(line) == 0
    found, known = results()["cascade"], before["cascade"]
    assert results()["test_errors"] > before["test_errors"]
    for key in ("thresholds", "members_sha256", "val"):
        assert found[key] == known[key]
    for key in ("members_per_image", "changed"):
        assert found["test"][key] == known["test"][key]
    assert min(found["test_seconds"].values()) > 0
    cost, errors = (found["test"][key] for key in ("members_per_image", "errors"))
    message = f"as a cascade: {cost:.2f} of 3 members an image, {errors} errors, "
    assert message in capsys.readouterr().out
    assert " s for the test images instead of " in (OWN / "report.md").read_text()
