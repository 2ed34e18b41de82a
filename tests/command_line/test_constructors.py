"""Constructors of a user's models: arguments that options can set, and how errors are reported."""

import pytest
import torch
from jsonargparse import Namespace
from lightning.pytorch import Callback
from torch import nn

from lit_mnist.command_line.constructors import check
from lit_mnist.command_line.dependency_errors import explained
from lit_mnist.errors import UserError
from lit_mnist.main import main
from lit_mnist.models.modules import ClassifierModule, DenseModule


def test_null_is_allowed_only_for_optional_arguments():
    chosen = {"class_path": "lit_mnist.models.modules.DenseModule"}
    sound = Namespace(lr=0.1, channels_last=None)
    check("--model", Namespace(init_args=sound, **chosen))
    for argument in ("lr", "plateau"):
        with pytest.raises(UserError, match=f"--model.{argument} null"):
            check("--model", Namespace(init_args=Namespace({argument: None}), **chosen))


@pytest.mark.parametrize(
    "option",
    ["every_n_train_steps", "data.eval_batch_size", "trainer.max_steps", "trainer.strategy"],
)
def test_null_is_refused_for_options_that_need_a_value(here, capsys, option):
    group, _, name = option.rpartition(".")
    text = f"{group}: {{{name}: null}}" if group else f"{name}: null"
    (here / "null.yaml").write_text(f"model: DenseModule\n{text}\n")
    assert main(["fit", "--config", "null.yaml"]) == 2
    problems = capsys.readouterr().err
    assert problems == f"error: --{option} null: give a value, or leave the option out\n"


def test_null_stays_allowed_for_options_that_may_have_none(run_cli, here):
    names = ("callbacks", "logger", "limit_val_batches", "enable_progress_bar", "profiler")
    (here / "null.yaml").write_text(
        f"trainer: {{{', '.join(f'{name}: null' for name in names)}}}\ndata: {{folds: null}}\n"
    )
    assert run_cli("fit", "--config", "null.yaml", "--trainer.fast_dev_run", "true")[0] == 0


def test_null_is_refused_for_a_callback_s_option_that_needs_a_value(run_cli):
    stop = ("--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val_loss")
    status, _, problems = run_cli("fit", *stop, "--trainer.callbacks.patience=null")
    assert status == 2
    line = "error: --trainer.callbacks.patience null: give a value, or leave the option out\n"
    assert problems == line


@pytest.mark.parametrize("text", ["{}", "[EarlyStopping: {}]"], ids=str)
def test_a_callback_of_no_class_is_refused(run_cli, here, text):
    (here / "none.yaml").write_text(f"trainer: {{callbacks: {text}}}\n")
    status, _, problems = run_cli("fit", "--config", "none.yaml")
    assert status == 2
    assert problems.startswith("error: --trainer.callbacks: a callback without class_path")
    assert problems.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "model: {class_path: DenseModule, dict_kwargs: {hidden: 3}}",
            "--model: dict_kwargs: hidden: DenseModule",
        ),
        (
            "trainer: {callbacks: [{class_path: EarlyStopping, init_args: {monitor: a},"
            " dict_kwargs: {often: 1}}]}",
            "--trainer.callbacks: dict_kwargs: often: EarlyStopping",
        ),
        (
            "trainer: {logger: {class_path: CSVLogger, init_args: {save_dir: a},"
            " dict_kwargs: {often: 1}}}",
            "--trainer.logger: dict_kwargs: often: CSVLogger",
        ),
    ],
)
def test_an_argument_that_a_class_does_not_take_is_named_with_it(run_cli, here, text, named):
    (here / "more.yaml").write_text(text)
    status, _, problems = run_cli("fit", "--config", "more.yaml")
    assert status == 2
    assert problems == f"error: {named} takes no such argument; leave it out\n"


class Outer:
    class Inner:
        def __init__(self, known: int = 1, unknown=1, text: "int | None" = 1):
            pass


def test_null_passes_where_no_type_is_known_also_in_a_nested_class():
    chosen = {"class_path": f"{__name__}.Outer.Inner"}
    check("--model", Namespace(init_args=Namespace(unknown=None, text=None), **chosen))
    with pytest.raises(UserError, match=r"--model\.known null"):
        check("--model", Namespace(init_args=Namespace(known=None), **chosen))


class ByPosition(DenseModule):
    def __init__(self, width: int = 3, /, lr: float = 0.1):
        super().__init__(lr=lr)


def test_positional_only_arguments_are_refused():
    chosen = Namespace(class_path=f"{__name__}.ByPosition", init_args=Namespace(lr=0.1))
    with pytest.raises(
        UserError, match=r"--model \S+\.ByPosition: .* takes width by position only"
    ):
        check("--model", chosen)


class Failing(DenseModule):
    def __init__(self, error: Exception):
        super().__init__()
        raise error


@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError, RuntimeError])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_failing_constructor_is_reported_with_its_file(kind, wrapped):
    """The parser wraps some errors in others raised in its own files."""
    try:
        try:
            Failing(kind("wide"))
        except kind as error:
            if wrapped:
                raise ValueError("Problem with given class_path") from error
            raise
    except Exception as error:
        line = explained(error)
    assert isinstance(line, UserError)
    assert f"--model {__name__}.Failing: its constructor fails ({kind.__name__}: " in str(line)
    assert "wide" in str(line)
    assert f"{__file__}, line " in str(line)


class Nameless(ClassifierModule):
    """Names no net."""


class WithInstance(ClassifierModule):
    net_type = nn.Linear(2, 2)  # in place of a class


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Nameless, "Nameless: name its net in net_type, as `net_type = MyNet`"),
        (WithInstance, f"; {__file__}, line "),
    ],
)
def test_an_error_in_a_class_s_own_attribute_names_the_class_and_not_our_file(
    run_cli, kind, message
):
    status, _, problems = run_cli("fit", "--model", f"{__name__}.{kind.__name__}")
    assert status == 2
    (line,) = problems.splitlines()
    assert message in line
    assert f"{__name__}.{kind.__name__}: " in line
    assert "modules.py" not in line


class Wordless(DenseModule):
    def __init__(self):
        raise ValueError


class TooLarge(DenseModule):
    def __init__(self):
        raise MemoryError


class NoSelf(DenseModule):
    def __init__(s, size: int = 3):
        super().__init__()
        s.register_buffer("to", torch.zeros(size))


class Wary(Callback):
    def __init__(self, patience: int = 1):
        assert patience > 1


class Worded(Callback):
    def __init__(self):
        raise ValueError("no good")


@pytest.mark.parametrize(
    ("option", "name", "told"),
    [
        ("--model=", "Wordless", "--model {}: its constructor fails (ValueError; "),
        ("--model=", "TooLarge", "out of memory; lower --data.batch_size"),
        ("--model=", "NoSelf", "--model {}: its constructor fails (KeyError: "),
        ("--trainer.callbacks+=", "Wary", "--trainer.callbacks {}: its constructor fails (Asser"),
        ("--trainer.callbacks+=", "Worded", "--trainer.callbacks {}: its constructor fails (Value"),
    ],
)
def test_errors_without_a_text_and_those_of_callbacks_are_told(run_cli, option, name, told):
    """The parser itself fails where an error has no text."""
    status, _, problems = run_cli("fit", f"{option}{__name__}.{name}")
    assert status == 2
    assert problems.startswith(f"error: {told.format(f'{__name__}.{name}')}")
    assert problems.count("\n") == 1
