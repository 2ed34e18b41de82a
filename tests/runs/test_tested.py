"""A test is valid only for the weights, images and table that it was made with."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands import reproduce
from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import write_idx
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.main import main
from lit_mnist.models.modules import DenseModule
from lit_mnist.reports.notebook import System
from lit_mnist.runs import ledger, tested
from lit_mnist.runs.folder import Run
from tests.conftest import SMALL, TEST, digits

FOLDER = Path("tb_logs/dense/seed_42")
COMMITTEE = Path("tb_logs/dense/committee_3")


def results(folder=FOLDER):
    return json.loads((folder / "results.json").read_text())


def replace_weights(path):
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["net.1.bias"] += 1
    torch.save(checkpoint, path)


def edit(folder, **news):
    recorded = {key: value for key, value in (results(folder) | news).items() if value is not None}
    (folder / "results.json").write_text(json.dumps(recorded))


def test_a_test_records_its_weights_and_images(trained, hard_data):
    recorded = results()
    table = (FOLDER / "predictions.csv").read_bytes()
    assert recorded["test_predictions_sha256"] == hashlib.sha256(table).hexdigest()
    files = [DATASETS[SMALL].folder(hard_data) / name for name in DATASETS[SMALL].files["test"]]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert recorded["test_data_sha256"] == hashlib.sha256("".join(digests).encode()).hexdigest()
    assert recorded["test_images"] == TEST
    assert recorded["test_checkpoints"] == ["checkpoints/best.ckpt"]
    assert tested.why_untested(Run(FOLDER)) == ""
    paths = [f"../seed_{seed}/checkpoints/best.ckpt" for seed in (42, 43, 44)]
    assert results(COMMITTEE)["test_checkpoints"] == paths
    assert tested.why_untested(Run(COMMITTEE)) == ""


def test_a_record_in_a_folder_behind_a_link_finds_its_checkpoints(trained):
    Path("deep/er/real/mix").mkdir(parents=True)
    Path("link").symlink_to("deep/er/real")
    run = Run(Path(shutil.copytree(COMMITTEE, "link/mix/committee_3")))
    paths = tuple(Path(f"tb_logs/dense/seed_{seed}/checkpoints/best.ckpt") for seed in (42, 43, 44))
    sha256 = tested.weights_sha256(paths, "probabilities")
    weights = tested.Weights(sha256, paths, "probabilities")
    table, images = run.predictions.read_text(), results(COMMITTEE)["test_data_sha256"]
    run.update_results(**tested.record(run, weights, images, table))
    assert tested.why_untested(run) == ""
    read = TrainedRun.read(run).paths
    assert all(one.samefile(path) for one, path in zip(read, paths, strict=True))
    replace_weights(paths[0])
    assert tested.why_untested(run) == "its weights are no longer those that were tested"


UNTESTED = {
    "retrained": (lambda: edit(FOLDER, test_weights_sha256=None), "not been tested since"),
    "an earlier version": (lambda: edit(FOLDER, test_predictions_sha256=None), "earlier version"),
    "unknown images": (lambda: edit(FOLDER, test_data_sha256=None), "earlier version"),
    "gone": (lambda: (FOLDER / "predictions.csv").unlink(), "its predictions.csv is gone"),
    "without results": (lambda: (FOLDER / "results.json").unlink(), "not been tested since"),
    "edited": (
        lambda: (FOLDER / "predictions.csv").open("a").write("\n"),
        "its predictions.csv is not that of its test",
    ),
    "replaced weights": (
        lambda: replace_weights(FOLDER / "checkpoints" / "best.ckpt"),
        "its weights are no longer those that were tested",
    ),
    "damaged weights": (
        lambda: (FOLDER / "checkpoints" / "best.ckpt").write_bytes(b"PK"),
        "its weights are no longer those that were tested",
    ),
}


@pytest.mark.parametrize(("change", "message"), UNTESTED.values(), ids=UNTESTED)
def test_an_invalidated_test_gives_the_reason(trained, capsys, change, message):
    change()
    assert message in tested.why_untested(Run(FOLDER))
    assert main(["compare", "tb_logs/dense/seed_43", str(FOLDER)]) == 2
    output, problems = capsys.readouterr()
    assert output == ""
    if not message.endswith("gone"):
        assert problems == f"error: {FOLDER}: {tested.why_untested(Run(FOLDER))}; test it again\n"


def test_a_test_without_answers_is_told_from_none(trained, capsys):
    sha256 = results()["test_weights_sha256"]
    edit(FOLDER, test_weights_sha256=None)
    ledger.note(FOLDER, sha256, 0.5, float("nan"), 50)
    assert tested.why_untested(Run(FOLDER)) == "its test has no score, as some answers were NaN"
    assert tested.why_untested(Run(FOLDER), "other") == tested.NEVER
    assert main(["compare", str(FOLDER), "tb_logs/dense/seed_43"]) == 2
    told = f"error: {FOLDER}: its test has no score, as some answers were NaN; leave it out\n"
    assert capsys.readouterr().err == told
    (FOLDER / "predictions.csv").unlink()
    assert main(["compare", str(FOLDER), "tb_logs/dense/seed_43"]) == 2
    assert capsys.readouterr().err == told
    replace_weights(FOLDER / "checkpoints" / "best.ckpt")
    assert tested.why_untested(Run(FOLDER)) == tested.NEVER
    ledger.note(FOLDER, sha256, 0.5, 1.0, 50)
    assert (
        tested.why_untested(Run(FOLDER), sha256) == tested.NEVER
    )  # of the last look nothing is wrong


def test_a_committee_s_test_covers_its_members_weights(trained):
    replace_weights(FOLDER / "checkpoints" / "best.ckpt")
    assert "its weights are no longer" in tested.why_untested(Run(COMMITTEE))


def test_a_test_stays_valid_if_its_folder_is_moved(trained):
    shutil.move("tb_logs", "elsewhere")
    assert tested.why_untested(Run("elsewhere" / COMMITTEE.relative_to("tb_logs"))) == ""
    replace_weights(Path("elsewhere/dense/seed_42/checkpoints/best.ckpt"))
    assert tested.why_untested(Run("elsewhere" / COMMITTEE.relative_to("tb_logs"))) != ""


def test_other_weights_or_images_invalidate_a_test(trained):
    assert tested.why_untested(Run(FOLDER), weights_sha256="other").startswith(
        "its weights are no longer"
    )
    assert tested.why_untested(Run(FOLDER), data_sha256="other") == "it was tested on other images"
    recorded = results()
    known = recorded["test_weights_sha256"], recorded["test_data_sha256"]
    assert tested.why_untested(Run(FOLDER), *known) == ""


# ----------------------------------------------------- through the commands


def test_predictions_of_replaced_weights_are_not_compared(call, capsys):
    assert call("fit", "--trainer.max_epochs", "4")[0] == 0
    assert main(["compare", str(FOLDER), "tb_logs/dense/seed_43"]) == 2
    problems = capsys.readouterr().err
    assert problems == (
        f"error: {FOLDER}: it has not been tested since it was trained; test it again\n"
    )
    assert call("test")[0] == 0
    assert main(["compare", str(FOLDER), "tb_logs/dense/seed_43"]) == 0


def test_a_partial_test_is_not_recorded(call):
    before, table = results(), (FOLDER / "predictions.csv").read_bytes()
    part = ("--trainer.limit_test_batches", "2", "--data.eval_batch_size", "20")
    status, output, problems = call("test", *part)
    assert (status, problems) == (0, "")
    assert f"only 40 of {TEST} images were tested" in output
    assert (results(), (FOLDER / "predictions.csv").read_bytes()) == (before, table)
    with (FOLDER / "ledger.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2  # but it was a look at the test set


def test_a_test_of_rounded_weights_is_not_recorded(call):
    """In bfloat16, weights lose two thirds of their digits: it is another net that is tested."""
    before = results()
    halves = ("--trainer.precision", "bf16-true")
    status, output, problems = call("test", *halves)
    assert (status, problems) == (0, "")
    assert f"which rounds the weights of a run in {before['precision']}: nothing is" in output
    assert results() == before
    assert call("test", "--trainer.precision", "bf16-mixed")[0] == 0  # evaluation is in float32
    assert results()["test_reads"] == before["test_reads"] + 2
    assert results()["test_acc"] == before["test_acc"]
    assert call("fit", "--name", "new", "--trainer.max_epochs", "1", *halves)[0] == 0
    folder = Path("tb_logs/new/seed_42")
    for precision in (halves, ()):  # in float32 they stay exact
        assert call("test", "--name", "new", *precision)[0] == 0
        assert tested.why_untested(Run(folder)) == ""
        edit(folder, test_weights_sha256=None)


def test_a_partial_test_of_a_new_run_records_nothing(call):
    assert call("fit", "--name", "new", "--trainer.max_epochs", "1")[0] == 0
    part = ("--trainer.limit_test_batches", "2", "--data.eval_batch_size", "20")
    assert call("test", "--name", "new", *part)[0] == 0
    folder = Path("tb_logs/new/seed_42")
    assert not any(key.startswith("test_") for key in results(folder))
    assert not (folder / "predictions.csv").exists()
    assert tested.why_untested(Run(folder)) == "it has not been tested since it was trained"


def test_reproduce_repeats_a_partial_test(
    hard_data, here, in_process, no_pictures, monkeypatch, capsys
):
    dense = System(name="dense", title="", config="dense", accuracy=0, loss=0, epoch_s=1.0)
    monkeypatch.setattr(reproduce, "SYSTEMS", (dense,))
    options = [
        *("--data.dataset", SMALL, "--data.data_dir", str(hard_data), "--data.batch_size", "60"),
        *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
    ]
    spec = RunSpec(configs=("dense",), typed=tuple(options))
    assert main(spec.argv("fit")) == 0
    part = {"trainer.limit_test_batches": 2, "data.eval_batch_size": 20}
    assert main(spec.with_settings(part).argv("test")) == 0
    assert reproduce._finished(dense, [spec]) == []
    assert main(["reproduce", *options]) == 0
    recorded = json.loads(Path("tb_logs/reproduce/tutorial.json").read_text())["dense"]["ours"]
    assert recorded["test_errors"] == results()["test_errors"]
    assert results()["test_images"] == TEST
    assert reproduce._finished(dense, [spec]) == [FOLDER]
    # a partial one afterwards takes nothing away
    assert main(spec.with_settings(part).argv("test")) == 0
    assert reproduce._finished(dense, [spec]) == [FOLDER]
    (FOLDER / "results.json").unlink()  # what it knew of the machine is lost, and left out
    assert main(["reproduce", *options]) == 0
    assert results()["seed"] == 42
    assert "\n- ." not in Path("tb_logs/reproduce/tutorial.md").read_text()


def test_testing_no_batch_is_refused(call):
    before = results()
    status, output, problems = call("test", "--trainer.limit_test_batches", "0")
    assert (status, output) == (2, "")
    assert problems.startswith("error: --trainer.limit_test_batches 0: ")
    assert problems.count("\n") == 1
    assert results() == before


def test_runs_tested_on_other_images_with_equal_labels_are_not_compared(call, capsys, tmp_path):
    spec = DATASETS[SMALL]
    folder = spec.folder(tmp_path / "other")
    folder.mkdir(parents=True)
    for seed, (part, count) in enumerate({"train": 600, "test": TEST}.items()):
        images, labels = digits(count, seed, noise=255, height=5)
        images = images + (part == "test")
        for name, values in zip(spec.files[part], (images, labels), strict=True):
            write_idx(folder / name, values)
    options = ("--seed_everything", "43", "--data.data_dir", str(tmp_path / "other"))
    assert call("test", *options)[0] == 0
    assert main(["compare", str(FOLDER), "tb_logs/dense/seed_43"]) == 2
    assert "were tested on different images" in capsys.readouterr().err


class Scaled(DenseModule):
    """A user's module, whose code tests change."""

    slope = 1.0

    def forward(self, images):
        return super().forward(images).sinh() * self.slope


class ScaledLate(Scaled):
    """Likewise, with a layer made in `setup`."""

    def setup(self, stage):
        self.last = nn.Linear(10, 10)

    def forward(self, images):
        return self.last(super().forward(images))


@pytest.mark.parametrize("kind", [Scaled, ScaledLate])
def test_a_run_is_not_tested_with_code_that_did_not_train_it(run_cli, here, monkeypatch, kind):
    named = ("--model", f"{__name__}.{kind.__name__}", "--name", "own")
    assert run_cli("fit", *named)[0] == 0
    folder = Path("tb_logs/own/seed_42")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(kind, "slope", 2.0)
        for command in ("test", "validate", "predict"):
            status, _, problems = run_cli(command, *named)
            assert status == 2
            expected = f"best.ckpt: {__name__}.{kind.__name__} answers otherwise than in training"
            assert expected in problems
            assert problems.count("\n") == 1
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before
    assert run_cli("test", *named)[0] == 0
    assert tested.why_untested(Run(folder)) == ""
