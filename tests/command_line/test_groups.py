"""What is given for `--data` as a whole."""

import pytest

from lit_mnist.command_line.groups import check_file, check_typed
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
