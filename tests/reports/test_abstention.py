"""Temperature and thresholds through the commands: from validation only, for the tested weights."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import parse_idx, read_bytes, write_idx
from lit_mnist.data.split import train_val_split
from lit_mnist.main import main
from lit_mnist.models.modules import DenseModule
from lit_mnist.models.sureness import Abstention
from lit_mnist.reports.abstention import report, threshold
from lit_mnist.reports.calibration import Answers
from tests import trained as runs
from tests.conftest import SMALL, TEST
from tests.reports.test_calibration import random_answers

RUN = Path("tb_logs/dense/seed_42")
COMMITTEE = Path("tb_logs/dense/committee_3")


def calibration(folder):
    return json.loads((folder / "results.json").read_text())["calibration"]


def stored(data_dir, split):
    """Images and labels as stored on disk."""
    spec = DATASETS[SMALL]
    paths = [spec.folder(data_dir) / name for name in spec.files[split]]
    return [parse_idx(read_bytes(path), path) for path in paths]


def validation(data_dir, folder):
    """Logits and labels of the best weights on the validation images, by a loop of its own."""
    images, labels = stored(data_dir, "train")
    held_out = train_val_split(len(labels), 42)[1]
    module = DenseModule.load_from_checkpoint(folder / "checkpoints/best.ckpt").eval()
    with torch.no_grad():
        logits = module.net(images[held_out][:, None].float() / 255)
    return logits.double(), labels[held_out].long()


def predictions(folder):
    with (folder / "predictions.csv").open(newline="") as file:
        table = np.array(list(csv.reader(file))[1:], float)
    return table[:, 1].astype(int), table[:, 3:]


# ------------------------------------------------------------------ arithmetic


@pytest.mark.parametrize("errors", [0, 1, 5, 10_000])
def test_a_threshold_allows_exactly_the_given_errors(errors):
    answers = random_answers(500)
    least = threshold(answers, errors)
    wrong = ~answers.right
    assert (wrong & (answers.confidence > least)).sum() == min(errors, wrong.sum())
    if errors < wrong.sum():
        assert (wrong & (answers.confidence >= least)).sum() == errors + 1
    else:
        assert least == 0


def test_reported_test_figures_equal_a_count():
    held_out, test = random_answers(2_000, seed=1), random_answers(1_000, sharpness=1.4, seed=2)
    facts = report(held_out, test)
    assert facts["val_errors_allowed"] == 2
    assert [row["val_errors_allowed"] for row in facts["abstention"]] == [0, 1, 2, 3, 10, 30]
    powers = test.probabilities ** (1 / facts["temperature"])
    confidence = powers.max(1) / powers.sum(1)
    for row in facts["abstention"]:
        assert row["val_errors"] == row["val_errors_allowed"]
        answered = confidence > row["threshold"]
        assert row["test_answered"] == answered.sum()
        assert row["test_coverage"] == answered.mean()
        assert row["test_errors"] == (answered & ~test.right).sum()


# ------------------------------------------------------------ through the commands


def test_a_run_is_calibrated_on_its_own_validation_images(hard_data, trained):
    facts = calibration(RUN)
    logits, labels = validation(hard_data, RUN)
    assert facts["val_images"] == len(labels) == 100
    best = minimize_scalar(
        lambda t: F.cross_entropy(logits / t, labels).item(), bounds=(0.05, 20), method="bounded"
    )
    assert facts["temperature"] == pytest.approx(best.x, rel=1e-3)
    probabilities = (logits / facts["temperature"]).softmax(1)
    confidence, predicted = probabilities.max(1)
    wrong = confidence[predicted != labels].sort(descending=True).values
    for row in facts["abstention"]:
        allowed = row["val_errors_allowed"]
        expected = wrong[allowed].item() if allowed < len(wrong) else 0
        assert row["threshold"] == pytest.approx(expected, abs=1e-5)
    assert facts["threshold"] == facts["abstention"][0]["threshold"]


def test_a_committee_s_temperature_applies_to_the_log_of_the_mean(hard_data, trained):
    facts = calibration(COMMITTEE)
    each = [validation(hard_data, RUN.with_name(f"seed_{seed}")) for seed in (42, 43, 44)]
    mean = torch.stack([logits.softmax(1) for logits, _ in each]).mean(0)
    labels = each[0][1]
    best = minimize_scalar(
        lambda t: F.cross_entropy(mean.log() / t, labels).item(),
        bounds=(0.05, 20),
        method="bounded",
    )
    assert facts["temperature"] == pytest.approx(best.x, rel=1e-3)
    labels, probabilities = predictions(COMMITTEE)
    chosen = probabilities[np.arange(TEST), labels]
    assert facts["test"]["nll"] == pytest.approx(-np.log(chosen).mean(), rel=1e-6)
    powers = probabilities ** (1 / facts["temperature"])
    scaled = powers[np.arange(TEST), labels] / powers.sum(1)
    assert facts["test_scaled"]["nll"] == pytest.approx(-np.log(scaled).mean(), rel=1e-6)
    assert "temperature" in (COMMITTEE / "report.md").read_text()


def test_the_test_labels_influence_no_choice(members, hard_data, trained, tmp_path, no_pictures):
    before, other = calibration(RUN), tmp_path / "other"
    shutil.copytree(hard_data, other)
    spec = DATASETS[SMALL]
    labels = stored(hard_data, "test")[1]
    write_idx(spec.folder(other) / spec.files["test"][1], labels.roll(1))
    assert main(["test", *members, "--data.data_dir", str(other)]) == 0
    after = calibration(RUN)
    assert after["test"]["nll"] > before["test"]["nll"]
    for key in ("temperature", "threshold", "val_images", "val_errors_allowed"):
        assert after[key] == before[key]
    for old, new in zip(before["abstention"], after["abstention"], strict=True):
        assert new["threshold"] == old["threshold"]
        assert new["val_errors"] == old["val_errors"]
        assert new["test_answered"] == old["test_answered"]


# ---------------------------------------------------------------------- blanks


@pytest.fixture
def blank(members, trained, no_pictures, capsys):
    """Tests the run and returns the reason why calibration is left blank."""

    def call(*options):
        assert main(["test", *members, *options]) == 0
        reason = calibration(RUN)["missing"]
        assert f"calibration is left blank: {reason}\n" in capsys.readouterr().out
        return reason

    return call


def test_without_validation_calibration_is_blank(blank):
    reason = blank("--trainer.limit_val_batches", "0")
    assert reason == "--trainer.limit_val_batches 0 leaves out validation"


def test_without_training_images_calibration_is_blank_without_download(blank, hard_data, tmp_path):
    spec, other = DATASETS[SMALL], tmp_path / "test_only"
    shutil.copytree(hard_data, other)
    for name in spec.files["train"]:
        (spec.folder(other) / name).unlink()
    reason = blank("--data.data_dir", str(other))
    assert reason == "the training images, a part of which validates, are not at hand"
    assert not any((spec.folder(other) / name).exists() for name in spec.files["train"])


def test_images_of_another_split_are_not_used_for_calibration(blank):
    reason = blank("--data.split_seed", "7")
    assert reason.startswith("these weights were trained with another --data.split_seed")


def test_a_checkpoint_without_fingerprint_is_not_calibrated(blank):
    def forget(checkpoint):
        del checkpoint["MNISTDataModule"]

    runs.change(RUN / "checkpoints/best.ckpt", forget)
    assert blank().startswith("a checkpoint does not record which images were held out")


def test_further_training_removes_the_outdated_calibration(members, trained, no_pictures):
    assert main(["fit", *members, "--trainer.max_epochs", "4"]) == 0
    assert "calibration" not in json.loads((RUN / "results.json").read_text())


# --------------------------------------------------------------- read by predict


def test_other_weights_use_the_default_threshold(trained):
    results = json.loads((RUN / "results.json").read_text())
    own = Abstention.of(results, results["test_weights_sha256"])
    assert own[:2] == (results["calibration"]["threshold"], results["calibration"]["temperature"])
    assert Abstention.of(results, "0" * 64) == Abstention.of({}, "") == Abstention()
    results["calibration"]["abstention"] = [7]
    damaged = Abstention.of(results, results["test_weights_sha256"])
    assert damaged[:2] == Abstention()[:2]
    assert "damaged" in damaged.source


def test_a_prediction_is_sure_above_the_threshold_at_the_temperature():
    rule = Abstention(threshold=0.7, temperature=2.0)
    answers = Answers(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 0]))
    assert rule.sure(answers.probabilities).tolist() == [True, False]  # 3 : 1 and 2 : 1
    assert rule.sure(np.zeros((0, 10))).tolist() == []
