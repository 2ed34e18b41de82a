"""What is given for `--data` as a whole."""

import pytest
from jsonargparse import get_loader

from lit_mnist.command_line.groups import check_file, check_typed, without_empty
from lit_mnist.command_line.parsed_options import parsed_options
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.errors import UserError


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("my_data.Own", "the commands have a data module of their own"),
        ("FashionMNIST", "a data set is named by --data.dataset FashionMNIST"),
        (".", "the folder of the images is --data.data_dir"),
    ],
)
def test_it_is_explained_on_the_command_line_and_in_a_file(value, message):
    for typed in (["--data", value], [f"--data={value}"], ["--data.class_path", value]):
        with pytest.raises(UserError, match=rf"^{typed[0].partition('=')[0]} {value}: {message}"):
            check_typed(["fit", "--model", "DenseModule", *typed])
    for content in ({"data": value}, {"data": {"class_path": value, "init_args": {}}}):
        with pytest.raises(UserError, match=rf"^a\.yaml: data: {value}: {message}"):
            check_file("a.yaml", content)


FOLLOWS = "5: follows --seed_everything; set that instead$"


@pytest.mark.parametrize("typed", [["--data.seed", "5"], ["--data.seed=5"], ["--data={seed: 5}"]])
def test_a_seed_of_the_data_alone_is_refused(typed):
    with pytest.raises(UserError, match=rf"^--data\.seed {FOLLOWS}"):
        check_typed(["fit", "--model", "DenseModule", "--seed_everything", "5", *typed])


def test_a_file_may_hold_the_seed_of_the_run_twice(tmp_path):
    (tmp_path / "data.yaml").write_text("seed: 5")
    for data in ({"data": {"seed": 5}}, {"data": "data.yaml"}, {"data.seed": 5}):
        for run in ({}, {"seed_everything": 42}):
            with pytest.raises(UserError, match=rf"a\.yaml: data\.seed {FOLLOWS}"):
                check_file(str(tmp_path / "a.yaml"), run | data)
        check_file(str(tmp_path / "a.yaml"), data | {"seed_everything": 5})
    check_file("a.yaml", {"data": {"seed": 42}})
    with pytest.raises(UserError, match=FOLLOWS):
        check_typed(["fit", "--data", str(tmp_path / "data.yaml")])


def test_files_of_options_and_options_are_left_to_the_parser(tmp_path):
    path = tmp_path / "data"
    path.write_text("batch_size: 5")
    for value in (str(path), "missing.yaml", '{"batch_size": 5}', ""):
        check_typed(["fit", "--data", value, "--data.batch_size", "5", "--data"])
    check_file("a.yaml", {"data": {"batch_size": 5}, "trainer": None, "model": "my.Net"})


def of_parser(*configs, typed=()):
    """The options, but for which files they are from."""
    return parsed_options(RunSpec(tuple(map(str, configs)), typed)) | {"config": None}


@pytest.mark.parametrize("group", ["trainer", "data", "model"])
def test_a_group_in_which_nothing_is_given_changes_nothing(tmp_path, group):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(
        "model: {class_path: DenseModule, init_args: {lr: 1e-2}}\n"
        "data: {batch_size: 7}\ntrainer: {max_epochs: 2}\n"
    )
    given = of_parser(one)
    nothing = (f"{group}:\n", f"{group}:\n  # lr: 1\n", f"{{{group}: null}}", "trainer:\ndata:\n")
    for text in nothing:
        two.write_text(text)
        assert of_parser(one, two) == given
    options = ("--model=DenseModule", "--data.batch_size=7", "--name=two")
    assert of_parser(two, typed=options) == of_parser(typed=options)
    two.write_text(f"{group}:\nmodel.lr: 2e-2\n")
    assert of_parser(one, two)["model"]["init_args"]["lr"] == 0.02


def test_other_values_are_read_as_without_an_empty_group():
    text = "model: {init_args: {decay: 1e-4, text: '1e-4'}}\nseed_everything: 1e2\n"
    read = get_loader("yaml")
    assert read(without_empty(f"{text}data:\n")) == read(text)
    assert read(text)["model"]["init_args"] == {"decay": 0.0001, "text": "1e-4"}


def test_what_is_no_group_of_options_is_refused_in_a_pipe_too():
    for value in ("5", "0", "true", "1.5", "[1]"):
        with pytest.raises(UserError, match=r"^trainer: is .*; give options"):
            without_empty(f"trainer: {value}\n")
