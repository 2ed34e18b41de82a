"""The command `export`: what it refuses, without leaving or losing files."""

import errno
import json
import os
import resource
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lit_mnist.export import agreement, model_card
from lit_mnist.main import main
from lit_mnist.models import ClassifierModule
from lit_mnist.runs.folder import Run
from tests.trained import contents

COMMITTEE, MEMBER = Run(Path("tb_logs/dense/committee_3")), Run(Path("tb_logs/dense/seed_42"))
QUICK = ("--format", "safetensors")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 10)


class Branching(Net):
    def forward(self, images):
        logits = self.layer(images.flatten(1))
        return logits if images.mean() > 0.5 else 2 * logits


class Unwritable(Net):
    def forward(self, images):
        return torch.linalg.svd(images[:, 0])[1] @ self.layer.weight[:, :28].T


class Noisy(Net):
    def forward(self, images):
        return self.layer(images.flatten(1)) + torch.rand(10)


class BranchingModule(ClassifierModule):
    net_type = Branching


class UnwritableModule(ClassifierModule):
    net_type = Unwritable


class NoisyModule(ClassifierModule):
    net_type = Noisy


@pytest.fixture
def refused(trained, capsys):
    """Runs an export that must be refused without changing files; returns its message."""

    def call(*options):
        before = contents(trained)
        folders = {path for path in trained.rglob("*") if path.is_dir()}
        assert main(["export", *map(str, options)]) == 2
        assert contents(trained) == before
        assert {path for path in trained.rglob("*") if path.is_dir()} == folders
        output, problems = capsys.readouterr()
        assert output == ""
        assert problems.startswith("error: ")
        assert problems.count("\n") == 1
        return problems

    return call


@pytest.mark.parametrize("status", ["running", "interrupted"])
@pytest.mark.parametrize("exported", [MEMBER, COMMITTEE])
def test_unfinished_runs_and_their_committees_are_refused(refused, exported, status):
    MEMBER.update_results(status=status)
    text = f"{MEMBER.folder}: its training is not complete; finish it with fit first\n"
    assert refused(exported.folder) == f"error: {text}"


def test_an_untested_committee_is_refused(refused):
    COMMITTEE.file("results.json").unlink()
    assert "holds no trained run and no tested committee" in refused(COMMITTEE.folder)


def test_a_committee_that_an_earlier_version_tested_is_to_be_tested_again(refused):
    gone = ("test_checkpoints", "test_data_sha256", "test_predictions_sha256")
    COMMITTEE.change_results(lambda all_: {k: v for k, v in all_.items() if k not in gone})
    told = f"error: {COMMITTEE.folder}: it was tested by an earlier version, which did not note on"
    assert refused(COMMITTEE.folder) == f"{told} which images; test it again\n"


def test_a_missing_package_is_reported_with_the_pip_command(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    text = refused(MEMBER.folder)
    assert text.endswith(
        "onnx needs onnxscript and onnxruntime: pip install onnxscript onnxruntime\n"
    )


def test_a_broken_package_is_reported_with_the_pip_command(refused, monkeypatch):
    monkeypatch.delitem(sys.modules, "lit_mnist.export.safetensors_file", raising=False)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    text = refused(MEMBER.folder, *QUICK)
    assert text.endswith(": pip install --force-reinstall safetensors\n")


def test_a_package_broken_at_late_import_is_not_blamed_on_the_network(
    refused, tmp_path, monkeypatch
):
    (tmp_path / "onnxscript.py").write_text("from gone_elsewhere import ir")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxscript", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # beside the run, where nothing may stay
    text = refused(MEMBER.folder)
    assert "(No module named 'gone_elsewhere')" in text
    assert text.endswith(": pip install --force-reinstall onnx onnxscript onnxruntime\n")


@pytest.mark.parametrize(
    "news",
    [{"test_acc": "0.99"}, {"test_acc_ci95": [1]}, {"members": 5}, {"versions": "x"}],
    ids=str,
)
def test_edited_results_are_refused(refused, news):
    MEMBER.update_results(**news)
    assert str(MEMBER.folder) in (line := refused(MEMBER.folder, *QUICK))
    assert "no card can be made of" in line or "results.json: damaged, its entry" in line


def test_labels_must_be_ten_different_ones(refused):
    assert "--labels: give each class a name" in refused(MEMBER.folder, "--labels", *"abcdefghii")
    assert "expected 10 arguments" in refused(MEMBER.folder, "--labels", *"abc")


def test_a_committee_that_was_not_tested_says_so(refused, trained):
    folder = trained / "tb_logs/dense/committee_2_folds_2"
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps({"out_of_fold": {"acc": 0.5}}))
    assert "is not tested; run its committee without --skip_test" in refused(folder)


def test_exporting_a_cascade_is_refused(refused):
    assert "a model file runs every member" in refused(COMMITTEE.folder, "--model.cascade", "true")


