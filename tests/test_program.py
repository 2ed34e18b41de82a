"""The name under which the program was called."""

import sys

import pytest

from lit_mnist import program


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        ("cli.py", "python cli.py"),
        ("../a clone/cli.py", "python '../a clone/cli.py'"),
        ("/usr/bin/lit-mnist", "lit-mnist"),
        ("lit-mnist.exe", "lit-mnist"),
        ("/x/site-packages/lit_mnist/main.py", "python -m lit_mnist.main"),
        ("main.py", "python main.py"),
        ("-c", "lit-mnist"),
        ("-", "lit-mnist"),
        ("/x/site-packages/ipykernel_launcher.py", "lit-mnist"),
        ("", "lit-mnist"),
    ],
)
def test_the_program_name_is_the_command_that_was_typed(monkeypatch, called, expected):
    monkeypatch.setattr(sys, "argv", [called])
    assert program.name() == expected


def test_a_job_uses_its_parent_s_program_name(monkeypatch):
    monkeypatch.setenv(program.CALLED, "lit-mnist")
    assert program.name() == "lit-mnist"
