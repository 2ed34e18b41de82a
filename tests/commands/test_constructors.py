"""Constructors of a user's models: arguments that options can set, and how errors are reported."""

import pytest
from jsonargparse import Namespace

from lit_mnist.commands.constructors import check
from lit_mnist.commands.dependency_errors import explained
from lit_mnist.errors import UserError
from lit_mnist.models.modules import DenseModule


def test_null_is_allowed_only_for_optional_arguments():
    chosen = {"class_path": "lit_mnist.models.modules.DenseModule"}
    sound = Namespace(lr=0.1, channels_last=None)
    check("--model", Namespace(init_args=sound, **chosen))
    for argument in ("lr", "plateau"):
        with pytest.raises(UserError, match=f"--model.{argument} null"):
            check("--model", Namespace(init_args=Namespace({argument: None}), **chosen))


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
