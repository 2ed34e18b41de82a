"""Checks of values that the parser or Lightning would accept silently."""

import os
import shutil

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from lit_mnist.command_line.arguments import shipped_configs
from lit_mnist.command_line.option_checks import (
    check_configs,
    check_loggers,
    check_pictures,
    check_trainer,
    check_unused,
    plain_name,
    plain_path,
)
from lit_mnist.errors import UserError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\na: 2\n", "a is given twice"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"- a\n", "holds no options"),
        (b"data: [1]\n", "data: is a list"),
        (b"config: other.yaml\nname: a\n", "config: a file cannot name another"),
    ],
)
def test_a_file_without_options_is_reported(tmp_path, content, message):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"bad\.yaml: .*{message}"):
        check_configs([str(path)])


def test_valid_files_pass():
    check_configs(map(str, shipped_configs().values()))


def test_a_folder_in_place_of_a_config_is_reported(tmp_path):
    with pytest.raises(UserError, match=r"--config \S+: is a folder; name a file"):
        check_configs([str(tmp_path)])


def test_a_missing_config_is_reported_with_the_existing_ones(tmp_path):
    with pytest.raises(UserError, match=r"--config \S+none: no such file; .* deep, dense, .*ddp"):
        check_configs([str(tmp_path / "none")])


def test_an_empty_config_name_is_reported(tmp_path):
    with pytest.raises(UserError, match="--config: is empty"):
        check_configs([""])


@pytest.mark.parametrize(
    "typed",
    [
        ["--data.images", "a.png"],
        ["--data.images+=a.png"],
        ["--data", "{batch_size: 4, images: [a.png]}"],
        ['--data={"images": "a.png"}'],
    ],
)
def test_pictures_are_for_predict_alone(typed):
    check_pictures(["predict", *typed])
    check_pictures(["fit", "--data.batch_size", "4"])
    with pytest.raises(UserError, match=r"--data\.images: has no effect; only predict reads"):
        check_pictures(["fit", *typed])
    check_pictures(["predict", "--data.layout", "single"])
    with pytest.raises(UserError, match=r"--data\.layout: has no effect; only predict reads"):
        check_pictures(["test", "--data.layout=single"])


@pytest.mark.parametrize(
    "name", ["", " ", "a ", ".", "..", "a/b", "/a", "-a", "a\nb", "x" * 201, None, ["a"]]
)
def test_an_invalid_folder_name_is_refused(name):
    with pytest.raises(UserError, match="--name"):
        plain_name(name)


def test_other_names_pass():
    for name in ("a b", "ü名", "%s{}$HOME", "x" * 200, "a-b.c"):
        assert plain_name(name) == name


@pytest.mark.parametrize("path", [None, 1, "", "\0", "x/" * 600])
def test_an_impossible_path_is_refused(path):
    with pytest.raises(UserError, match="--log_dir"):
        plain_path("--log_dir", path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accumulate_grad_batches", 0),
        ("check_val_every_n_epoch", 0),
        ("fast_dev_run", -1),
        ("gradient_clip_val", -0.1),
        ("gradient_clip_val", float("nan")),
        ("limit_train_batches", -1),
        ("log_every_n_steps", -1),
        ("max_epochs", -5),
        ("num_nodes", 0),
        ("val_check_interval", 0),
    ],
)
def test_values_below_the_minimum_are_refused(name, value):
    with pytest.raises(UserError, match=f"--trainer.{name} {value}: take"):
        check_trainer({name: value})


def test_too_many_cpu_processes_are_refused(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    for devices in (17, "17", 10**30):
        with pytest.raises(UserError, match=f"--trainer.devices {devices}: .* 16 or fewer"):
            check_trainer({"devices": devices, "accelerator": "cpu"})
    check_trainer({"devices": "16", "accelerator": "auto"})
    check_trainer({"devices": 17, "accelerator": "cuda"})  # Lightning counts these itself


def test_valid_trainer_options_pass():
    check_trainer(
        {"max_epochs": -1, "gradient_clip_val": None, "fast_dev_run": True, "devices": "auto"}
    )
    check_trainer({"val_check_interval": 0.0})  # Lightning validates after every batch
    check_trainer({"limit_train_batches": 0, "num_sanity_val_steps": -1, "devices": [0, 1]})


def test_a_csv_logger_in_the_run_s_folder_is_refused(tmp_path):
    folder = tmp_path / "name" / "seed_1"
    others = (CSVLogger(tmp_path, "name"), TensorBoardLogger(tmp_path, "name", "seed_1"))
    check_loggers(others, folder)
    for logger in (CSVLogger(tmp_path, "name", "seed_1"), CSVLogger(folder, "", "")):
        with pytest.raises(UserError, match=r"CSVLogger has a metrics\.csv of its own"):
            check_loggers([*others, logger], folder)


@pytest.mark.parametrize("kind", [CSVLogger, TensorBoardLogger])
def test_a_logger_in_another_run_s_folder_is_refused(tmp_path, kind):
    folder, logger = tmp_path / "name" / "seed_1", kind(tmp_path, "name", "seed_2")
    check_loggers([logger], folder)
    for file in ("results.json", "checkpoints/last.ckpt"):
        (folder.parent / "seed_2" / file).parent.mkdir(parents=True)
        (folder.parent / "seed_2" / file).touch()
        with pytest.raises(
            UserError, match=r"Logger would write to \S+/seed_2, .*another save_dir"
        ):
            check_loggers([logger], folder)
        shutil.rmtree(folder.parent / "seed_2")


@pytest.mark.parametrize("unit", ["epochs", "steps"])
def test_a_minimum_duration_above_the_maximum_is_refused(unit):
    bounds = {f"min_{unit}": 3, f"max_{unit}": 2}
    with pytest.raises(UserError, match=f"--trainer.min_{unit} 3: .* above --trainer.max_{unit} 2"):
        check_trainer(bounds)
    for most in (3, -1, None):
        check_trainer(bounds | {f"max_{unit}": most})


def test_options_of_lightning_that_would_have_no_effect_are_refused(run_cli):
    for command, option in (
        ("test", "--verbose=false"),
        ("fit", "--weights_only=false"),
        ("predict", "--return_predictions=true"),
    ):
        status, _, problems = run_cli(command, option)
        assert (status, problems.count("\n")) == (2, 1)
        assert f"error: {option.partition('=')[0]} " in problems
    check_unused({"verbose": True, "weights_only": True, "return_predictions": None})
