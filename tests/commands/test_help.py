"""What `--help` says of the program's own commands, against what they do."""

import argparse
import os
import re
import subprocess
import sys

import pytest

from lit_mnist.commands import committee, compare, help, reproduce
from lit_mnist.errors import UserError
from lit_mnist.main import COMMANDS, main
from lit_mnist.reports.notebook import SYSTEMS

MODULES = {"committee": committee, "reproduce": reproduce}


def parser_of(module, monkeypatch):
    """The parser that a command makes, caught before it parses."""
    made = []

    class Caught(Exception):
        pass

    def catch(parser, args):
        made.append(parser)
        raise Caught

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", catch)
    with pytest.raises(Caught):
        module._parse(["command"])
    return made[0]


def said(text):
    """The options that a help text lists, each at the start of a line."""
    return dict(re.findall(r"^  (--\w+)[ ](\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("command", MODULES)
def test_the_help_lists_the_options_that_the_parser_knows(command, monkeypatch):
    text = help.OWN[command]
    parser = parser_of(MODULES[command], monkeypatch)
    known = {action.option_strings[0]: action for action in parser._actions}
    assert said(text).keys() == known.keys()
    for option, action in known.items():
        start = text.index(f"  {option} ")
        paragraph = text[start:].partition("\n  --")[0]
        if action.default not in (None, argparse.SUPPRESS) and not isinstance(action.default, list):
            assert f"({action.default})" in paragraph, option
        for choice in action.choices or ():
            assert re.search(rf"\b{choice}\b", paragraph), option


def test_the_help_names_every_system_once_and_in_order():
    paragraph = help.REPRODUCE.partition("--only NAME ...   a part: ")[2].partition("\n  --")[0]
    assert paragraph.split() == [system.name for system in SYSTEMS]


def test_the_program_lists_its_commands():
    listed = re.findall(r"^  (\w+)  ", help.PROGRAM.partition("examples:")[0], re.MULTILINE)
    assert listed == list(COMMANDS)
    assert help.OWN.keys() == {name for name, module in COMMANDS.items() if module != "cli"}


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", help.OWN)
def test_help_wins_over_other_options(command, flag, capsys):
    assert main([command, "--members", "none", flag]) == 0
    assert capsys.readouterr() == (help.OWN[command], "")


def test_help_of_all_commands_comes_within_a_second_without_torch():
    code = (
        "import sys; from lit_mnist.main import main;"
        f"[main([command, '--help']) for command in {[*help.OWN]}];"
        "print('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spent = os.times()  # of the processor, which tests beside this one keep busy
    assert sum(spent[2:4]) - sum(before[2:4]) < 1
    assert done.stdout == "".join(help.OWN.values()) + "False\n"


BAD = {
    "members none": (committee, ["--members", "0"], "--members: 0 is no integer of at least 1"),
    "members one": (committee, ["--members", "1"], "--members 1: a committee has two"),
    "members many": (committee, ["--members", "many"], "--members: many is no integer"),
    "member too high": (committee, ["--member", "5"], "--member 5: take 0 to 4"),
    "member below 0": (committee, ["--member", "-1"], "--member -1: take 0 to 4"),
    "member no number": (committee, ["--member", "x"], "--member: invalid int value: 'x'"),
    "average": (committee, ["--average", "mean"], "--average: invalid choice: 'mean'"),
    "jobs": (committee, ["--jobs", "-2"], "--jobs: -2 is no integer of at least 1"),
    "no value": (committee, ["--jobs"], "--jobs: expected one argument"),
    "only": (reproduce, ["--only", "dens"], "--only: invalid choice: 'dens'"),
    "only nothing": (reproduce, ["--only"], "--only: expected at least one argument"),
    "seeds": (reproduce, ["--seeds", "0"], "--seeds: 0 is no integer of at least 1"),
    "jobs of reproduce": (reproduce, ["--jobs", "0"], "--jobs: 0 is no integer"),
    "a config": (reproduce, ["--config", "a.yaml"], "--config: reproduce has its own"),
    "a config, short": (reproduce, ["-c", "a.yaml"], "-c: reproduce has its own"),
    "a name": (reproduce, ["--name=a"], "--name: reproduce has its own"),
    "system's weights": (reproduce, ["--ckpt_path=a.ckpt"], "--ckpt_path: each run has its own"),
    "dry": (reproduce, ["--trainer.fast_dev_run", "1"], "--trainer.fast_dev_run: leaves no"),
    "of fit": (reproduce, ["--model.lrr", "1"], "there is no option lrr; did you mean lr?"),
    "no model": (committee, [], "no model is named; give --config"),
}


@pytest.mark.parametrize(("module", "options", "named"), BAD.values(), ids=BAD)
def test_a_bad_option_ends_in_one_line_and_status_2(module, options, named, here, capsys):
    command = module.__name__.rpartition(".")[2]
    assert main([command, *options]) == 2
    output, problems = capsys.readouterr()
    assert output == ""
    assert problems.startswith("error: ")
    assert named in problems
    assert problems.count("\n") == 1
    assert not list(here.iterdir())


def test_an_output_that_is_a_file_is_named(here, capsys):
    (here / "taken").touch()
    assert main(["reproduce", "--output", "taken"]) == 2
    assert capsys.readouterr().err == "error: --output taken: File exists; name another folder\n"


def test_compare_is_a_user_error_too(here):
    with pytest.raises(UserError, match="takes two runs"):
        compare.run(["compare"])
