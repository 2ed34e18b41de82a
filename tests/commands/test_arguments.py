"""The command line before it is parsed."""

import json

import pytest

from lit_mnist.commands.arguments import config_files, configs_first, images_as_list


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["fit", "--a", "1", "--config", "x"], ["fit", "--config", "x", "--a", "1"]),
        (
            ["fit", "--a", "1", "-c", "x", "--config=y"],
            ["fit", "-c", "x", "--config=y", "--a", "1"],
        ),
        (["fit", "--config", "x", "--a", "1"], ["fit", "--config", "x", "--a", "1"]),
        (["fit", "--config"], ["fit", "--config"]),
        (["fit"], ["fit"]),
    ],
)
def test_configs_come_first_in_their_order(before, after):
    assert configs_first(before) == after


def test_config_files_are_found_in_either_form():
    assert config_files(["fit", "--config", "a", "--x", "1", "--config=b"]) == ["a", "b"]


@pytest.mark.parametrize("last", [[], ["--name", "x"]])
def test_images_become_one_list(last):
    args = images_as_list(["predict", "--data.images", "a b.png", 'c"d.png', *last])
    assert args[0] == "predict"
    assert json.loads(args[1].removeprefix("--data.images=")) == ["a b.png", 'c"d.png']
    assert args[2:] == last


def test_the_parsers_own_list_is_left_alone():
    args = ["predict", "--data.images", '["a.png"]']
    assert images_as_list(args) == args
