"""The commands test, validate and predict, run as a user runs them, on a small dataset."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.program_runs import csv_rows
from tests.stopping import RUN, results


@pytest.mark.parametrize("command", ["test", "validate", "predict"])
def test_untrained_weights_are_never_scored(run_cli, command):
    status, output, problems = run_cli(command)
    assert (status, output) == (2, "")
    assert re.fullmatch(r"error: \S+best\.ckpt: no such checkpoint; .* run fit first\n", problems)
    assert not Path("tb_logs").exists()


def test_another_checkpoint_can_be_tested(run_cli, four_epochs):
    run_cli("test", "--ckpt_path", str(RUN / "checkpoints" / "last.ckpt"))
    assert results()["test_checkpoints"] == ["checkpoints/last.ckpt"]


def test_a_checkpoint_of_another_architecture_is_refused(run_cli, fitted):
    path = str(RUN / "checkpoints" / "best.ckpt")
    for command in ("fit", "test", "validate", "predict"):
        status, _, problems = run_cli(command, "--ckpt_path", path, config="simple")
        assert status == 2
        assert "DenseModule, which do not fit SimpleConvModule" in problems
        assert problems.count("\n") == 1


def test_a_truncated_checkpoint_is_refused(run_cli, fitted):
    best = RUN / "checkpoints" / "best.ckpt"
    best.write_bytes(best.read_bytes()[: best.stat().st_size // 2])
    status, _, problems = run_cli("test")
    assert status == 2
    assert "best.ckpt: damaged" in problems
    assert problems.count("\n") == 1


def test_a_checkpoint_from_other_data_is_refused(run_cli, fitted):
    status, _, problems = run_cli("validate", "--data.split_seed", "1")
    assert status == 2
    assert "split_sha256" in problems
    assert problems.count("\n") == 1


def test_validate_reports_the_best_epoch_s_score(run_cli, four_epochs):
    status, output, _ = run_cli("validate")
    assert status == 0
    assert f"val_acc {results()['best_val_acc']:.4f}" in output


def test_predict_prints_and_writes_one_row_per_image(run_cli, fitted, small_data, here):
    from lit_mnist.data.idx import read_idx

    raw = small_data / "KMNIST" / "raw"
    images = read_idx(raw / "t10k-images-idx3-ubyte").numpy()[:3]
    names = [f"digit {i}.png" for i in range(3)]
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).save(here / name)
    status, output, _ = run_cli("predict", "--data.images", *names)
    assert status == 0
    table = csv_rows("digits.csv")
    assert [row["file"] for row in table] == names
    assert [line.split("  ")[0] for line in output.splitlines()[1:4]] == names
    assert Image.open(RUN / "digits.png").format == "PNG"
    run_cli("test")
    expected = csv_rows("predictions.csv")[:3]
    kana = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
    for row, tested in zip(table, expected, strict=True):
        assert row["digit"] == kana[int(tested["prediction"])]
        assert float(row["probability"]) == pytest.approx(
            float(tested[f"p{tested['prediction']}"]), abs=1e-4
        )
