"""Folders in which a user's callbacks cannot save are refused before training, not at a save."""

from pathlib import Path

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_mnist.main import main
from lit_mnist.models.modules import DenseModule
from tests.fitting import callback

KINDS = ("ModelCheckpoint", "OnExceptionCheckpoint")


@pytest.mark.parametrize("below", ["", "/below"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_in_the_folder_s_place_is_refused(run_cli, here, kind, below):
    Path("taken").write_text("mine")
    options = callback(kind, dirpath=f"taken{below}")
    status, _, problems = run_cli("fit", *options)
    assert status == 2
    assert problems.startswith(f"error: {kind} cannot save in ")
    assert f"taken{below}: " in problems
    assert problems.endswith("taken is a file; change its dirpath\n")
    assert not Path("tb_logs").exists()
    assert Path("taken").read_text() == "mine"


def test_a_committee_refuses_it_before_its_first_member(members, here, capsys):
    Path("taken").write_text("mine")
    saving = callback("ModelCheckpoint", dirpath="taken")
    assert main(["committee", *members, "--members", "2", *saving]) == 2
    output, problems = capsys.readouterr()
    assert (output, problems.count("\n")) == ("", 1)
    assert "ModelCheckpoint cannot save in " in problems


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_cannot_be_made_is_refused(run_cli, here, monkeypatch, kind):
    made = Path.mkdir

    def mkdir(self, *args, **options):
        if self.name == "nowhere":  # a file system that refuses it, also to root
            raise PermissionError(13, "Permission denied", str(self))
        made(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    status, output, problems = run_cli("fit", *callback(kind, dirpath="nowhere"))
    assert status == 2
    assert problems.startswith(f"error: {kind} cannot save in ")
    assert problems.endswith("nowhere: Permission denied; change its dirpath\n")
    assert "epoch 1" not in output


class Keeping(DenseModule):
    """Brings its checkpoint along."""

    def configure_callbacks(self):
        return ModelCheckpoint("taken", "mine")


def test_one_of_the_module_is_refused_before_training(run_cli, here):
    Path("taken").write_text("mine")
    status, output, problems = run_cli("fit", "--model", f"{__name__}.Keeping")
    assert status == 2
    assert "ModelCheckpoint cannot save in " in problems
    assert "epoch 1" not in output


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_is_missing_is_made_and_one_that_is_not_used_is_not_looked_at(
    run_cli, here, kind
):
    assert run_cli("fit", *callback(kind, dirpath="new/own"), "--trainer.max_epochs", "1")[0] == 0
    assert Path("new/own").is_dir()
    Path("taken").write_text("mine")
    saving = callback(kind, dirpath="taken")
    assert run_cli("fit", *saving, "--trainer.fast_dev_run", "1")[0] == 0
    assert run_cli("validate", *saving)[0] == 0
