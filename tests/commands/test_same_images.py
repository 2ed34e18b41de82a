"""A run is complete, or goes on, only with the images and labels that it was trained on."""

import hashlib
import shutil
from pathlib import Path

import pytest

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import read_idx, write_idx
from lit_mnist.data.read import MANIFEST
from lit_mnist.main import main
from lit_mnist.runs.folder import Run
from tests.conftest import SMALL
from tests.trained import contents

FOLDER = DATASETS[SMALL].folder(Path("data"))
IMAGES, LABELS = (FOLDER / name for name in DATASETS[SMALL].files["train"])
OWN = ("--data.data_dir", "data")
OTHER = (
    f"%s was trained on other images or labels than {FOLDER} holds now; replace it with"
    " --fresh, choose another --name, or name their folder: --data.data_dir"
)


def correct(count=9):
    """Gives the first training images other labels."""
    labels = read_idx(LABELS)
    labels[:count] = (labels[:count] + 1) % 10
    LABELS.unlink()
    write_idx(LABELS, labels)


@pytest.fixture
def data(hard_data, here):
    """A copy of the data in the working folder, which may be changed."""
    shutil.copytree(hard_data, "data")


@pytest.fixture
def refused(members, in_process, no_pictures, capsys):
    """Runs a command that must change nothing; returns its one line."""

    def call(command, *options):
        before = contents(Path("tb_logs"))
        capsys.readouterr()
        assert main([command, *members, *OWN, *options]) == 2
        output, problems = capsys.readouterr()
        assert (output, problems.count("\n")) == ("", 1)
        assert contents(Path("tb_logs")) == before
        return problems

    return call


def test_a_finished_run_is_not_complete_once_labels_are_corrected(trained, data, members, refused):
    assert main(["fit", *members, *OWN]) == 0  # the same images in another folder
    correct()
    assert refused("fit") == f"error: {OTHER % 'tb_logs/dense/seed_42'}\n"
    assert main(["fit", *members, *OWN, "--fresh"]) == 0
    assert main(["fit", *members, *OWN]) == 0


def test_images_count_as_labels_do(trained, data, refused):
    images = read_idx(IMAGES)
    images[3, 5, 5] ^= 1
    IMAGES.unlink()
    write_idx(IMAGES, images)
    assert OTHER % "tb_logs/dense/seed_42" in refused("fit")


def test_a_committee_of_outdated_members_is_not_tested(trained, data, members, refused):
    shutil.rmtree("tb_logs/dense/seed_42")
    assert main(["fit", *members]) == 0
    correct()
    assert OTHER % "tb_logs/dense/seed_42" in refused("committee", "--members", "3")
    shutil.rmtree("tb_logs/dense/seed_42")
    shutil.rmtree("tb_logs/dense/committee_3")
    assert OTHER % "tb_logs/dense/seed_43" in refused("committee", "--members", "3")


def test_a_committee_of_folds_has_no_score_for_labels_that_are_gone(folds, data, refused):
    shutil.copytree(folds / "tb_logs", "tb_logs")
    correct()
    for again in range(2):
        skip = ("--skip_test",) * again
        line = refused("committee", "--folds", "3", *skip)
        assert OTHER % "tb_logs/dense/seed_42_fold_0_of_3" in line


@pytest.mark.parametrize("lost", ["results.json", "metrics.csv", "checkpoints/best.ckpt"])
def test_what_a_run_was_trained_on_is_known_without_its_small_files(trained, data, refused, lost):
    Path("tb_logs/dense/seed_42", lost).unlink()
    correct()
    assert OTHER % "tb_logs/dense/seed_42" in refused("fit")


def test_an_interrupted_run_is_refused_before_another_is_trained(trained, data, refused):
    Run(Path("tb_logs/dense/seed_44")).update_results(status="interrupted")
    correct()
    for seed in (42, 43):
        shutil.rmtree(f"tb_logs/dense/seed_{seed}")
    shutil.rmtree("tb_logs/dense/committee_3")
    assert OTHER % "tb_logs/dense/seed_44" in refused("committee", "--members", "3")


@pytest.mark.parametrize("gone", [LABELS, FOLDER])
def test_where_the_images_are_not_at_hand_the_run_stays_complete(trained, data, members, gone):
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert main(["fit", *members, *OWN]) == 0


def test_a_damaged_download_is_not_taken_for_other_images(trained, data, refused):
    digest = hashlib.sha256(LABELS.read_bytes()).hexdigest()
    (FOLDER / MANIFEST).write_text(f"{digest}  {LABELS.name}\n")
    correct()
    line = refused("fit", "--data.download", "false")
    assert f"{LABELS} is damaged: its SHA-256 is" in line
