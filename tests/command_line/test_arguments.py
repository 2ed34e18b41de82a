"""The command line before it is parsed."""

import json
import os
from pathlib import Path

import pytest

from lit_mnist.command_line.arguments import (
    config_files,
    configs_first,
    find_config,
    refuse_pipes,
    several_as_list,
    shipped_configs,
    split_configs,
)
from lit_mnist.errors import UserError
from lit_mnist.main import main
from tests.conftest import CONFIGS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["fit", "--a", "1", "--config", "x"], ["fit", "--config", "x", "--a", "1"]),
        (
            ["fit", "--a", "1", "-c", "x", "--config=y"],
            ["fit", "--config", "x", "--config", "y", "--a", "1"],
        ),
        (["fit", "--config", "x", "--a", "1"], ["fit", "--config", "x", "--a", "1"]),
        (["fit", "--config"], ["fit", "--config"]),
        (
            ["fit", "--data.a", "1", "--model.b=2", "--data", "x", "--trainer=y", "--model", "Z"],
            ["fit", "--data", "x", "--trainer=y", "--model", "Z", "--data.a", "1", "--model.b=2"],
        ),
        (["fit"], ["fit"]),
    ],
)
def test_configs_come_first_in_their_order(before, after):
    assert configs_first(before) == after


@pytest.mark.parametrize(
    "form", [["--config", "a"], ["--config=a"], ["-c", "a"], ["-c=a"], ["-ca"]]
)
def test_config_files_are_found_in_every_accepted_form(form):
    args = ["--x", "1", *form, "--config=b", "--conf", "z"]
    assert split_configs(args) == (["a", "b"], ["--x", "1", "--conf", "z"])
    assert config_files(args) == ["a", "b"]


def test_a_name_finds_the_shipped_config_unless_a_file_has_it(here):
    shipped = str(Path(__file__).parents[2] / "configs" / "deep.yaml")
    assert find_config("deep") == shipped
    Path("deep").mkdir()
    assert find_config("deep") == shipped
    Path("deep.yaml").touch()
    assert find_config("deep") == "deep.yaml"
    Path("deep").rmdir()
    Path("deep").touch()
    assert find_config("deep") == "deep"
    assert find_config("overlays/ddp") == shipped.replace("deep", "overlays/ddp")


@pytest.mark.parametrize("name", ["", "none", "../configs/deep", "x" * 5000, "a\0b", "deep/"])
def test_other_names_are_unchanged(here, name):
    assert find_config(name) == name


def test_an_installed_program_has_its_configs_in_the_package(monkeypatch, tmp_path):
    (tmp_path / "configs" / "sub").mkdir(parents=True)
    for name in ("one.yaml", "sub/two.yaml", "three.txt"):
        (tmp_path / "configs" / name).touch()
    monkeypatch.setattr("lit_mnist.command_line.arguments.PACKAGE", tmp_path)
    assert shipped_configs() == {
        "one": tmp_path / "configs" / "one.yaml",
        "sub/two": tmp_path / "configs" / "sub" / "two.yaml",
    }


@pytest.mark.parametrize("last", [[], ["--name", "x"]])
def test_image_arguments_become_one_list(last):
    args = several_as_list(["predict", "--data.images", "a b.png", 'c"d.png', *last])
    assert args[0] == "predict"
    assert json.loads(args[1].removeprefix("--data.images=")) == ["a b.png", 'c"d.png']
    assert args[2:] == last


def test_the_parser_s_own_list_is_unchanged():
    args = ["predict", "--data.images", '["a.png"]']
    assert several_as_list(args) == args
    assert several_as_list(["predict", "--data.images=null"]) == ["predict", "--data.images=null"]
    assert several_as_list(["predict", "--data.images=a.png", "b.png"]) == [
        *("predict", '--data.images=["a.png", "b.png"]')
    ]
    draft = ["predict", "--data.images", "[draft] 7.png"]
    assert several_as_list(draft) == ["predict", '--data.images=["[draft] 7.png"]']


def test_an_option_that_is_given_again_adds_to_it():
    args = ["test", "--model.classes", "a.A", "--name", "x", "--model.classes=b.B", "c.C"]
    found = ["test", '--model.classes=["a.A", "b.B", "c.C"]', "--name", "x"]
    assert several_as_list(args) == found
    pictures = ["predict", "--data.images", "a.png", "--name", "x", "--data.images", "b.png"]
    assert several_as_list(pictures)[1] == '--data.images=["a.png", "b.png"]'
    own = ["--model.classes", "10", "--model.classes", "12"]  # of a model with such an option
    for same in (["--model.classes", "a.A"], ["--model.classes", "[a.A,b.B]"], own):
        assert several_as_list(["test", *same]) == ["test", *same]


@pytest.mark.parametrize("typed", ["-config", "-config=deep", "-ckpt_path"])
def test_an_option_with_one_dash_is_no_config(typed):
    with pytest.raises(UserError, match=f"^{typed}: options begin with two dashes"):
        split_configs(["fit", typed, "deep"])


@pytest.mark.parametrize("model", [["--model", "my.Net"], ["--model.class_path=my.Net"]])
def test_the_model_comes_before_its_options_and_behind_the_configs(model):
    typed = ["--model.lr", "0.1", *model, "--config", "deep.yaml", "--name", "x"]
    expected = ["fit", "--config", find_config("deep.yaml"), *model]
    assert configs_first(["fit", *typed]) == [*expected, "--model.lr", "0.1", "--name", "x"]


@pytest.mark.parametrize(
    "form", [["--config", "P"], ["--config=P"], ["-cP"], ["-c=P"], ["--data", "P"], ["--model=P"]]
)
def test_a_pipe_that_several_would_read_is_refused(here, form):
    os.mkfifo("P")
    args = ["--name", "x" * 5000, "--trainer.callbacks=[a]", *form]
    with pytest.raises(UserError, match=r"^P: is a pipe, which only one of the ranks could read;"):
        refuse_pipes(args, "ranks")
    Path("P").unlink()
    refuse_pipes(args, "ranks")


@pytest.mark.parametrize("command", ["committee", "sweep", "reproduce"])
def test_commands_of_several_runs_refuse_a_pipe_before_they_read_it(here, command, capsys):
    os.mkfifo("P")
    assert main([command, "--config", "P"]) == 2
    error = f"error: P: is a pipe, which only one of the runs of {command} could read; "
    assert capsys.readouterr().err.startswith(error)


def test_ranks_that_the_program_starts_itself_cannot_read_a_pipe(run_cli, here):
    with open(os.path.join(CONFIGS, "dense.yaml")) as config:
        content = config.read()
    reading, writing = os.pipe()
    os.write(writing, content.encode())
    os.close(writing)
    status, _, problems = run_cli("fit", "--config", f"/dev/fd/{reading}", "--trainer.devices", "2")
    assert (status, problems.startswith(f"error: /dev/fd/{reading}: is a pipe")) == (2, True)
    os.close(reading)
