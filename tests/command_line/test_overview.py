"""The list of all commands."""

import re

import pytest

from lit_mnist.command_line import overview
from lit_mnist.command_line.arguments import find_config, split_configs
from lit_mnist.command_line.parsers import PARSERS
from lit_mnist.main import main


def test_the_overview_lists_every_command_with_its_summary():
    text = overview.text()
    listed = dict(re.findall(r"^  (\w+)  +(.+)$", text.partition("examples:")[0], re.MULTILINE))
    assert tuple(listed) == overview.COMMANDS
    for command, kind in PARSERS.items():
        assert listed[command] == kind.summary


@pytest.mark.parametrize("example", overview.EXAMPLES)
def test_the_overview_s_examples_are_valid(example, here, capsys):
    command, *args = example.split()
    for config in split_configs(args)[0]:
        assert find_config(config) != config
    if command in PARSERS:
        PARSERS[command]().parse(args)
    else:
        with pytest.raises(SystemExit) as ended:
            main([command, *args, "--print_config"])
        assert ended.value.code == 0
