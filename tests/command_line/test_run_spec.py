"""The unparsed options of a run, and the command line made of them."""

import pytest

from lit_mnist.command_line.run_spec import RunSpec


def test_argv_lists_configs_first():
    spec = RunSpec.from_args(["--a", "1", "-c", "x y", "--b", "--config=z"])
    assert spec.argv("fit") == ["fit", "--config", "x y", "--config", "z", "--a", "1", "--b"]


def test_settings_come_last_and_later_ones_win():
    spec = RunSpec(typed=("--seed_everything", "1")).with_settings({"name": "a", "data.x": 1})
    assert spec.with_seed(7).with_settings({"name": "b"}).argv("test") == [
        *("test", "--seed_everything", "1"),
        *("--name=b", "--data.x=1", "--seed_everything=7"),
    ]
    assert spec.settings == {"name": "a", "data.x": 1}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1e3", "1e3"),
        (True, "true"),
        (None, "null"),
        (0.5, "0.5"),
        (["😀", "\x85"], r'["😀", "\u0085"]'),
    ],
)
def test_values_are_written_in_the_parser_s_form(value, text):
    assert RunSpec(settings={"x": value}).argv("fit") == ["fit", f"--x={text}"]
