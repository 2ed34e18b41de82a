"""The commands, run as a user runs them, on a small dataset."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_mnist.main import main
from tests import kept, trained

FOLDER = Path("tb_logs/dense/seed_42")
COLUMNS = ["epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds"]


def results(folder=FOLDER):
    return json.loads((folder / "results.json").read_text())


def rows(name, folder=FOLDER):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def weights(folder=FOLDER, name="last"):
    checkpoint = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return checkpoint["state_dict"]


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.fixture
def four_epochs(shared, run_cli):
    """Leaves a run of four epochs at a rate of 0.02 in the working folder."""
    kept.fitted(shared, run_cli, "--trainer.max_epochs", "4", "--model.lr", "0.02")


@pytest.mark.pictures
def test_fit_writes_the_documented_files(run_cli):
    status, output, problems = run_cli("fit", config="simple_plateau")
    folder = Path("tb_logs/simple_plateau/seed_42")
    assert (status, problems) == (0, "")
    names = {path.name for path in folder.iterdir()}
    assert {"checkpoints", "config.yaml", "metrics.csv", "results.json", "curves.png"} <= names
    assert len([name for name in names if name.startswith("events.out.tfevents.")]) == 1
    assert names >= {"train", "val", "final"}  # what TensorBoard shows by epochs
    assert len(names) == 9
    assert list(rows("metrics.csv", folder)[0]) == COLUMNS
    assert [row["epoch"] for row in rows("metrics.csv", folder)] == ["0", "1"]
    info = results(folder)
    assert info["status"] == "complete"
    assert (info["name"], info["seed"], info["epochs"]) == ("simple_plateau", 42, 2)
    accuracies = [float(row["val_acc"]) for row in rows("metrics.csv", folder)]
    assert info["best_val_acc"] == max(accuracies)
    assert info["best_epoch"] == accuracies.index(max(accuracies))
    assert "test_acc" not in info
    # one line an epoch, two before, and what to do next
    lines = output.splitlines()
    assert f"precision {info['precision']}, channels {info['channels_last'] and 'last'}" in lines[1]
    assert [line.split()[:2] for line in lines[2:4]] == [["epoch", "0"], ["epoch", "1"]]
    assert "ETA" in lines[2]
    assert lines[5].startswith("next: ")
    assert len(lines) == 7


def test_checkpoints_hold_the_right_epochs(four_epochs):
    for name, epoch in (("best", results()["best_epoch"]), ("last", 3)):
        checkpoint = torch.load(FOLDER / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert checkpoint["epoch"] == epoch
        assert checkpoint["hyper_parameters"]["lr"] == 0.02


@pytest.mark.pictures
def test_predictions_of_a_test_agree_with_its_results(run_cli):
    run_cli("fit")
    status, output, problems = run_cli("test")
    assert (status, problems) == (0, "")
    table = rows("predictions.csv")
    assert [int(row["index"]) for row in table] == list(range(101))
    errors = sum(row["label"] != row["prediction"] for row in table)
    recorded = results()
    assert recorded["test_errors"] == errors
    assert recorded["test_acc"] == pytest.approx(1 - errors / 101)
    probabilities = np.array([[float(row[f"p{d}"]) for d in range(10)] for row in table])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == [int(row["prediction"]) for row in table]).all()
    chosen = probabilities[np.arange(101), [int(row["label"]) for row in table]]
    assert recorded["test_loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)
    assert f"{errors} errors" in output
    for name in ("misclassified.png", "confusion.png", "curves.png"):
        assert Image.open(FOLDER / name).size[0] > 200
    check_tensorboard_has_every_scalar_and_picture()


def check_tensorboard_has_every_scalar_and_picture():
    events = EventAccumulator(str(FOLDER), size_guidance={"images": 0}).Reload()
    expected = {"train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc", "lr"}
    assert expected <= set(events.Tags()["scalars"])
    pictures = {"curves", "curves_tested", "misclassified", "confusion"}
    assert set(events.Tags()["images"]) == pictures
    logged = [event.value for event in events.Scalars("val_acc")]
    assert logged == pytest.approx([float(row["val_acc"]) for row in rows("metrics.csv")])


def test_equal_seeds_give_identical_weights_and_other_seeds_others(run_cli):
    short = ("--trainer.limit_train_batches", "3")
    for name, seed in (("a", "1"), ("b", "1"), ("a", "2")):
        options = ("--name", name, "--seed_everything", seed)
        assert run_cli("fit", *short, *options, config="simple_augmented")[0] == 0
    a, b, other = (
        weights(Path("tb_logs", n, f"seed_{s}")) for n, s in (("a", 1), ("b", 1), ("a", 2))
    )
    assert equal(a, b)
    assert not equal(a, other)


def test_fit_is_the_same_without_the_test_files(run_cli, fitted, small_data, tmp_path):
    moved = tmp_path / "only_train"
    raw = moved / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (small_data / "KMNIST" / "raw").glob("train-*"):
        (raw / path.name).write_bytes(path.read_bytes())
    status, *_ = run_cli(
        "fit", "--name", "without", "--data.data_dir", str(moved), "--data.download", "false"
    )
    assert status == 0
    assert equal(weights(), weights(Path("tb_logs/without/seed_42")))


def test_the_same_command_again_reports_a_complete_run(run_cli, fitted):
    before = {path: path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}
    status, output, _ = run_cli("fit")
    assert status == 0
    assert "is complete: 2 epochs" in output
    assert "--fresh" in output
    assert before == {path: path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}


def test_raising_max_epochs_continues_bit_identically(run_cli, trained_runs, here):
    options = ("--trainer.max_epochs", "4")
    run_cli("fit", "--name", "whole", *options, config="simple_plateau")
    trained.copy(trained_runs, here)
    status, output, _ = run_cli("fit", *options, config="simple_plateau")
    assert status == 0
    assert "resuming after epoch 1" in output
    whole, parts = Path("tb_logs/whole/seed_42"), trained.RUN
    assert equal(weights(whole), weights(parts))
    without_seconds = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in rows("metrics.csv", folder)]
        for folder in (whole, parts)
    ]
    assert without_seconds[0] == without_seconds[1]
    assert yaml.safe_load((parts / "config.yaml").read_text())["trainer"]["max_epochs"] == 4


def test_further_training_removes_the_outdated_test_score(run_cli, fitted):
    run_cli("test")
    assert "test_acc" in results()
    run_cli("fit", "--trainer.max_epochs", "3")
    assert "test_acc" not in results()


@pytest.mark.parametrize(
    ("option", "difference"),
    [
        (("--model.lr", "0.5"), "model.init_args.lr: 0.001, now 0.5"),
        (("--data.augment", "true"), "data.augment: False, now True"),
        (("--trainer.max_epochs", "1"), "trainer.max_epochs: 2 done, now 1"),
        (
            ("--model", "SimpleConvModule"),
            "model.class_path: lit_mnist.models.DenseModule, now",
        ),
    ],
)
def test_other_options_under_the_same_name_are_refused(run_cli, fitted, option, difference):
    before = weights()
    status, _, problems = run_cli("fit", *option)
    assert status == 2
    assert difference in problems
    assert problems.count("\n") == 1
    assert equal(weights(), before)


def test_fresh_replaces_only_the_run_s_own_files(run_cli, fitted):
    run_cli("test")
    notes = FOLDER / "notes.txt"
    notes.write_text("mine")
    status, *_ = run_cli("fit", "--fresh", "--model.lr", "0.01", "--trainer.max_epochs", "1")
    assert status == 0
    assert notes.read_text() == "mine"
    assert not (FOLDER / "predictions.csv").exists()
    assert len(rows("metrics.csv")) == 1
    assert len(list(FOLDER.glob("events.*"))) == 1


def test_fresh_with_a_bad_option_deletes_nothing(run_cli, fitted, tmp_path):
    before = weights()
    status, *_ = run_cli(
        "fit", "--fresh", "--data.data_dir", str(tmp_path / "none"), "--data.download", "false"
    )
    assert status == 2
    assert equal(weights(), before)


def test_fresh_in_quotes_replaces_nothing(run_cli, fitted):
    Path("own.yaml").write_text("fresh: 'false'\n")
    status, _, problems = run_cli("fit", "--config", "own.yaml", "--model.lr", "0.5")
    assert status == 2
    assert "--fresh 'false': give true or false" in problems
    assert (FOLDER / "checkpoints" / "last.ckpt").exists()


def test_a_damaged_last_checkpoint_is_reported_and_best_is_used(run_cli, fitted):
    last = FOLDER / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    status, output, _ = run_cli("fit", "--trainer.max_epochs", "3")
    assert status == 0
    assert "last.ckpt: damaged" in output
    assert "resuming after epoch" in output
    assert len(rows("metrics.csv")) == 3


def run_main(capsys, *arguments):
    capsys.readouterr()
    main(list(arguments))
    return capsys.readouterr().out


def test_the_saved_config_reproduces_the_run(run_cli, capsys):
    run_cli("fit", "--fresh", "--model.lr", "0.005")
    config = str(FOLDER / "config.yaml")
    assert main(["fit", "--config", config, "--name", "again"]) == 0
    assert "is complete" in run_main(capsys, "fit", "--config", config)  # and not trained afresh
    assert equal(weights(), weights(Path("tb_logs/again/seed_42")))


def printed(capsys, *options):
    with pytest.raises(SystemExit) as ended:
        main(["fit", *options, "--print_config"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_print_config_round_trips(here, capsys):
    first = printed(capsys, "--config", str(CONFIG), "--model.lr", "0.003")
    (here / "saved.yaml").write_text(first)
    assert printed(capsys, "--config", "saved.yaml") == first
    config = yaml.safe_load(first)
    assert config["name"] == "simple_plateau"
    assert config["model"]["init_args"]["lr"] == 0.003
    assert config["model"]["init_args"]["plateau"] is True


CONFIG = Path(__file__).parent.parent / "configs" / "simple_plateau.yaml"


def test_command_line_overrides_configs_in_any_order(here, capsys):
    for args in (
        ["--model.plateau", "false", "--config", str(CONFIG)],
        ["--config", str(CONFIG), "--model.plateau", "false"],
        ["--model.plateau=false", f"--config={CONFIG}"],
    ):
        config = yaml.safe_load(printed(capsys, *args))
        assert config["model"]["init_args"]["plateau"] is False  # the file says true
        assert config["name"] == "simple_plateau"


def test_command_line_overrides_a_checkpoint_s_hyperparameters(run_cli, four_epochs):
    start = str(FOLDER / "checkpoints" / "last.ckpt")
    run_cli("fit", "--name", "on", "--ckpt_path", start, "--trainer.max_epochs", "5")
    config = yaml.safe_load(Path("tb_logs/on/seed_42/config.yaml").read_text())
    assert config["model"]["init_args"]["lr"] == 0.001


@pytest.mark.parametrize("command", ["test", "validate", "predict"])
def test_untrained_weights_are_never_scored(run_cli, command):
    status, output, problems = run_cli(command)
    assert (status, output) == (2, "")
    assert re.fullmatch(r"error: \S+best\.ckpt: no such checkpoint; .* run fit first\n", problems)
    assert not Path("tb_logs").exists()


def test_another_checkpoint_can_be_tested(run_cli, four_epochs):
    run_cli("test", "--ckpt_path", str(FOLDER / "checkpoints" / "last.ckpt"))
    assert results()["test_checkpoints"] == ["checkpoints/last.ckpt"]


def test_a_checkpoint_of_another_architecture_is_refused(run_cli, fitted):
    path = str(FOLDER / "checkpoints" / "best.ckpt")
    for command in ("fit", "test", "validate", "predict"):
        status, _, problems = run_cli(command, "--ckpt_path", path, config="simple")
        assert status == 2
        assert "DenseModule, which do not fit SimpleConvModule" in problems
        assert problems.count("\n") == 1


def test_a_truncated_checkpoint_is_refused(run_cli, fitted):
    best = FOLDER / "checkpoints" / "best.ckpt"
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
    table = rows("digits.csv")
    assert [row["file"] for row in table] == names
    assert [line.split("  ")[0] for line in output.splitlines()[1:4]] == names
    assert Image.open(FOLDER / "digits.png").format == "PNG"
    run_cli("test")
    expected = rows("predictions.csv")[:3]
    kana = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
    for row, tested in zip(table, expected, strict=True):
        assert row["digit"] == kana[int(tested["prediction"])]
        assert float(row["probability"]) == pytest.approx(
            float(tested[f"p{tested['prediction']}"]), abs=1e-4
        )


BAD = {
    "misspelt option": (["--model.lrr", "1"], "there is no option lrr; did you mean lr?"),
    "misspelt group": (["--modle.lr", "1"], "there is no option --modle.lr"),
    "no such config": (["--config", "none.yaml"], "none.yaml"),
    "wrong type": (
        ["--trainer.max_epochs", "many"],
        "--trainer.max_epochs: expected int, got many",
    ),
    "batch size 0": (["--data.batch_size", "0"], "--data.batch_size: 0 is not >0"),
    "seed true": (["--seed_everything", "true"], "--seed_everything: 'true' is not an integer"),
    "seed 1.5": (["--seed_everything", "1.5"], "--seed_everything: '1.5' is not an integer"),
    "seed too large": (["--seed_everything", "4294967296"], "--seed_everything: 4294967296 is not"),
    "split seed": (["--data.split_seed", "-1"], "--data.split_seed: -1 is not"),
    "rate": (["--model.lr", "fast"], "--model.lr: 'fast' is not a number"),
    "dataset": (["--data.dataset", "MINST"], "got MINST"),
    "accelerator": (["--trainer.accelerator", "abacus"], "abacus"),
    "name": (["--name", "../up"], "--name ../up"),
    "class": (["--model", "DeepModule"], "there is no class DeepModule; did you mean"),
    "checkpoint": (["--ckpt_path", "none.ckpt"], "none.ckpt: no such checkpoint"),
}


@pytest.mark.parametrize(("options", "named"), BAD.values(), ids=BAD)
def test_bad_input_ends_in_one_line_and_status_2(run_cli, options, named):
    status, output, problems = run_cli("fit", *options)
    assert status == 2
    assert output == ""
    assert problems.startswith("error: ")
    assert named in problems
    assert problems.count("\n") == 1
    assert not Path("tb_logs").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("model: [1", "bad.yaml"),
        ("model:\n  class_path: DenseModul\n", "did you mean DenseModule?"),
        ("model:\n  class_path: DenseModule\n  init_args:\n    rate: 1\n", "no option rate"),
        ("trainer:\n  max_epoch: 1\n", "did you mean trainer.max_epochs?"),
        ("data:\n  batch_size: -1\n", "bad.yaml: --data.batch_size: -1 is not >0"),
        ("seed_everything: true\n", "seed_everything"),
        ("model: {class_path: DenseModule, init_args: null}\n", "init_args holds no options"),
        ("model: {class_path: DenseModule, lr: 0.1}\n", "belong below init_args"),
        ("trainer: {callbacks: [null]}\n", "expected the name of a class, got [None]"),
        ("trainer: {callbacks: [DenseModule]}\n", "there is no class DenseModule; see"),
        ("trainer: {callbacks: EarlyStopping}\n", "got lightning.pytorch.callbacks.EarlyStopping;"),
    ],
)
def test_a_bad_config_is_reported_by_name(here, capsys, text, named):
    (here / "bad.yaml").write_text(text)
    assert main(["fit", "--config", "bad.yaml", "--model", "DenseModule"][:3]) == 2
    problems = capsys.readouterr().err
    assert named in problems
    assert "bad.yaml" in problems
    assert problems.count("\n") == 1


def test_a_truncated_data_file_offline_is_one_line(run_cli, small_data, tmp_path):
    raw = tmp_path / "cut" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (small_data / "KMNIST" / "raw").iterdir():
        (raw / path.name).write_bytes(path.read_bytes()[:5000])
    status, _, problems = run_cli(
        "fit", "--data.data_dir", str(tmp_path / "cut"), "--data.download", "false"
    )
    assert status == 2
    assert problems.count("\n") == 1
    for path in raw.iterdir():
        assert path.name in problems
    assert not Path("tb_logs").exists()


def test_help_takes_less_than_a_second_without_torch():
    code = (
        "import sys; from lit_mnist.main import main; main(['--help']);"
        "print('torch' in sys.modules)"
    )
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spent = os.times()  # of the processor, which tests beside this one keep busy
    assert sum(spent[2:4]) - sum(before[2:4]) < 1
    assert done.stdout.endswith("False\n")
    assert "fit --config deep" in done.stdout


def test_an_unknown_command_gets_a_suggestion(capsys):
    assert main(["tset"]) == 2
    assert capsys.readouterr().err == "error: tset: no such command; did you mean test?\n"


def test_fast_dev_run_writes_nothing(run_cli):
    status, *_ = run_cli("fit", "--trainer.fast_dev_run", "true")
    assert status == 0
    assert not Path("tb_logs").exists()


def test_fast_dev_run_of_test_keeps_the_run_s_results(run_cli, fitted):
    before = results()
    status, *_ = run_cli("test", "--trainer.fast_dev_run", "true")
    assert status == 0
    assert results() == before
    assert not (FOLDER / "predictions.csv").exists()


def test_max_epochs_0_ends_without_error(run_cli):
    status, _, problems = run_cli("fit", "--trainer.max_epochs", "0")
    assert (status, problems) == (0, "")


def test_home_is_found_where_no_shell_has_replaced_it(run_cli, here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    status, output, _ = run_cli("fit", "--log_dir=~/runs", "--trainer.max_epochs", "1")
    assert status == 0
    assert f"everything is in {here}/runs/dense/seed_42" in output
    assert {"best.ckpt", "last.ckpt"} == {
        path.name for path in (here / "runs/dense/seed_42/checkpoints").iterdir()
    }


def test_a_folder_that_cannot_be_created_is_reported(run_cli, here):
    (here / "taken").write_text("a file")
    status, _, problems = run_cli("fit", "--log_dir", "taken")
    assert status == 2
    assert re.fullmatch(r"error: \S*taken\S*: .*\n", problems)


def test_user_callbacks_are_added_to_the_program_s(run_cli):
    status, *_ = run_cli(
        "fit", "--trainer.callbacks+=lightning.pytorch.callbacks.LearningRateMonitor"
    )
    assert status == 0
    assert (FOLDER / "checkpoints" / "best.ckpt").exists()
    events = EventAccumulator(str(FOLDER)).Reload()
    assert "lr-Adam" in events.Tags()["scalars"]


def test_early_stopping_completes_a_run(run_cli):
    options = (
        "--trainer.callbacks+=lightning.pytorch.callbacks.EarlyStopping",
        *("--trainer.callbacks.monitor", "val_acc", "--trainer.callbacks.mode", "max"),
        *("--trainer.callbacks.patience", "1", "--trainer.max_epochs", "30"),
    )
    run_cli("fit", *options)
    done = results()["epochs"]
    assert done < 30
    assert f"is complete: {done} epochs" in run_cli("fit", *options)[1]


def test_precision_and_layout_are_printed_recorded_and_kept(run_cli, monkeypatch):
    short = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1")
    short += ("--data.batch_size", "10", "--data.eval_batch_size", "10")
    monkeypatch.setattr("lit_mnist.machine.hardware._fast_bfloat16", lambda: True)
    run_cli("fit", *short, "--trainer.max_epochs", "1", config="simple")
    folder = Path("tb_logs/simple/seed_42")
    monkeypatch.setattr(
        "lit_mnist.machine.hardware._fast_bfloat16", lambda: False
    )  # another machine
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    status, output, _ = run_cli("fit", *short, "--trainer.max_epochs", "2", config="simple")
    assert status == 0
    assert "resuming after epoch 0" in output
    assert "precision bf16-mixed, channels last" in output
    recorded = results(folder)
    assert (recorded["precision"], recorded["channels_last"]) == ("bf16-mixed", True)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["trainer"]["precision"] == "bf16-mixed"
    assert config["model"]["init_args"]["channels_last"] is True
    status, output, _ = run_cli("fit", "--fresh", *short, config="simple")
    assert "precision 32-true, channels first" in output


def test_precision_and_layout_can_be_pinned(run_cli):
    short = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1")
    short += ("--data.batch_size", "10", "--data.eval_batch_size", "10")
    pins = ("--trainer.precision", "bf16-mixed", "--model.channels_last", "false")
    status, output, _ = run_cli("fit", *short, *pins, config="simple")
    assert status == 0
    assert "precision bf16-mixed, channels first" in output
    status, _, problem = run_cli("fit", *short, "--trainer.precision", "32-true", config="simple")
    assert status == 2
    assert "trainer.precision: bf16-mixed, now 32-true" in problem
