"""Constructors of a user's models: what options can give them, and what is told if they fail."""

import pytest
from jsonargparse import Namespace

from lit_mnist.commands.constructors import check
from lit_mnist.commands.dependency_errors import explained
from lit_mnist.errors import UserError
from lit_mnist.models.modules import DenseModule


def test_null_is_for_arguments_that_may_be_none():
    chosen = {"class_path": "lit_mnist.models.modules.DenseModule"}
    sound = Namespace(lr=0.1, channels_last=None)
    check("--model", Namespace(init_args=sound, **chosen))
    for argument in ("lr", "plateau"):
        with pytest.raises(UserError, match=f"--model.{argument} null"):
            check("--model", Namespace(init_args=Namespace({argument: None}), **chosen))


class ByPosition(DenseModule):
    def __init__(self, width: int = 3, /, lr: float = 0.1):
        super().__init__(lr=lr)


def test_arguments_without_a_name_are_refused():
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
def test_a_constructor_that_fails_is_told_with_its_file(kind, wrapped):
    """As the parser wraps some errors in others, which arise in its own files."""
    try:
        try:
            Failing(kind("wide"))
        except kind as error:
            if wrapped:
                raise ValueError("Problem with given class_path") from error
            raise
    except Exception as error:
        told = explained(error)
    assert isinstance(told, UserError)
    assert f"--model {__name__}.Failing: its constructor fails ({kind.__name__}: " in str(told)
    assert "wide" in str(told)
    assert f"{__file__}, line " in str(told)
