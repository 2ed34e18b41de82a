"""How the program was called."""

import sys

import pytest

from lit_mnist import program


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ("cli.py", "python cli.py"),
        ("../a clone/cli.py", "python '../a clone/cli.py'"),
        ("/usr/bin/lit-mnist", "lit-mnist"),
        ("lit-mnist.exe", "lit-mnist"),
        ("/x/site-packages/lit_mnist/main.py", "python -m lit_mnist.main"),
        ("main.py", "python main.py"),
        ("-c", "lit-mnist"),
        ("/x/site-packages/ipykernel_launcher.py", "lit-mnist"),
        ("", "lit-mnist"),
    ],
)
def test_it_is_named_as_it_was_called(monkeypatch, called, said):
    monkeypatch.setattr(sys, "argv", [called])
    assert program.name() == said


def test_a_job_names_it_as_its_parent_was_called(monkeypatch):
    monkeypatch.setenv(program.CALLED, "lit-mnist")
    assert program.name() == "lit-mnist"
