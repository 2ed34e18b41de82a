"""The options of a run that a command will train and test: what of them is refused, and how."""

import sys
from pathlib import Path

import pytest
from lightning.pytorch import Callback

from lit_mnist.main import main
from lit_mnist.models.modules import DenseModule


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
    "the user's own": ((f"--trainer.callbacks+={__name__}.Never",), "--trainer: count 1 is odd"),
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


def test_a_class_of_a_script_is_refused_for_runs_in_other_processes(here, monkeypatch, capsys):
    own = type("Own", (DenseModule,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Own", own, raising=False)
    assert main(["committee", "--model", "__main__.Own", "--members", "2"]) == 2
    problems = capsys.readouterr().err
    assert "put it in a file, such as nets.py, and name it: nets.Own" in problems