def test_an_unknown_suffix_is_refused_listing_all(refused):
    text = refused(MEMBER.folder, "--output", "it.h5")
    assert text.endswith("ends in .onnx or .pt2 or .safetensors\n")


def test_data_other_than_the_run_s_are_refused(refused, small_data):
    assert "with --data_dir" in refused(MEMBER.folder, *QUICK, "--data_dir", small_data)


@pytest.mark.parametrize(
    ("kind", "ending", "message"),
    [
        (BranchingModule, "onnx", "the network cannot be traced (Could not guard on data-d"),
        (UnwritableModule, "onnx", "ONNX cannot hold the network (No ONNX function found for"),
        (NoisyModule, "pt2", "the file's probabilities differ from the run's by up to 0."),
    ],
)
def test_a_network_unfit_for_the_format_is_refused(refused, hard_data, kind, ending, message):
    """An existing export stays."""
    module = kind()
    Path("odd/checkpoints").mkdir(parents=True)
    checkpoint = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    checkpoint["MNISTDataModule"] = {"dataset": "KMNIST"}
    torch.save(checkpoint, "odd/checkpoints/best.ckpt")
    Path(f"odd/model.{ending}").write_text("an earlier one of lit-mnist")
    name = f"{kind.__module__}.{kind.__qualname__}"
    options = ("--format", ending, "--data_dir", hard_data, "--model.classes", name)
    assert message in refused("odd", *options)


def test_a_missing_class_is_reported(refused):
    text = refused(MEMBER.folder, "--model.classes", "nowhere.Net")
    assert "--model.classes nowhere.Net: cannot be imported (No module named 'nowhere')" in text
    assert "is not a class" in refused(MEMBER.folder, "--model.classes", "os.path")


def test_a_file_that_differs_from_the_run_is_removed(refused, monkeypatch):
    monkeypatch.setattr(agreement, "TOLERANCE", -1.0)
    text = refused(MEMBER.folder, "--output", "new/folder/it.safetensors")
    assert "the file's probabilities differ from the run's" in text


@pytest.mark.parametrize("output", ["taken/it.safetensors", "/proc/it.safetensors"])
def test_an_unwritable_output_folder_is_reported(refused, output):
    Path("taken").touch()
    assert "it.safetensors: " in refused(MEMBER.folder, "--output", output)


def test_a_full_disk_while_writing_the_card_is_reported(refused, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert main(["export", str(MEMBER.folder), *QUICK]) == 0
    capsys.readouterr()
    monkeypatch.setattr(model_card, "text", full)
    assert "No space left on device" in refused(MEMBER.folder, *QUICK)


def test_a_full_disk_while_writing_the_file_is_reported(refused):
    """The process may not write files over 100 kB, and the model has 437 kB."""
    earlier = MEMBER.file("model.safetensors")
    earlier.write_text("an earlier one of lit-mnist")
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
    try:
        text = refused(MEMBER.folder, *QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    assert text == f"error: {earlier}: File too large; make room or choose another\n"


def test_a_user_s_file_is_not_overwritten(refused):
    Path("mine.onnx").write_text("mine")
    message = "--output mine.onnx: exists and is no export of ours"
    assert message in refused(MEMBER.folder, "--output", "mine.onnx")
    (MEMBER.folder / "model.onnx").write_text("mine")
    message = "model.onnx: exists and is no export of ours; name another file in --output"
    assert message in refused(MEMBER.folder)


def test_an_empty_file_is_not_overwritten(refused):
    Path("mine.onnx").touch()
    assert "no export of ours" in refused(MEMBER.folder, "--output", "mine.onnx")


def test_a_pipe_is_refused_without_waiting_for_its_writer(trained, capsys):
    os.mkfifo("pipe.onnx")
    assert main(["export", str(MEMBER.folder), "--output", "pipe.onnx"]) == 2
    message = "error: --output pipe.onnx: is no regular file; choose another name\n"
    assert capsys.readouterr().err == message


def test_a_user_s_card_is_not_overwritten(refused, capsys):
    """A user's card, new or edited, is kept; an unedited one is replaced."""
    card = MEMBER.file("MODEL_CARD.md")
    card.write_text("# Mine\n")
    assert "not written by export, or changed since" in refused(MEMBER.folder, *QUICK)
    card.unlink()
    for _ in range(2):
        assert main(["export", str(MEMBER.folder), *QUICK]) == 0
    capsys.readouterr()
    card.write_text(card.read_text() + "\nA line of mine.\n")
    assert "changed since" in refused(MEMBER.folder, *QUICK)


def test_an_earlier_export_is_replaced(trained):
    for _ in range(2):
        assert main(["export", str(MEMBER.folder), "--output", "it.safetensors"]) == 0


def test_fresh_keeps_exported_files(trained):
    assert main(["export", str(MEMBER.folder), *QUICK]) == 0
    exports = {MEMBER.file("model.safetensors"), MEMBER.file("MODEL_CARD.md")}
    assert exports.isdisjoint(MEMBER.written())
    assert all(path.is_file() for path in exports)
