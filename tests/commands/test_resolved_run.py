"""The options of a run that a command will train and test: what of them is refused, and how."""

import sys
from pathlib import Path

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger

from lit_mnist.main import main
from lit_mnist.models.modules import DenseModule
from tests.conftest import RUN_JOBS


class Odd(DenseModule):
    """A model that refuses an argument."""

    def __init__(self, width: int = 13):
        super().__init__()
        if width % 2:
            raise ValueError("width must be even")


class Never(Callback):
    """A callback that refuses its argument."""

    def __init__(self, count: int = 1):
        raise ValueError(f"count {count} is odd")


REFUSED = {
    "a model": (("--model", f"{__name__}.Odd"), "width must be even; "),
    "a callback of Lightning's": (
        (
            *("--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val_acc"),
            "--trainer.callbacks.mode=foo",
        ),
        "--trainer: `mode` can be min, max, got foo",
    ),
    "the user's own": (
        (f"--trainer.callbacks+={__name__}.Never",),
        "Never: its constructor fails",
    ),
}
COMMANDS = {
    "fit": (),
    "committee": ("--members", "2"),
    "committee of folds": ("--folds", "2"),
    "sweep": ("--space", "space.yaml", "--trials", "1"),
    "reproduce": ("--only", "dense"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_arguments_that_a_constructor_refuses_are_one_line(
    members, here, capsys, command, options, said
):
    Path("space.yaml").write_text("data.batch_size: [50, 60]\n")
    name = command.split()[0]
    given = members[2:] if name == "reproduce" else members
    assert main([name, *given, *COMMANDS[command], *options]) == 2
    output, problems = capsys.readouterr()
    assert said in problems
    assert (output, problems.count("\n")) == ("", 1)
    assert not Path("tb_logs").exists()


def test_a_value_below_the_minimum_is_not_called_a_part(members, here, capsys):
    assert main(["committee", *members, "--members", "2", "--trainer.limit_test_batches=-1"]) == 2
    said = "error: --trainer.limit_test_batches -1: take 0 or more\n"
    assert capsys.readouterr().err == said


class Own(DenseModule):
    """As a script defines it, below."""


class Greeting(Callback):
    """Likewise."""


class Table(CSVLogger):
    """Likewise."""

    def __init__(self):
        super().__init__("tables")


@pytest.fixture
def script(monkeypatch):
    """Classes that the process' own script has defined."""
    for kind in (Own, Greeting, Table):
        monkeypatch.setattr(kind, "__module__", "__main__")
        monkeypatch.setattr(sys.modules["__main__"], kind.__name__, kind, raising=False)


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("command", ["committee --members 2", "reproduce --only simple"])
@pytest.mark.parametrize(
    ("option", "name"),
    [("--model", "Own"), ("--trainer.callbacks", "Greeting"), ("--trainer.logger", "Table")],
)
def test_a_class_of_a_script_is_refused_for_runs_in_other_processes(
    command, option, name, members, here, monkeypatch, capsys
):
    monkeypatch.setattr(RUN_JOBS, None)  # which would train them
    given = members[2:] if command.startswith("reproduce") else members
    sign = "+=" if option == "--trainer.callbacks" else "="
    typed = [f"{option}{sign}__main__.{name}"]
    assert main([*command.split(), *given, *typed]) == 2
    assert capsys.readouterr().err == (
        f"error: {option} __main__.{name}: is defined in a script or notebook, which the runs' own"
        " processes do not know; put it in a file, such as mine.py, and name it:"
        f" mine.{name}\n"
    )
    assert not Path("tb_logs/dense").exists()


@pytest.mark.usefixtures("script", "no_pictures")
def test_a_committee_of_runs_that_a_script_has_trained_is_tested(members, here, capsys):
    typed = [*members, "--model=__main__.Own", "--trainer.callbacks+=__main__.Greeting"]
    typed += ["--trainer.max_epochs", "1"]
    for seed in ("42", "43"):
        assert main(["fit", *typed, "--seed_everything", seed]) == 0
    assert main(["committee", *typed, "--members", "2"]) == 0, capsys.readouterr().err
    assert Path("tb_logs/dense/committee_2/report.md").exists()
