"""The table of the notebook's figures and ours, from fake runs."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from lit_mnist.reports.notebook import System
from lit_mnist.reports.notebook_table import markdown, write
from lit_mnist.runs.folder import Run

SINGLE = System(
    name="simple", title="simple conv", config="simple", accuracy=0.9907, loss=0.0432, epoch_s=6.0
)
DEEP = System(
    name="committee_deep",
    title="committee of 2 deep",
    config="deep",
    accuracy=0.9974,
    loss=0.0076,
    epoch_s=38.0,
    members=2,
    note="members 0.9957 to 0.9971",
)
NEAREST = "  augment: true\n  interpolation: nearest\n"


def run(folder, seed, errors, loss, epochs=40, config="  augment: false\n", images=10_000):
    """A run's folder with results, a history of two epochs and a picture."""
    made, correct = Run(folder), images - errors
    folder.mkdir(parents=True)
    made.update_results(
        **{"seed": seed, "epochs": epochs, "seconds": 90.04, "precision": "32-true"},
        **{"hardware": "a machine", "versions": {"torch": "2.14"}, "test_loss": loss},
        **{"test_acc": correct / images, "test_acc_ci95": [0.9, 1], "test_errors": errors},
        **{"test_images": images, "test_reads": 1},
    )
    made.file("metrics.csv").write_text("epoch,train_acc,val_acc\n0,0.5,0.6\n1,0.7,0.8\n")
    made.file("config.yaml").write_text(f"data:\n{config}")
    Image.new("RGB", (300, 200), (seed, 0, 0)).save(made.file("misclassified.png"))
    return folder


@pytest.fixture
def done(tmp_path):
    """A single network with three seeds, and a committee of two."""
    single = [
        run(tmp_path / f"simple/seed_{seed}", seed, errors, loss)
        for seed, errors, loss in ((42, 93, 0.04), (43, 101, 0.05), (44, 88, 0.03))
    ]
    deep = [
        run(tmp_path / "deep/seed_42", 42, 35, 0.011, 30, NEAREST),
        run(tmp_path / "deep/seed_43", 43, 41, 0.013, 28, NEAREST),
        run(tmp_path / "deep/committee_2", 99, 26, 0.0076),
    ]
    return [(SINGLE, single), (DEEP, deep)]


def written(folder):
    facts = json.loads((folder / "tutorial.json").read_text())
    text = (folder / "tutorial.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return facts, text, [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_a_single_network_is_reported_by_its_first_seed_and_the_spread(done, tmp_path):
    write(tmp_path, done)
    facts, _, rows = written(tmp_path)
    row = facts["simple"]
    assert row["ours"]["test_errors"] == 93
    assert row["notebook"] == {"acc": 0.9907, "loss": 0.0432, "note": ""}
    accuracies = [0.9907, 0.9899, 0.9912]
    assert row["mean_acc"] == pytest.approx(np.mean(accuracies))
    assert row["sd_acc"] == pytest.approx(np.std(accuracies, ddof=1))
    assert row["mean_loss"] == pytest.approx(0.04)
    assert row["sd_loss"] == pytest.approx(0.01)
    assert [each["test_errors"] for each in row["runs"]] == [93, 101, 88]
    low, high = binomtest(9907, 10_000).proportion_ci(method="wilson")
    assert rows[0] == [
        *("simple conv", "", "40", "0.9907 / 0.0432", "0.9907", f"{low:.4f} to {high:.4f}"),
        *("0.0400", "93", f"{np.mean(accuracies):.4f} ± {np.std(accuracies, ddof=1):.4f}"),
        *("42 to 44", "4.5 min"),
    ]


def test_a_committee_is_reported_by_its_test_and_its_members_spread(done, tmp_path):
    write(tmp_path, done)
    facts, text, rows = written(tmp_path)
    row = facts["committee_deep"]
    assert row["ours"] == {
        **{"test_acc": 0.9974, "test_acc_ci95": [0.9, 1], "test_loss": 0.0076},
        **{"test_errors": 26, "test_images": 10_000, "test_reads": 1},
    }
    assert row["seeds"] == [42, 43]
    assert row["mean_acc"] == pytest.approx(0.9962)
    assert row["seconds"] == pytest.approx(180.1)
    assert rows[1][1:5] == ["nearest", "28 or 30", "0.9974 / 0.0076", "0.9974"]
    assert rows[1][7:] == ["26", "0.9962 ± 0.0004", "42 to 43", "3.0 min"]
    assert "- committee of 2 deep, notebook: members 0.9957 to 0.9971." in text
    assert "- a machine; precision 32-true; torch 2.14." in text


def test_options_that_change_the_training_are_named(done, tmp_path):
    write(tmp_path, done)
    assert "other options" not in written(tmp_path)[1]
    write(tmp_path, done, "--model.lr 0.01")
    facts, text, _ = written(tmp_path)
    assert {row["options"] for row in facts.values()} == {"--model.lr 0.01"}
    assert text.count("- Trained with other options than the notebook's: `--model.lr 0.01`.") == 1


def test_the_number_of_images_and_another_data_set_are_named(done, tmp_path):
    write(tmp_path, done)
    assert "Wilson's for one test on 10,000 images;" in written(tmp_path)[1]
    assert "Trained and tested on" not in written(tmp_path)[1]
    other = run(tmp_path / "own/seed_42", 42, 9, 0.1, config="  dataset: KMNIST\n", images=1500)
    write(tmp_path, [(SINGLE, [other]), done[1]])
    facts, text, rows = written(tmp_path)
    assert "Wilson's for one test on 1,500 or 10,000 images;" in text
    assert "- Trained and tested on KMNIST; the notebook on MNIST." in text
    assert [row["dataset"] for row in facts.values()] == ["KMNIST", "MNIST"]
    low, high = binomtest(1491, 1500).proportion_ci(method="wilson")
    assert rows[0][5] == f"{low:.4f} to {high:.4f}"


def test_the_table_of_the_results_is_what_the_program_writes():
    results = Path(__file__).parents[2] / "results"
    facts = json.loads((results / "tutorial.json").read_text())
    assert markdown(facts) == (results / "tutorial.md").read_text()


def test_one_run_has_no_spread(done, tmp_path):
    system, folders = done[0]
    write(tmp_path, [(system, folders[:1])])
    facts, text, rows = written(tmp_path)
    assert facts["simple"]["sd_acc"] is None
    assert "NaN" not in (tmp_path / "tutorial.json").read_text()
    assert rows[0][8:10] == ["", "42"]
    assert "tutorial_gallery.png" not in text
    assert not (tmp_path / "tutorial_gallery.png").exists()


@pytest.mark.parametrize("chosen", [slice(None), slice(1, None)], ids=["both", "committee alone"])
def test_pictures_are_written(done, tmp_path, chosen):
    write(tmp_path / "out", done[chosen])
    _, text, _ = written(tmp_path / "out")
    assert Image.open(tmp_path / "out/tutorial_curves.png").size[0] > 200
    gallery = tmp_path / "out/tutorial_gallery.png"
    assert gallery.read_bytes() == (tmp_path / "deep/committee_2/misclassified.png").read_bytes()
    for name in ("tutorial_curves.png", "tutorial_gallery.png"):
        assert f"({name})" in text
    assert len(list((tmp_path / "out").iterdir())) == 4
